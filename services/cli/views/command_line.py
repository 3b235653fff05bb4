"""The command that repeats a run or a sweep: the inverse of the options."""

import shlex
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from itertools import pairwise
from typing import Any

from google.protobuf.struct_pb2 import Value

from backcast.backtest.v1 import execution_pb2
from backcast.backtest.v1.backtest_spec_pb2 import BacktestSpec
from backcast.backtest.v1.strategy_pb2 import Strategy
from backcast.gateway.v1 import backtest_service_pb2 as pb
from services.cli.views.metric_cells import metric_of
from services.cli.views.request import interval_of
from services.wire.enum_names import names_of

_SHORTEST_STEPS = 3
_DIRECTIONS = {
    execution_pb2.DIRECTION_SHORT_ONLY: "short",
    execution_pb2.DIRECTION_LONG_SHORT: "long-short",
}
_BREAKS = {execution_pb2.BREAK_RULE_SPLIT: "split", execution_pb2.BREAK_RULE_IGNORE: "ignore"}


def run_command(asked: pb.RunBacktestsRequest, understood: pb.RunBacktestsRequest) -> str:
    """Return the command line of a run.

    The cryptos are those of the request as it was asked, so that all stay all. Everything else is as the
    server understood it, with the window that its data had then.
    """
    spec = understood.spec
    return shlex.join(["backcast", "run", *_strategy(spec.strategy), *_candles(asked, spec)])


def sweep_command(asked: pb.SweepBacktestsRequest, understood: pb.SweepBacktestsRequest) -> str:
    """Return the command line of a sweep, as `run_command` does."""
    swept = {one.name for one in understood.ranges}
    words = ["backcast", "sweep", *_strategy(understood.spec.strategy, swept)]
    for one in understood.ranges:
        words += ["--param", f"{one.name}={_values(one.values)}"]
    words += ["--metric", metric_of(understood.metric), "--top", str(understood.best_trial_count)]
    match understood.WhichOneof("cut"):
        case "split":
            words += ["--split", _percent(understood.split)]
        case "fold_count":
            words += ["--folds", str(understood.fold_count)]
    words += ["--min-trades", str(understood.min_trades)]
    return shlex.join([*words, *_candles(asked, understood.spec)])


def _strategy(strategy: Strategy, swept: set[str] | None = None) -> Iterator[str]:
    name = strategy.WhichOneof("kind") or ""
    kind = getattr(strategy, name)
    yield name
    for field, value in kind.ListFields():
        if field.message_type:
            # Imported here, because importing the engine is slow.
            from backcast_engine.rules.text import text
            from services.wire.expressions import expression_from

            yield from (f"--{field.name}", text(expression_from(value, field.name)))
        elif field.name not in (swept or ()):
            shown = names_of(field.enum_type)[value] if field.enum_type else _number(value)
            yield from ("--param", f"{field.name}={shown}")


def _candles(asked: pb.RunBacktestsRequest | pb.SweepBacktestsRequest, spec: BacktestSpec) -> Iterator[str]:
    for name, symbols in (("symbols", asked.symbols), ("exclude", asked.exclude)):
        if symbols:
            yield from (f"--{name}", ",".join(symbols))
    yield from ("--interval", interval_of(spec).value)
    yield from ("--start", _time(spec.start_time), "--end", _time(spec.end_time))
    yield from _execution(spec.execution)


def _execution(execution: execution_pb2.Execution) -> Iterator[str]:
    """Yield costs and capital, and what differs from the defaults."""
    yield from ("--fee", _percent(execution.fee_rate))
    yield from ("--slippage", f"{_plain(execution.slippage_bps)}bps")
    yield from ("--initial-capital", _number(execution.initial_capital))
    if execution.fill_time == execution_pb2.FILL_TIME_SAME_CLOSE:
        yield from ("--fill", "same-close")
    if execution.direction in _DIRECTIONS:
        yield from ("--direction", _DIRECTIONS[execution.direction])
    yield from _size(execution)
    stops = [name for name in ("stop_loss", "take_profit", "trailing_stop") if execution.HasField(name)]
    for name in stops:
        yield from (f"--{name.replace('_', '-')}", _distance(getattr(execution, name)))
    if stops:
        yield from ("--atr-period", str(execution.atr_period))
    for name in ("borrow_rate", "funding_rate"):
        if rate := getattr(execution, name):
            yield from (f"--{name.replace('_', '-')}", _percent(rate))
    if execution.break_rule in _BREAKS:
        yield from ("--breaks", _BREAKS[execution.break_rule])


def _size(execution: execution_pb2.Execution) -> Iterator[str]:
    match execution.WhichOneof("size"):
        case "equity_fraction" if execution.equity_fraction != 1:
            yield from ("--size-fraction", _percent(execution.equity_fraction))
        case "quote_amount":
            yield from ("--size-amount", _number(execution.quote_amount))
        case "volatility_target":
            target = execution.volatility_target
            yield from ("--size-volatility", _percent(target.annual_volatility))
            yield from ("--volatility-period", str(target.period))


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
