"""The figures of a sweep in memory: 8 bytes each, so that a million backtests of 19 metrics are 152 MB."""

from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from services.compute.engine import METRIC_NAMES
from services.gateway.statistics import Summarized, summarize_rows

Figures = NDArray[np.float64]


class Part(IntEnum):
    """Which window of a fold."""

    TRAIN = 0
    TEST = 1


class SweepTable:
    """Figures of all combinations on all cryptos in all windows, NaN where they are undefined or not there.

    The windows come fold by fold, `parts` to a fold: train, then test where there is one.
    """

    def __init__(self, combinations: int, windows: int, cryptos: int, parts: int) -> None:
        # Cryptos last: medians are taken over them.
        self._figures = np.full((combinations, windows, len(METRIC_NAMES), cryptos), np.nan)
        self._parts = parts

    def put(self, first: int, crypto: int, figures: Figures) -> None:
        """Keep the figures of a chunk: shape (combinations, windows, metrics)."""
        self._figures[first : first + len(figures), :, :, crypto] = figures

    def over_folds(self, chunk: Figures, part: Part) -> Figures:
        """Return the means over the folds of figures whose second axis is the windows.

        They are undefined where they are in any fold.
        """
        folds = chunk[:, part :: self._parts]
        # The mean of one is that very number.
        return folds.mean(axis=1)  # type: ignore[no-any-return]  # NumPy's stubs

    def trial(self, combination: int, crypto: int, part: Part) -> Figures:
        """Return the figures of one trial, shape (metrics,)."""
        figures = self._figures[combination : combination + 1, :, :, crypto]
        return self.over_folds(figures, part)[0]  # type: ignore[no-any-return]  # NumPy's stubs

    def across_cryptos(self, start: int, stop: int, part: Part) -> Summarized:
        """Return the combinations from `start` to before `stop` over the cryptos: (combinations, metrics)."""
        return summarize_rows(self.over_folds(self._figures[start:stop], part))

    def in_window(self, metric: str, window: int) -> Figures:
        """Return a metric of all trials in one window, shape (combinations, cryptos)."""
        return self._figures[:, window, METRIC_NAMES.index(metric)]

    def medians_in_window(self, combination: int, window: int) -> Figures:
        """Return one combination's medians over the cryptos in one window, shape (metrics,)."""
        return summarize_rows(self._figures[combination, window]).median
