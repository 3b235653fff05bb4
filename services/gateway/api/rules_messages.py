"""Rules as text to rules, and descriptions of rules."""

from backcast.backtest.v1.expression_pb2 import Column
from backcast.backtest.v1.strategy_pb2 import Rules as RulesMessage
from backcast.backtest.v1.strategy_pb2 import Strategy as StrategyMessage
from backcast.gateway.v1 import rules_description_pb2 as pb
from services.domain.candles import VALUE_COLUMNS
from services.domain.errors import ErrorReason, InvalidInput, Violation
from services.engine import Strategy
from services.engine.rules import Expression, Rules
from services.engine.rules.compared import compared_series
from services.engine.rules.parse import LineFault, parse_line
from services.engine.rules.text import text
from services.engine.strategies.custom_rules import CustomRules
from services.wire.backtests import strategy_from
from services.wire.enum_names import numbers_of
from services.wire.expressions import expression_to


def parsed_rules(entry: str, exit_: str) -> CustomRules:
    """Return the rules of two texts, of which `exit_` may be empty.

    Raises InvalidInput with the first error of each text, and their places as metadata.
    """
    rules: dict[str, Expression] = {}
    faults: dict[str, LineFault] = {}
    for field, line in (("entry", entry), ("exit", exit_)):
        if field == "exit" and not line:
            continue
        try:
            rules[field] = parse_line(line)
        except LineFault as fault:
            faults[field] = fault
    if faults:
        starts = {field: str(fault.start) for field, fault in faults.items()}
        lengths = {field: str(fault.end - fault.start) for field, fault in faults.items()}
        raise InvalidInput(
            *(Violation(field, fault.reason) for field, fault in faults.items()),
            reason=ErrorReason.INVALID_RULES,
            entry_start=starts.get("entry"),
            entry_length=lengths.get("entry"),
            exit_start=starts.get("exit"),
            exit_length=lengths.get("exit"),
        )
    return CustomRules(**rules)


def checked_strategy(message: StrategyMessage) -> Strategy:
    """Return the strategy of a message; raise InvalidInput, naming every bad field."""
    strategy = strategy_from(message)
    if violations := strategy.violations():
        raise InvalidInput(*violations)
    return strategy


def describe_rules(strategy: Strategy) -> pb.RulesDescription:
    """Return the description of a checked strategy as rules."""
    rules = strategy.rules()
    columns = numbers_of(Column.DESCRIPTOR)
    return pb.RulesDescription(
        rules=_rules_message(rules),
        entry=text(rules.entry),
        exit=text(rules.exit) if rules.exit else "",
        columns=[
            Column.ValueType(columns[name.upper()]) for name in VALUE_COLUMNS if name in strategy.columns
        ],
        warmup_candles=strategy.warmup_candles,
        series=compared_series_of(strategy),
    )


def compared_series_of(strategy: Strategy) -> list[pb.ComparedSeries]:
    """Return the series that a checked strategy compares."""
    return [
        pb.ComparedSeries(
            expression=text(series.expression), label=series.label, pane=series.pane, levels=series.levels
        )
        for series in compared_series(strategy.rules())
    ]


def _rules_message(rules: Rules) -> RulesMessage:
    message = RulesMessage(entry=expression_to(rules.entry))
    if rules.exit:
        message.exit.CopyFrom(expression_to(rules.exit))
    return message
