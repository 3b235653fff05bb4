"""The command that repeats a run, a sweep or a portfolio: the inverse of the options."""

import shlex
from collections.abc import Iterator, Mapping, Sequence
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
from backcast_engine.interval import Interval
from services.cli.views.metric_cells import metric_of
from services.wire.enum_names import names_of

_SHORTEST_STEPS = 3
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
    for one in understood.ranges:
        words += ["--param", f"{one.name}={_values(one.values)}"]
    if understood.HasField("search"):
        method = "random" if understood.search.method == sweep_pb2.SEARCH_METHOD_RANDOM else "optimize"
        words += [f"--{method}", str(understood.search.combination_count)]
        words += ["--seed", str(understood.search.seed)]
    words += ["--metric", metric_of(understood.metric), "--top", str(understood.best_trial_count)]
    match understood.WhichOneof("cut"):
        case "split":
            words += ["--split", _percent(understood.split)]
        case "fold_count":
            words += ["--folds", str(understood.fold_count)]
    words += ["--min-trades", str(understood.min_trades)]
    words += _candles(asked, spec, understood.intervals)
    words += _execution(spec.execution, {one.name: one.values for one in understood.execution_ranges})
    return shlex.join(words)


def portfolio_command(asked: RunPortfolioRequest, understood: RunPortfolioRequest) -> str:
    """Return the command line of a portfolio, as `run_command` does."""
    spec = understood.spec
    words = ["backcast", "portfolio", *(_weighted(one, len(spec.strategies)) for one in spec.strategies)]
    words += ["--max-positions", str(spec.max_positions)]
    if spec.HasField("rank"):
        words += ["--rank", _rule(spec.rank, "rank")]
    words += ["--size", _SIZES[spec.size]] if spec.size in _SIZES else []
    if spec.HasField("rebalancing"):
        words += ["--rebalance-every", str(spec.rebalancing.every)]
        words += ["--rebalance-threshold", _percent(spec.rebalancing.threshold)]
    words += ["--benchmark", spec.benchmark] if spec.benchmark else []
    return shlex.join([*words, *_candles(asked, spec), *_execution(spec.execution, {})])


def _weighted(one: WeightedStrategy, count: int) -> str:
    """Return a strategy of a portfolio as one word of the command."""
    # A single strategy has all of the equity.
    weight = ["--weight", _number(one.weight)] if count > 1 else []
    return shlex.join([*_strategy(one.strategy), *weight])


def _rule(rule: Expression, name: str) -> str:
    # Imported here, because importing the engine is slow.
    from backcast_engine.rules.text import text
    from services.wire.expressions import expression_from

    return text(expression_from(rule, name))


def _strategy(strategy: Strategy, swept: set[str] | None = None) -> Iterator[str]:
    name = strategy.WhichOneof("kind") or ""
    kind = getattr(strategy, name)
    yield name
    for field, value in kind.ListFields():
        if field.message_type:
            yield from (f"--{field.name}", _rule(value, field.name))
        elif field.name not in (swept or ()):
            shown = names_of(field.enum_type)[value] if field.enum_type else _number(value)
            yield from ("--param", f"{field.name}={shown}")


def _candles(
    asked: pb.RunBacktestsRequest | pb.SweepBacktestsRequest | RunPortfolioRequest,
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
                option, text = found or (f"--{setting.replace('_', '-')}", "none")
                values.setdefault(option, []).append(text)
            if value.WhichOneof("size") == "volatility_target" and setting == "size":
                values["--volatility-period"] = [str(value.volatility_target.period)]
        for option, texts in values.items():
            yield from (option, ",".join(texts))


def swept_columns(asked: pb.SweepBacktestsRequest) -> dict[str, list[str]]:
    """Return the values of the intervals and of each setting with a range, by the names of their options.

    Sizes of different kinds are one column, `size`.
    """
    columns = {"interval": [_interval(number) for number in asked.intervals]} if asked.intervals else {}
    for one in asked.execution_ranges:
        found = [_setting(one.name, value) for value in one.values]
        options = {setting[0] for setting in found if setting}
        name = options.pop().removeprefix("--").replace("-", "_") if len(options) == 1 else one.name
        columns[name] = [setting[1] if setting else "none" for setting in found]
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
