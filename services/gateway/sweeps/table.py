"""The table of a sweep in memory, and the ranking of its trials.

Figures take 8 bytes each, so that a million backtests of 20 metrics take 160 MB; returns over blocks of time
take 4 bytes each, 64 MB where each of a million backtests has 16.
"""

from collections.abc import Sequence
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from backcast_engine import METRIC_NAMES
from services.gateway.runs.statistics import Summarized, no_trade_counted, summarize_rows, trades_of

Figures = NDArray[np.float64]
BlockReturns = NDArray[np.float32]

# So many combinations are computed at once: their copies take some megabytes.
_ROWS = 512


class FoldWindow(IntEnum):
    """A window of a fold."""

    TRAIN = 0
    TEST = 1


class SweepTable:
    """Figures of all combinations on all cryptos in all windows, NaN where they are undefined or missing.

    The windows come fold by fold, `parts` to a fold: train, then test where there is one. Wherever several
    backtests are put together, one without a trade counts as `no_trade_counted` says.
    """

    def __init__(self, combinations: int, windows: int, cryptos: int, parts: int, blocks: int = 0) -> None:
        # Cryptos last: medians are taken over them.
        self._figures = np.full((combinations, windows, len(METRIC_NAMES), cryptos), np.nan)
        self._block_returns = np.full((combinations, blocks, cryptos), np.nan, np.float32)
        self._parts = parts

    def put(self, first: int, crypto: int, figures: Figures, block_returns: BlockReturns) -> None:
        """Keep a chunk: figures of shape (combinations, windows, metrics), returns (combinations, blocks)."""
        self._figures[first : first + len(figures), :, :, crypto] = figures
        self._block_returns[first : first + len(figures), :, crypto] = block_returns

    def over_folds(self, chunk: Figures, part: FoldWindow) -> Figures:
        """Return the means over the folds of figures whose second axis is the windows, the third the metrics.

        A mean is undefined where the figure is in any fold. Means over a single fold are its figures.
        """
        folds = chunk[:, part :: self._parts]
        if folds.shape[1] == 1:
            return folds[:, 0]
        return no_trade_counted(folds, axis=2).mean(axis=1)  # type: ignore[no-any-return]  # NumPy's stubs

    def fewest_trades(self, chunk: Figures) -> Figures:
        """Return the smallest number of trades in the train part of a fold, of figures as in `over_folds`.

        NaN where a backtest failed.
        """
        return trades_of(chunk[:, FoldWindow.TRAIN :: self._parts], axis=2).min(axis=1)  # type: ignore[no-any-return]  # NumPy's stubs

    def trial(self, combination: int, crypto: int, part: FoldWindow) -> Figures:
        """Return the figures of one trial, shape (metrics,)."""
        figures = self._figures[combination : combination + 1, :, :, crypto]
        return self.over_folds(figures, part)[0]  # type: ignore[no-any-return]  # NumPy's stubs

    def across_cryptos(self, start: int, stop: int, part: FoldWindow) -> Summarized:
        """Return the combinations from `start` to before `stop` over the cryptos: (combinations, metrics)."""
        return summarize_rows(no_trade_counted(self.over_folds(self._figures[start:stop], part), axis=1))

    def means_across_cryptos(self, metric: str, part: FoldWindow) -> Figures:
        """Return every combination's mean of a metric over the cryptos, shape (combinations,)."""
        index = METRIC_NAMES.index(metric)
        means = [
            self.across_cryptos(start, start + _ROWS, part).mean[:, index]
            for start in range(0, len(self._figures), _ROWS)
        ]
        return np.concatenate(means)

    def cryptos_traded(self, start: int, stop: int, part: FoldWindow) -> NDArray[np.int64]:
        """Return on how many cryptos combinations traded in every fold, shape (combinations,)."""
        trades = trades_of(self._figures[start:stop, part :: self._parts], axis=2)
        return (trades > 0).all(axis=1).sum(axis=1)  # type: ignore[no-any-return]  # NumPy's stubs

    def median_trades(self, start: int, stop: int) -> Figures:
        """Return combinations' medians over the cryptos of the trades in train, the smallest of the folds."""
        trades = trades_of(self._figures[start:stop, FoldWindow.TRAIN :: self._parts], axis=2)
        return np.fmin.reduce(summarize_rows(trades).median, axis=1)  # type: ignore[no-any-return]  # NumPy's stubs

    def trades_in_window(self, window: int) -> Figures:
        """Return the number of trades of all trials in one window, shape (combinations, cryptos)."""
        return trades_of(self._figures[:, window], axis=1)

    def counted_in_window(self, metric: str, window: int) -> Figures:
        """Return a metric of all trials in one window as it counts among many: (combinations, cryptos)."""
        index = METRIC_NAMES.index(metric)
        counted = [
            no_trade_counted(self._figures[start : start + _ROWS, window], axis=1)[:, index]
            for start in range(0, len(self._figures), _ROWS)
        ]
        return np.concatenate(counted)

    def scores(self, combinations: Sequence[int], window: int, metric: str, min_trades: int) -> Figures:
        """Return combinations' medians over the cryptos of a metric in one window, shape (combinations,).

        NaN where a median of fewer than `min_trades` trades gives a combination no rank.
        """
        figures = self._figures[list(combinations), window]
        values = no_trade_counted(figures, axis=1)[:, METRIC_NAMES.index(metric)]
        trades = summarize_rows(trades_of(figures, axis=1)).median
        return np.where(trades >= min_trades, summarize_rows(values).median, np.nan)

    def medians_in_window(self, combination: int, window: int) -> Figures:
        """Return one combination's medians over the cryptos in one window, shape (metrics,)."""
        return summarize_rows(no_trade_counted(self._figures[combination, window], axis=0)).median

    def mean_block_returns(self) -> Figures:
        """Return every combination's block returns, means over the cryptos, shape (combinations, blocks).

        NaN where it failed on all of them.
        """
        means = [
            summarize_rows(self._block_returns[start : start + _ROWS].astype(np.float64)).mean
            for start in range(0, len(self._block_returns), _ROWS)
        ]
        return np.concatenate(means)


class Ranking:
    """The best `size` trials of those that were added: with the greatest values, or the smallest ones.

    Trials are numbers; of equal values the smaller number is the better trial. A value of NaN has no rank.
    """

    def __init__(self, size: int, *, smallest_is_best: bool) -> None:
        self._size = size
        self._sign = -1.0 if smallest_is_best else 1.0
        self._scores = np.empty(0)
        self.trials: NDArray[np.int64] = np.empty(0, np.int64)

    def add(self, values: NDArray[np.float64], trials: NDArray[np.int64]) -> bool:
        """Add trials and their values, both of shape (n,); return whether the ranking has changed."""
        scores = values * self._sign
        # A trial with the value of the last one ranks before it where its number is smaller.
        floor = self._scores[-1] if len(self._scores) == self._size else -np.inf
        good = scores >= floor
        if not good.any():
            return False
        scores, trials = (
            np.concatenate((self._scores, scores[good])),
            np.concatenate((self.trials, trials[good])),
        )
        order = np.lexsort((trials, -scores))[: self._size]
        changed = not np.array_equal(trials[order], self.trials)
        self._scores, self.trials = scores[order], trials[order]
        return changed
