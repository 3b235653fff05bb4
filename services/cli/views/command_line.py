"""The command that repeats a run, a sweep or a portfolio: the inverse of the options."""

import shlex
from collections.abc import Iterator, Mapping, Sequence, Set
from datetime import UTC, datetime
from decimal import Decimal
from itertools import pairwise
from typing import Any

from google.protobuf.struct_pb2 import Value

from backcast.backtest.v1 import execution_pb2
from backcast.backtest.v1.backtest_spec_pb2 import BacktestSpec
from backcast.backtest.v1.expression_pb2 import Expression
from backcast.backtest.v1.portfolio_pb2 import (
    PORTFOLIO_SIZE_EQUAL,
    PORTFOLIO_SIZE_EXECUTION,
    PortfolioSpec,
    WeightedStrategy,
)
from backcast.backtest.v1.strategy_pb2 import Strategy
from backcast.gateway.v1 import backtest_service_pb2 as pb
from backcast.gateway.v1 import sweep_pb2
from backcast.gateway.v1.portfolio_service_pb2 import RunPortfolioRequest
from backcast.gateway.v1.portfolio_sweep_pb2 import SweepPortfoliosRequest
from backcast_engine.interval import Interval
from services.cli.views.metric_cells import metric_of
from services.wire.enum_names import names_of

_SHORTEST_STEPS = 3
_NONE = "none"
_FILLS = {
    execution_pb2.FILL_TIME_NEXT_OPEN: "next-open",
    execution_pb2.FILL_TIME_SAME_CLOSE: "same-close",
}
_DIRECTIONS = {
    execution_pb2.DIRECTION_LONG_ONLY: "long",
    execution_pb2.DIRECTION_SHORT_ONLY: "short",
    execution_pb2.DIRECTION_LONG_SHORT: "long-short",
}
# The settings that a sweep can vary, in the order of their options.
_SETTINGS = (
    *("fee_rate", "slippage_bps", "fill_time", "direction", "size"),
    *("stop_loss", "take_profit", "trailing_stop", "atr_period", "borrow_rate", "funding_rate"),
)
_SIZES = {PORTFOLIO_SIZE_EQUAL: "equal", PORTFOLIO_SIZE_EXECUTION: "execution"}
_BREAKS = {execution_pb2.BREAK_RULE_SPLIT: "split", execution_pb2.BREAK_RULE_IGNORE: "ignore"}


def run_command(asked: pb.RunBacktestsRequest, understood: pb.RunBacktestsRequest) -> str:
    """Return the command line of a run.

    The cryptos are those of the request as it was asked, so that all stay all. Everything else is as the
    server understood it, with the window that its data had then.
    """
    spec = understood.spec
    words = ["backcast", "run", *_strategy(spec.strategy), *_candles(asked, spec)]
    return shlex.join([*words, *_execution(spec.execution, {})])


def sweep_command(asked: pb.SweepBacktestsRequest, understood: pb.SweepBacktestsRequest) -> str:
    """Return the command line of a sweep, as `run_command` does."""
    spec = understood.spec
    words = ["backcast", "sweep", *_strategy(spec.strategy, {one.name for one in understood.ranges})]
    words += _combinations(understood, understood.best_trial_count)
    words += _candles(asked, spec, understood.intervals)
    words += _execution(spec.execution, {one.name: one.values for one in understood.execution_ranges})
    return shlex.join(words)


def portfolio_sweep_command(asked: SweepPortfoliosRequest, understood: SweepPortfoliosRequest) -> str:
    """Return the command line of a sweep over portfolios, as `run_command` does."""
    spec, swept = understood.spec, {one.name for one in understood.ranges}
    strategies = (_weighted(one, len(spec.strategies), swept) for one in spec.strategies)
    words = ["backcast", "sweep-portfolio", *strategies]
    own = {one.name: one.values for one in understood.portfolio_ranges}
    words += _account(spec, own)
    words += _combinations(understood, understood.best_count)
    words += _candles(asked, spec, understood.intervals)
    words += _execution(spec.execution, {one.name: one.values for one in understood.execution_ranges})
    return shlex.join(words)


def _combinations(
    understood: pb.SweepBacktestsRequest | SweepPortfoliosRequest, best_count: int
) -> Iterator[str]:
    """Yield the options of the parameters of a sweep, and of how its combinations are ranked."""
    for one in understood.ranges:
        yield from ("--param", f"{one.name}={_values(one.values)}")
    if understood.HasField("search"):
        method = "random" if understood.search.method == sweep_pb2.SEARCH_METHOD_RANDOM else "optimize"
        yield from (f"--{method}", str(understood.search.combination_count))
        yield from ("--seed", str(understood.search.seed))
    yield from ("--metric", metric_of(understood.metric), "--top", str(best_count))
    match understood.WhichOneof("cut"):
        case "split":
            yield from ("--split", _percent(understood.split))
        case "fold_count":
            yield from ("--folds", str(understood.fold_count))
    yield from ("--min-trades", str(understood.min_trades))


