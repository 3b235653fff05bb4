"""Inputs of the engine's tests: candles by hand, real candles, and a scripted strategy."""

import csv
import gzip
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest

from backcast_engine import Backtest, BacktestResult, Detail, Execution, Strategy, Window, run_backtest
from backcast_engine.candles import Candles
from backcast_engine.history import History
from backcast_engine.interval import Interval
from backcast_engine.rules import Evaluation, On, Rules
from backcast_engine.strategies import Signals

MONDAY_S = 1_704_067_200  # 2024-01-01 00:00 UTC, on every interval's grid
HOUR_S = 3_600
FREE = Execution(fee_rate=0.0, slippage_bps=0.0, initial_capital=1_000.0)

REAL_CANDLES = Path(__file__).parents[3] / "shared" / "market-data" / "csv-1h"


def make_candles(opens, closes=None, interval=Interval.HOUR_1, at=None, highs=None, lows=None) -> Candles:
    """Make candles at the grid positions `at` (0, 1, 2... without gaps).

    Closes are the opens by default, and candles have no wicks.
    """
    opens = np.array(opens, np.float64)
    closes = opens.copy() if closes is None else np.array(closes, np.float64)
    positions = np.arange(len(opens)) if at is None else np.array(at)
    return Candles(
        open_time_s=(MONDAY_S + positions * interval.seconds).astype(np.int64),
        open=opens,
        high=np.maximum(opens, closes) if highs is None else np.array(highs, np.float64),
        low=np.minimum(opens, closes) if lows is None else np.array(lows, np.float64),
        close=closes,
        volume=np.ones(len(opens)),
    )


def candles_of(*rows, at=None) -> Candles:
    """Make hourly candles of rows (open, high, low, close)."""
    opens, highs, lows, closes = zip(*rows, strict=True)
    return make_candles(opens, closes, at=at, highs=highs, lows=lows)


def all_of(candles: Candles, interval: Interval = Interval.HOUR_1) -> Window:
    """Return the window from the first candle to the last one."""
    return Window(int(candles.open_time_s[0]), int(candles.open_time_s[-1]) + interval.seconds)


@dataclass(frozen=True)
class Scripted(Strategy):
    """Signals at the given times, whatever the prices: lets a test speak about fills alone."""

    name: ClassVar[str] = "scripted"
    summary: ClassVar[str] = "Follows the given signals."
    lookback_candles: ClassVar[int] = 0
    columns: ClassVar[frozenset[str]] = frozenset()
    on_other_candles: ClassVar[tuple[On, ...]] = ()

    buy_at: tuple[int, ...] = ()
    sell_at: tuple[int, ...] = ()
    warmup: int = 0

    @property
    def warmup_candles(self) -> int:
        return self.warmup

    def rules(self) -> Rules:
        raise NotImplementedError("it has signals, and no rules")

    def signals(self, evaluation: Evaluation) -> Signals:
        position = (evaluation.candles.open_time_s - MONDAY_S) // HOUR_S
        return Signals(buy=np.isin(position, self.buy_at), sell=np.isin(position, self.sell_at))


def run(candles, strategy, execution=FREE, window=None) -> BacktestResult:
    """Backtest hourly candles, in all of them where no window is given, in every detail."""
    window = window or all_of(candles)
    return run_backtest(
        History(candles), Backtest(strategy, Interval.HOUR_1, window, execution, Detail.EQUITY)
    )


@cache
def real_candles(symbol: str) -> Candles:
    """Return a crypto's real hourly candles; skips the test when they are not on this machine."""
    path = REAL_CANDLES / f"{symbol}.csv.gz"
    if not path.exists():
        pytest.skip(f"NO REAL CANDLES: {path} is missing")
    with gzip.open(path, "rt") as file:
        rows = list(csv.reader(file))[1:]
    times = np.array([row[0][:19] for row in rows], "datetime64[s]").astype(np.int64)
    return Candles(times, *np.array([row[1:6] for row in rows], np.float64).T.copy())
