"""The ranking of a sweep's trials, which does not depend on the order in which they come."""

import numpy as np
from numpy.typing import NDArray


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