def portfolio_command(asked: RunPortfolioRequest, understood: RunPortfolioRequest) -> str:
    """Return the command line of a portfolio, as `run_command` does."""
    spec = understood.spec
    words = ["backcast", "portfolio", *(_weighted(one, len(spec.strategies)) for one in spec.strategies)]
    words += _account(spec, {})
    words += ["--benchmark", spec.benchmark] if spec.benchmark else []
    return shlex.join([*words, *_candles(asked, spec), *_execution(spec.execution, {})])


def _account(spec: PortfolioSpec, swept: Mapping[str, Sequence[PortfolioSpec]]) -> Iterator[str]:
    """Yield the options of the portfolio itself; those that are `swept` have several values."""
    yield from (
        "--max-positions",
        ",".join(str(one.max_positions) for one in _specs(spec, swept, "max_positions")),
    )
    for one in _specs(spec, swept, "rank"):
        if one.HasField("rank") or "rank" in swept:
            yield from ("--rank", _rule(one.rank, "rank") if one.HasField("rank") else _NONE)
    if spec.size in _SIZES:
        yield from ("--size", _SIZES[spec.size])
    rebalanced = [one.rebalancing for one in _specs(spec, swept, "rebalancing")]
    if any(one.every for one in rebalanced):
        yield from ("--rebalance-every", ",".join(str(one.every or _NONE) for one in rebalanced))
        threshold = max(one.threshold for one in rebalanced)
        yield from ("--rebalance-threshold", _percent(threshold))


def _specs(
    spec: PortfolioSpec, swept: Mapping[str, Sequence[PortfolioSpec]], name: str
) -> Sequence[PortfolioSpec]:
    """Return specifications with the values of a field."""
    return swept.get(name, [spec])


def _weighted(one: WeightedStrategy, count: int, swept: Set[str] = frozenset()) -> str:
    """Return a strategy of a portfolio as one word of the command, without what is `swept`."""
    # A single strategy has all of the equity.
    weight = ["--weight", _number(one.weight)] if count > 1 else []
    return shlex.join([*_strategy(one.strategy, swept), *weight])


def _rule(rule: Expression, name: str) -> str:
    # Imported here, because importing the engine is slow.
    from backcast_engine.rules.text import text
    from services.wire.expressions import expression_from

    return text(expression_from(rule, name))


def _strategy(strategy: Strategy, swept: Set[str] = frozenset()) -> Iterator[str]:
    name = strategy.WhichOneof("kind") or ""
    kind = getattr(strategy, name)
    yield name
    for field, value in kind.ListFields():
        if field.message_type:
            yield from (f"--{field.name}", _rule(value, field.name))
        elif field.name not in swept:
            shown = names_of(field.enum_type)[value] if field.enum_type else _number(value)
            yield from ("--param", f"{field.name}={shown}")


def _candles(
    asked: pb.RunBacktestsRequest | pb.SweepBacktestsRequest | RunPortfolioRequest | SweepPortfoliosRequest,
    spec: BacktestSpec | PortfolioSpec,
    intervals: Sequence[int] = (),
) -> Iterator[str]:
    for name, symbols in (("symbols", asked.symbols), ("exclude", asked.exclude)):
        if symbols:
            yield from (f"--{name}", ",".join(symbols))
    yield from ("--interval", ",".join(_interval(number) for number in intervals or [spec.interval]))
    yield from ("--start", _time(spec.start_time), "--end", _time(spec.end_time))


def _execution(
    execution: execution_pb2.Execution, swept: Mapping[str, Sequence[execution_pb2.Execution]]
) -> Iterator[str]:
    """Yield the options of the settings of an execution; those that are `swept` have several values."""
    yield from ("--initial-capital", _number(execution.initial_capital))
    if execution.break_rule in _BREAKS:
        yield from ("--breaks", _BREAKS[execution.break_rule])
    for setting in _SETTINGS:
        values: dict[str, list[str]] = {}
        for value in swept.get(setting, [execution]):
            found = _setting(setting, value)
            if found or setting in swept:
                option, text = found or (f"--{setting.replace('_', '-')}", _NONE)
                values.setdefault(option, []).append(text)
            if value.WhichOneof("size") == "volatility_target" and setting == "size":
                values["--volatility-period"] = [str(value.volatility_target.period)]
        for option, texts in values.items():
            yield from (option, ",".join(texts))


