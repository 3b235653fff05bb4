"""The blocks of time whose returns a sweep reports, for `overfitting`."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from backcast_engine.interval import Interval
from backcast_engine.results import Window
from backcast_engine.sweep.periods import Fold

_MOST_BLOCKS, _FEWEST_BLOCKS = 16, 4
_LEAST_OF_MANY = 8
# Most combinations × choices of blocks: ranking them takes some seconds.
_MOST_RANKED = 130_000_000


@dataclass(frozen=True, slots=True)
class Blocks:
    """Into how many stretches each window of a sweep is cut, and how many blocks these make.

    A block is `stretches_in_block` stretches that follow each other; the oldest stretches may be in none. Of
    a window with 0 there are none, as another window is the same part of time.
    """

    per_window: tuple[int, ...]
    count: int
    stretches_in_block: int = 1

    def joined(self, returns: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the blocks' returns, shape (n, count), from those of all stretches, shape (n, stretches)."""
        kept = returns[:, returns.shape[1] - self.count * self.stretches_in_block :]
        if self.stretches_in_block == 1:
            return kept
        growth = (1 + kept).reshape(len(kept), self.count, self.stretches_in_block)
        return growth.prod(axis=2) - 1  # type: ignore[no-any-return]  # NumPy's stubs


def make_blocks(folds: Sequence[Fold], interval: Interval, combinations: int, *, is_walk: bool) -> Blocks:
    """Return the blocks of a walk forward's whole window, or else of the only train window.

    They are 16, or fewer where there are so many combinations that ranking them would take long, and where a
    part of the window has fewer candles; an even number, and 0 where there would be fewer than 4.
    """
    most = next(
        (count for count in range(_MOST_BLOCKS, _LEAST_OF_MANY, -2) if _ranked(count, combinations)),
        _LEAST_OF_MANY,
    )
    parts = [folds[0].train, *(fold.test for fold in folds if fold.test and is_walk)]
    room = min(_candles(part, interval) for part in parts)
    per_part, together = max(1, min(most // len(parts), room)), -(-len(parts) // most)
    if len(parts) == 1:
        per_part -= per_part % 2
    count = per_part * len(parts) // together
    count -= count % 2
    if count < _FEWEST_BLOCKS:
        per_part = count = 0
    per_window = []
    for number, fold in enumerate(folds):
        per_window.append(0 if number else per_part)
        if fold.test:
            per_window.append(per_part if is_walk else 0)
    return Blocks(tuple(per_window), count, together)


def stretch_ends_s(window: Window, stretches: int) -> NDArray[np.int64]:
    """Return where stretches of equal time end (Unix seconds), shape (stretches,)."""
    length_s = window.end_s - window.start_s
    return np.array([window.start_s + length_s * (n + 1) // stretches for n in range(stretches)], np.int64)


def stretch_returns(equity: NDArray[np.float64], capital: float) -> NDArray[np.float32]:
    """Return the returns from one stretch's last equity to the next, the first from `capital`.

    Both have the shape (n, stretches). Where nothing is left, nothing can change any more.
    """
    before = np.concatenate((np.full((len(equity), 1), capital), equity), axis=1)[:, :-1]
    returns = np.divide(equity, before, out=np.ones_like(equity), where=~(before <= 0)) - 1
    with np.errstate(over="ignore"):
        return np.asarray(returns, np.float32)


def _ranked(blocks: int, combinations: int) -> bool:
    return math.comb(blocks, blocks // 2) * combinations <= _MOST_RANKED


def _candles(window: Window, interval: Interval) -> int:
    span_s = interval.next_opening(window.end_s) - interval.next_opening(window.start_s)
    return span_s // interval.seconds
