"""Statistics over the cryptos of a run or a sweep."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from backcast_engine import METRIC_NAMES

_Figures = NDArray[np.float64]

_COUNTS = [METRIC_NAMES.index(name) for name in ("trade_count", "open_trade_count")]
_RATIOS = [METRIC_NAMES.index(name) for name in ("sharpe_ratio", "sortino_ratio", "calmar_ratio")]


def trades_of(figures: _Figures, axis: int) -> _Figures:
    """Return the number of trades, open ones included, of figures whose `axis` is METRIC_NAMES.

    NaN where a backtest failed.
    """
    return np.take(figures, _COUNTS, axis=axis).sum(axis=axis)  # type: ignore[no-any-return]  # NumPy's stubs


def no_trade_counted(figures: _Figures, axis: int) -> _Figures:
    """Return a copy of figures, whose `axis` is METRIC_NAMES, as they count in statistics.

    A backtest without a trade has a return of 0, so its Sharpe, Sortino and Calmar ratios, which are
    undefined (NaN) by themselves, count as 0.
    """
    counted = figures.copy()
    ratios = np.moveaxis(counted, axis, 0)
    for ratio in _RATIOS:
        ratios[ratio][trades_of(figures, axis) == 0] = 0.0
    return counted


@dataclass(frozen=True, slots=True)
class Summarized:
    """Median, mean and count of what is defined in each of many rows; NaN, NaN and 0 where nothing is."""

    median: _Figures
    mean: _Figures
    count: NDArray[np.int64]


def summarize_rows(values: _Figures) -> Summarized:
    """Return what is defined (not NaN) along the last axis of `values`, summarized."""
    defined = ~np.isnan(values)
    count = defined.sum(axis=-1)
    # Sorting puts NaN last.
    ordered = np.sort(values, axis=-1)
    middle = np.stack((np.maximum(count - 1, 0) // 2, np.minimum(count // 2, values.shape[-1] - 1)), axis=-1)
    with np.errstate(all="ignore"):
        median = np.take_along_axis(ordered, middle, axis=-1).mean(axis=-1)
        mean = np.where(defined, values, 0.0).sum(axis=-1) / count
    return Summarized(median, mean, count)


def quantiles_of_rows(values: _Figures, fractions: tuple[float, ...]) -> _Figures:
    """Return quantiles of what is defined (not NaN) along the last axis of `values`, NaN where nothing is.

    Shape (fractions, ...). Interpolated linearly, as numpy.quantile does: R. J. Hyndman and Y. Fan, Sample
    Quantiles in Statistical Packages, The American Statistician 50(4), 1996, definition 7.
    """
    count = (~np.isnan(values)).sum(axis=-1)
    ordered = np.sort(values, axis=-1)
    rank = np.array(fractions).reshape(-1, *[1] * count.ndim) * np.maximum(count - 1, 0)
    below = np.floor(rank).astype(np.int64)
    above = np.minimum(below + 1, np.maximum(count - 1, 0))
    low, high = (
        np.moveaxis(np.take_along_axis(ordered, np.moveaxis(index, 0, -1), axis=-1), -1, 0)
        for index in (below, above)
    )
    with np.errstate(all="ignore"):
        # Where both neighbours are one value, even an infinite one, the quantile is that value.
        quantiles: _Figures = np.where(low == high, low, low + (high - low) * (rank - below))
    return quantiles


def finite_or_none(values: _Figures) -> list[float | None]:
    """Return figures as a list, None where one is undefined or beyond a float64."""
    return [value if math.isfinite(value) else None for value in values.tolist()]
