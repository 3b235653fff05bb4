"""Parses the texts of rules, and describes rules: their texts, columns, warm-up and compared series."""

from backcast.backtest.v1.expression_pb2 import Column
from backcast.gateway.v1 import rules_description_pb2 as pb
from services.domain.candles import VALUE_COLUMNS
from services.domain.errors import ErrorReason, InvalidInput, Violation
from services.engine import Strategy
from services.engine.rules import Expression
from services.engine.rules.compared import compared_series
from services.engine.rules.parse import LineFault, parse_line
from services.engine.rules.text import text
from services.engine.strategies.custom_rules import CustomRules
from services.wire.backtests import strategy_to
from services.wire.enum_names import numbers_of


def parsed_rules(entry: str, exit_: str) -> CustomRules:
    """Return the rules of two texts, of which `exit_` may be empty.

    Raises InvalidInput with the first error of each text, and their places as metadata.
    """
    rules: dict[str, Expression] = {}
    violations: list[Violation] = []
    places: dict[str, str] = {}
    for field, line in (("entry", entry), ("exit", exit_)):
        if field == "exit" and not line:
            continue
        try:
            rules[field] = parse_line(line)
        except LineFault as fault:
            violations.append(Violation(field, fault.reason))
            places[f"{field}_start"] = str(fault.start)
            places[f"{field}_length"] = str(fault.end - fault.start)
    if violations:
        raise InvalidInput(*violations, reason=ErrorReason.INVALID_RULES, **places)
    return CustomRules(**rules)


def describe_rules(strategy: Strategy) -> pb.RulesDescription:
    """Return the description of a checked strategy as rules."""
    rules = strategy.rules()
    columns = numbers_of(Column.DESCRIPTOR)
    return pb.RulesDescription(
        rules=strategy_to(CustomRules(rules.entry, rules.exit)).rules,
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
