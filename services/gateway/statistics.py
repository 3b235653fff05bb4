"""All cryptos of a run or a sweep together."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


def mean_and_median(values: NDArray[np.float64]) -> tuple[list[float | None], list[float | None]]:
    """Return mean and median of each column of `values`, shape (cryptos, metrics).

    NaN marks a metric that is undefined for a crypto: it does not count. A metric that is undefined for
    all is None, and so is what is beyond a float64.
    """
    if len(values) == 1:
        # Of one crypto, its own: the summary would take a tenth of the time that a cached result takes.
        return _finite(values[0]), _finite(values[0])
    summarized = summarize_rows(values.T)
    return _finite(summarized.mean), _finite(summarized.median)


def _finite(values: NDArray[np.float64]) -> list[float | None]:
    return [value if math.isfinite(value) else None for value in values.tolist()]


@dataclass(frozen=True, slots=True)
class Summarized:
    """Median, mean and count of what is defined in each of many rows; NaN, NaN and 0 where nothing is."""

    median: NDArray[np.float64]
    mean: NDArray[np.float64]
    count: NDArray[np.int64]


def summarize_rows(values: NDArray[np.float64]) -> Summarized:
    """Return what is defined (not NaN) along the last axis of `values`, summarized."""
    defined = ~np.isnan(values)
    count = defined.sum(axis=-1)
    # Sorted, what is NaN comes last.
    ordered = np.sort(values, axis=-1)
    middle = np.stack((np.maximum(count - 1, 0) // 2, np.minimum(count // 2, values.shape[-1] - 1)), axis=-1)
    with np.errstate(all="ignore"):
        median = np.take_along_axis(ordered, middle, axis=-1).mean(axis=-1)
        mean = np.where(defined, values, 0.0).sum(axis=-1) / count
    return Summarized(median, mean, count)
