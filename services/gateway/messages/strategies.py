"""Descriptions of the strategies and of rules, and rules that are parsed from their texts."""

from collections.abc import Collection

from google.protobuf.struct_pb2 import Value

from backcast.backtest.v1.expression_pb2 import Column
from backcast.gateway.v1 import rules_description_pb2 as rules_pb
from backcast.gateway.v1 import strategy_description_pb2 as pb
from backcast.gateway.v1.backtest_service_pb2 import ParseRulesRequest
from backcast_engine import STRATEGIES, Strategy
from backcast_engine.candles import VALUE_COLUMNS
from backcast_engine.errors import ErrorReason, InvalidInput, Violation
from backcast_engine.near_names import no_such_crypto
from backcast_engine.parameters import Choices, Parameter, parameters_of
from backcast_engine.rules import Expression
from backcast_engine.rules.check import interval_fault
from backcast_engine.rules.compared import compared_series
from backcast_engine.rules.parse import LineFault, fault_at, parse_line
from backcast_engine.rules.placeholders import labels_of
from backcast_engine.rules.signature import ValueKind
from backcast_engine.rules.text import text
from backcast_engine.strategies.custom_rules import CustomRules
from services.wire.backtests import strategy_to
from services.wire.candles import interval_from
from services.wire.enum_names import numbers_of

_TYPES = {int: pb.PARAMETER_TYPE_INTEGER, float: pb.PARAMETER_TYPE_NUMBER}


def describe_strategies() -> list[pb.StrategyDescription]:
    """Return the description of every strategy, in order of names."""
    return [_describe_strategy(name, strategy) for name, strategy in sorted(STRATEGIES.items())]


def _describe_strategy(name: str, strategy: type[Strategy]) -> pb.StrategyDescription:
    description = pb.StrategyDescription(
        name=name, summary=strategy.summary, parameters=map(_describe, parameters_of(strategy))
    )
    if strategy is not CustomRules:
        rules = strategy().rules()
        description.entry = text(rules.entry)
        description.exit = text(rules.exit) if rules.exit else ""
    return description


def _describe(parameter: Parameter) -> pb.StrategyParameter:
    spec = parameter.spec
    if isinstance(spec, Choices):
        return pb.StrategyParameter(
            name=parameter.name,
            type=pb.PARAMETER_TYPE_CHOICE,
            default_value=Value(string_value=parameter.default),
            choices=list(spec.options),
            help=spec.help,
        )
    return pb.StrategyParameter(
        name=parameter.name,
        type=_TYPES[parameter.type],
        default_value=Value(number_value=parameter.default),
        minimum=spec.minimum,
        maximum=spec.maximum,
        help=spec.help,
    )


def parsed_texts(request: ParseRulesRequest) -> tuple[CustomRules | None, Expression | None]:
    """Return the rules and the series of a request's texts, None for what it does not have.

    Raises InvalidInput with the first error of each text, and their places as metadata.
    """
    parsed: dict[str, Expression] = {}
    faults: dict[str, LineFault] = {}
    texts = {"entry": request.entry, "exit": request.exit, "series": request.series}
    for field, line in texts.items():
        # The only text that a request must have.
        is_needed = field == "entry" and (request.exit or not request.series)
        if not line and not is_needed:
            continue
        try:
            parsed[field] = parse_line(line, ValueKind.SERIES if field == "series" else ValueKind.CONDITION)
        except LineFault as fault:
            faults[field] = fault
    _raise_if_any(faults)
    series = parsed.pop("series", None)
    return CustomRules(**parsed) if parsed else None, series


def check_other_candles(rules: CustomRules, request: ParseRulesRequest, cryptos: Collection[str]) -> None:
    """Raise InvalidInput as `parsed_texts` does where rules look at other candles that they cannot look at.

    They are those of the texts of `request`; `cryptos` are the symbols that there are.
    """
    texts = {"entry": request.entry, "exit": request.exit}
    interval = interval_from(request.interval) if request.interval else None
    faults: dict[str, LineFault] = {}
    for path, candles in rules.located_other_candles():
        field = path.split(".")[2]
        fault = interval and interval_fault(candles, interval)
        if candles.symbol and candles.symbol not in cryptos:
            fault = no_such_crypto(candles.symbol, cryptos)
        if fault and field not in faults:
            faults[field] = fault_at(texts[field], path, fault)
    _raise_if_any(faults)


def _raise_if_any(faults: dict[str, LineFault]) -> None:
    if not faults:
        return
    places: dict[str, str] = {}
    for field, fault in faults.items():
        places[f"{field}_start"] = str(fault.start)
        places[f"{field}_length"] = str(fault.end - fault.start)
    violations = (Violation(field, fault.reason) for field, fault in faults.items())
    raise InvalidInput(*violations, reason=ErrorReason.INVALID_RULES, **places)


def describe_rules(strategy: Strategy) -> rules_pb.RulesDescription:
    """Return the description of a checked strategy as rules; what depends on placeholders is left out."""
    rules = strategy.rules()
    has_placeholders = bool(labels_of(rules))
    columns = numbers_of(Column.DESCRIPTOR)
    return rules_pb.RulesDescription(
        rules=strategy_to(CustomRules(rules.entry, rules.exit)).rules,
        entry=text(rules.entry),
        exit=text(rules.exit) if rules.exit else "",
        columns=[
            Column.ValueType(columns[name.upper()]) for name in VALUE_COLUMNS if name in strategy.columns
        ],
        warmup_candles=0 if has_placeholders else strategy.warmup_candles,
        series=[] if has_placeholders else compared_series_of(strategy),
    )


def compared_series_of(strategy: Strategy) -> list[rules_pb.ComparedSeries]:
    """Return the series that a checked strategy compares."""
    return [
        rules_pb.ComparedSeries(
            expression=text(series.expression), label=series.label, pane=series.pane, levels=series.levels
        )
        for series in compared_series(strategy.rules())
    ]