def swept_columns(asked: pb.SweepBacktestsRequest | SweepPortfoliosRequest) -> dict[str, list[Any]]:
    """Return the values of what has several beside parameters, by the names of their options.

    Sizes of different kinds are one column, `size`.
    """
    columns: dict[str, list[Any]] = {}
    if asked.intervals:
        columns["interval"] = [_interval(number) for number in asked.intervals]
    for one in asked.execution_ranges:
        found = [_setting(one.name, value) for value in one.values]
        options = {setting[0] for setting in found if setting}
        name = options.pop().removeprefix("--").replace("-", "_") if len(options) == 1 else one.name
        columns[name] = [setting[1] if setting else None for setting in found]
    for own in asked.portfolio_ranges if isinstance(asked, SweepPortfoliosRequest) else ():
        match own.name:
            case "max_positions":
                columns["max_positions"] = [value.max_positions for value in own.values]
            case "rebalancing":
                columns["rebalance_every"] = [value.rebalancing.every or None for value in own.values]
            case "rank":
                ranks = [_rule(one.rank, "rank") if one.HasField("rank") else None for one in own.values]
                columns["rank"] = ranks
    return columns


def _setting(name: str, execution: execution_pb2.Execution) -> tuple[str, str] | None:
    """Return the option of a setting and its value; None where it is absent."""
    option, text = f"--{name.replace('_', '-')}", ""
    match name:
        case "fee_rate" if execution.HasField("fee_rate"):
            option, text = "--fee", _percent(execution.fee_rate)
        case "slippage_bps" if execution.HasField("slippage_bps"):
            option, text = "--slippage", f"{_plain(execution.slippage_bps)}bps"
        case "fill_time" if execution.fill_time in _FILLS:
            option, text = "--fill", _FILLS[execution.fill_time]
        case "direction" if execution.direction in _DIRECTIONS:
            text = _DIRECTIONS[execution.direction]
        case "size":
            return _size(execution)
        case "atr_period" if execution.HasField("atr_period"):
            text = str(execution.atr_period)
        case "borrow_rate" | "funding_rate" if execution.HasField(name):
            text = _percent(getattr(execution, name))
        case "stop_loss" | "take_profit" | "trailing_stop" if execution.HasField(name):
            text = _distance(getattr(execution, name))
    return (option, text) if text else None


def _size(execution: execution_pb2.Execution) -> tuple[str, str] | None:
    match execution.WhichOneof("size"):
        case "equity_fraction":
            return "--size-fraction", _percent(execution.equity_fraction)
        case "quote_amount":
            return "--size-amount", _number(execution.quote_amount)
        case "volatility_target":
            return "--size-volatility", _percent(execution.volatility_target.annual_volatility)
    return None


def _distance(distance: execution_pb2.Distance) -> str:
    if distance.WhichOneof("kind") == "atr_multiple":
        return f"{_plain(distance.atr_multiple)}atr"
    return _percent(distance.fraction)


def _values(values: Sequence[Value]) -> str:
    """Return the values of a range, as `first..last:step` where they are steps."""
    if any(value.string_value for value in values):
        return ",".join(value.string_value for value in values)
    numbers = [Decimal(repr(value.number_value)).normalize() for value in values]
    steps = {later - earlier for earlier, later in pairwise(numbers)}
    if len(numbers) >= _SHORTEST_STEPS and len(steps) == 1 and (step := steps.pop()) > 0:
        shown = "" if step == 1 and numbers[0] == numbers[0].to_integral_value() else f":{step:f}"
        return f"{numbers[0]:f}..{numbers[-1]:f}{shown}"
    # A single value would be a fixed one.
    return (
        ",".join(f"{number:f}" for number in numbers)
        if len(numbers) > 1
        else f"{numbers[0]:f}..{numbers[0]:f}:1"
    )


def _interval(number: int) -> str:
    return tuple(Interval)[number - 1].value


def _number(value: float) -> str:
    """Return the shortest text that is read as the same number."""
    return str(int(value)) if value == int(value) else repr(value)


def _plain(value: float) -> str:
    return f"{Decimal(repr(value)).normalize():f}"


def _percent(fraction: float) -> str:
    return f"{(100 * Decimal(repr(fraction))).normalize():f}%"


def _time(time: Any) -> str:
    moment = datetime.fromtimestamp(time.seconds, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}".removesuffix(":00").removesuffix("T00:00")
