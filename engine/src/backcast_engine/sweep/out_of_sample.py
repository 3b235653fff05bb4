"""The out-of-sample equity curve of a walk-forward: its test windows joined, per crypto and for all."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from backcast_engine.candles import PriceColumn, TimeColumn
from backcast_engine.interval import Interval
from backcast_engine.metrics import measure_curve
from backcast_engine.results import METRIC_NAMES, Window

Figures = NDArray[np.float64]

_COUNTS = [METRIC_NAMES.index(name) for name in ("trade_count", "open_trade_count")]
_PAID = [index for index, name in enumerate(METRIC_NAMES) if name.endswith("_paid")]
_EXPOSURE, _HOLDING = METRIC_NAMES.index("exposure"), METRIC_NAMES.index("buy_and_hold_return")


@dataclass(frozen=True, slots=True)
class FoldResult:
    """A backtest on a fold's test window: its figures in the order of METRIC_NAMES, and its equity.

    `open_time_s` is int64 in Unix seconds and `equity` float64, both of shape (n,), at the candles' closes.
    """

    open_time_s: TimeColumn
    equity: PriceColumn
    figures: Figures


@dataclass(frozen=True, slots=True)
class Curve:
    """An equity curve, float64 at the closes of candles (int64 opening times), and its figures."""

    open_time_s: TimeColumn
    equity: PriceColumn
    figures: Figures


@dataclass(slots=True)
class StitchedCrypto:
    """One crypto's curve, as its folds come, in order of time; at least one has to.

    `interval` is the length of the curve's candles, on whose openings the folds' test windows begin.
    """

    capital: float
    interval: Interval
    _times: list[TimeColumn] = field(default_factory=list)
    _equities: list[PriceColumn] = field(default_factory=list)
    _figures: list[Figures | None] = field(default_factory=list)
    _growth: float = 1.0

    def add(self, result: FoldResult) -> None:
        """Append the backtest of a fold, which began with the capital.

        Its candles may be shorter than the curve's: folds that trade on candles of different lengths are
        compared at the same times.
        """
        open_time_s, equity = _at_ends(result, self.interval)
        self._times.append(open_time_s)
        self._equities.append(self._growth * equity)
        self._figures.append(result.figures)
        self._growth *= float(result.equity[-1]) / self.capital

    def hold(self, window: Window) -> None:
        """Append a window without a result: the equity stays constant."""
        first_s = self.interval.next_opening(window.start_s)
        times = np.arange(first_s, window.end_s, self.interval.seconds, dtype=np.int64)
        self._times.append(times)
        self._equities.append(np.full(len(times), self._growth * self.capital))
        self._figures.append(None)

    def curve(self) -> Curve:
        """Return the curve of all folds."""
        open_time_s, equity = np.concatenate(self._times), np.concatenate(self._equities)
        figures = _measured(open_time_s, equity, self.capital, self.interval)
        results = [each for each in self._figures if each is not None]
        for index in (*_COUNTS, *_PAID):
            figures[index] = sum(each[index] for each in results)
        figures[_EXPOSURE] = sum(each[_EXPOSURE] for each in results) / len(self._figures)
        if results:
            # Undefined where a window is a single candle: nothing could be bought and held.
            figures[_HOLDING] = np.nanprod([1 + each[_HOLDING] for each in results]) - 1
        return Curve(open_time_s, equity, figures)


def equal_weighted(curves: Sequence[Curve], capital: float, interval: Interval) -> Curve:
    """Return the mean of curves, of which there is at least one.

    It has a point wherever one of them has; a curve has its last value where it has none, and before its
    first the capital. A crypto without any result counts as 0 in return, exposure and holding.
    """
    open_time_s = _union_of_times(curve.open_time_s for curve in curves)
    equity = np.zeros(len(open_time_s))
    for curve in curves:
        last = np.searchsorted(curve.open_time_s, open_time_s, side="right") - 1
        equity += np.where(last < 0, capital, curve.equity[last])
    equity /= len(curves)
    figures = _measured(open_time_s, equity, capital, interval)
    every = np.array([curve.figures for curve in curves])
    figures[_COUNTS] = every[:, _COUNTS].sum(axis=0)
    figures[_PAID] = every[:, _PAID].mean(axis=0)
    figures[_EXPOSURE] = every[:, _EXPOSURE].mean()
    holding = every[:, _HOLDING]
    if not np.isnan(holding).all():
        figures[_HOLDING] = np.nan_to_num(holding).mean()
    return Curve(open_time_s, equity, figures)


def _at_ends(result: FoldResult, interval: Interval) -> tuple[TimeColumn, PriceColumn]:
    """Return the opening times of the candles of length `interval`, and the last equity in each of them."""
    openings = interval.openings(result.open_time_s)
    is_last = np.append(openings[1:] != openings[:-1], [True])
    return openings[is_last], result.equity[is_last]


def _union_of_times(columns: Iterable[TimeColumn]) -> TimeColumn:
    """Return every time that one of the columns has, in ascending order."""
    union = np.empty(0, np.int64)
    for column in columns:
        # Most cryptos have candles at the same times.
        if not np.array_equal(union, column):
            union = np.union1d(union, column)
    return union


def _measured(open_time_s: TimeColumn, equity: PriceColumn, capital: float, interval: Interval) -> Figures:
    elapsed_s = int(open_time_s[-1] - open_time_s[0]) + interval.seconds
    return measure_curve(equity, capital, elapsed_s, interval)
