"""Backtests of one frame of candles, in this process."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Unpack, get_type_hints

import numpy as np
from numpy.typing import NDArray

import backcast_engine
from backcast.engine.arguments import execution_of, interval_of, readable_errors, strategy_of, window_of
from backcast.engine.frame_input import Frame, array_of, read_frame
from backcast.engine.local_result import LocalResult
from backcast.errors import InvalidRequestError
from backcast.options import ExecutionOptions, Interval, check_names
from backcast.quantities import Time
from backcast.strategies import Strategy
from backcast_engine import Detail, Window, run_backtest
from backcast_engine.breaks import find_breaks
from backcast_engine.candles import Candles, TimeColumn
from backcast_engine.errors import InvalidInput, Violation
from backcast_engine.history import History
from backcast_engine.interval import Interval as EngineInterval
from backcast_engine.rules import Evaluation, On, Rules
from backcast_engine.strategies import Signals


class FrameOptions(ExecutionOptions, total=False):
    """Arguments of backtests of a frame."""

    interval: Interval
    """Length of the candles. Default: the shortest step of their times."""
    start: Time
    """Start of the window; candles before it warm indicators up. Default: the first candle."""
    end: Time
    """End of the window, excluded. Default: the end of the last candle."""
    symbol: str
    """Name of the crypto in tables. Default: that of the frame's column `symbol`, or "candles"."""
    others: Mapping[str, Any]
    """Frames of the other cryptos that rules look at, by symbol: those of BTCUSDT for `close@BTCUSDT`."""


_OPTIONS = frozenset(get_type_hints(FrameOptions))


def backtest(frame: Any, strategy: Strategy, **options: Unpack[FrameOptions]) -> LocalResult:
    """Backtest a strategy on the candles of one crypto; the result is that of a server, bit by bit.

    `frame` is a frame of pandas, Polars or Arrow, or a dict of arrays, with the columns open, high, low,
    close and, for rules that read it, volume; opening times are the index or a column. `FrameOptions`
    explains the options, which are those of a run: fee, slippage, initial_capital, fill, direction;
    size_fraction, size_amount, size_volatility, volatility_period; stop_loss, take_profit, trailing_stop,
    atr_period; borrow_rate, funding_rate, breaks; interval, start, end; symbol, others.

    Raises InvalidRequestError, with the argument or the row of the frame, for what would give a wrong
    number; RefusedError where the indicators need more candles.
    """
    check_names(options, _OPTIONS)
    given = strategy_of(strategy)
    return _result(_read(frame, options), given, options)


def backtest_signals(
    frame: Any, entries: Any, exits: Any = None, **options: Unpack[FrameOptions]
) -> LocalResult:
    """Backtest signals of your own: arrays of booleans, a row each, true where a close buys or sells.

    Without `exits`, no signal sells. The signal of a close is filled at the next open, or, with
    fill="same-close", at that close. For the frame and the options, see `backtest`.
    """
    check_names(options, _OPTIONS)
    read = _read(frame, options)
    buys = _flags(entries, "entries", read)
    sells = np.zeros(len(buys), np.bool_) if exits is None else _flags(exits, "exits", read)
    return _result(read, _GivenSignals(read.candles.open_time_s, buys, sells), options)


@dataclass(frozen=True, eq=False)
class _GivenSignals(backcast_engine.Strategy):
    """Signals at known times, which need no candles: all columns have the shape (n,)."""

    name: ClassVar[str] = "signals"
    columns: ClassVar[frozenset[str]] = frozenset()
    on_other_candles: ClassVar[tuple[On, ...]] = ()
    lookback_candles: ClassVar[int] = 0
    warmup_candles: ClassVar[int] = 0

    open_time_s: TimeColumn
    buys: NDArray[np.bool_]
    sells: NDArray[np.bool_]

    def rules(self) -> Rules:
        """Signals have no rules."""
        raise NotImplementedError

    def signals(self, evaluation: Evaluation) -> Signals:
        """Return the signals at the candles of `evaluation`."""
        places = np.searchsorted(self.open_time_s, evaluation.candles.open_time_s)
        return Signals(self.buys[places], self.sells[places])


def _read(frame: Any, options: FrameOptions) -> Frame:
    return read_frame(frame, interval_of(options))


def _flags(values: Any, name: str, frame: Frame) -> NDArray[np.bool_]:
    index: Any = getattr(values, "index", None)
    if frame.index is not None and hasattr(index, "equals") and not index.equals(frame.index):
        raise InvalidRequestError.of(name, "its index is not that of the frame")
    flags: NDArray[Any] = array_of(values, name)
    if flags.dtype != np.bool_:
        raise InvalidRequestError.of(name, f"is {flags.dtype}, not of booleans, as close > average is")
    if flags.shape != (len(frame.candles),):
        rows = len(frame.candles)
        raise InvalidRequestError.of(name, f"has the shape {flags.shape}, and the frame {rows} rows")
    return flags


def _result(frame: Frame, strategy: backcast_engine.Strategy, options: FrameOptions) -> LocalResult:
    candles, interval = frame.candles, frame.interval
    first_s, last_s = candles.open_time_s[[0, -1]].tolist()
    window = window_of(options, Window(first_s, last_s + interval.seconds))
    asked = backcast_engine.Backtest(strategy, interval, window, execution_of(options), Detail.EQUITY)
    if not len(candles.volume) and "volume" in asked.columns:
        raise InvalidRequestError.of("frame", "has no column volume, which the rules read")
    others = _others(options, strategy, interval, "volume" in asked.columns)
    with readable_errors():
        of_strategy = strategy.violations() or strategy.interval_violations(interval)
        violations: list[Violation] = [*of_strategy, *asked.execution.violations()]
        if violations:
            raise InvalidInput(*violations)
        result = run_backtest(replace(_history(candles, interval), others=others), asked)
    symbol = options.get("symbol") or frame.symbol or "candles"
    return LocalResult(result, symbol, interval, frame.library)


def _history(candles: Candles, interval: EngineInterval) -> History:
    # As with imports, breaks are found between hours.
    breaks = find_breaks(candles) if interval is EngineInterval.HOUR_1 else []
    return History(candles, tuple(breaks))


def _others(
    options: FrameOptions, strategy: backcast_engine.Strategy, interval: EngineInterval, with_volume: bool
) -> dict[str, History]:
    """Return the histories of the cryptos that a strategy looks at."""
    given: Any = options.get("others", {})
    if not isinstance(given, Mapping):
        raise InvalidRequestError.of("others", "is no dict of frames, as others={'BTCUSDT': frame} is")
    found = {}
    for symbol in dict.fromkeys(node.candles.symbol for node in strategy.on_other_candles):
        if not symbol:
            continue
        if symbol not in given:
            raise InvalidRequestError.of(
                "others", f"the rules look at {symbol}: give its candles, as others={{{symbol!r}: frame}}"
            )
        frame = read_frame(given[symbol], interval)
        if with_volume and not len(frame.candles.volume):
            raise InvalidRequestError.of("others", f"the frame of {symbol} has no column volume")
        found[symbol] = _history(frame.candles, interval)
    return found
