"""The probability of backtest overfitting, by combinatorially symmetric cross-validation.

D. H. Bailey, J. M. Borwein, M. López de Prado, Q. J. Zhu, The Probability of Backtest Overfitting, Journal of
Computational Finance, 2015. Time is cut into an even number S of blocks. For every choice of half of them,
the combination that is the best there has a relative rank in the other half: r / (N + 1), r being its rank
from 1 for the worst of N. The probability is the share of the choices in which that is at most a half.
"""

from collections.abc import Iterator
from functools import lru_cache
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

Returns = NDArray[np.float64]

# What is smaller, relative to the squares themselves, is what rounding left of no variance.
_ROUNDING = 1e-13
# Ratios that are equal to so many decimals are equal.
_DECIMALS = 9
# So many performances at once stay in the processor's cache, and so many in a step take a tenth of a second.
_AT_ONCE, _IN_STEP = 2**17, 2**22


def probability_of_overfitting(returns: Returns) -> float:
    """Return the probability for returns of shape (N combinations, S blocks); S is even, and at least 4."""
    count = sum(count_overfitted(returns, choices) for choices in steps(*returns.shape))
    return count / len(_choices(returns.shape[1]))


def steps(count: int, blocks: int) -> Iterator[slice]:
    """Yield parts of the choices for `count_overfitted`, all of them together."""
    half, size = len(_choices(blocks)) // 2, max(1, _IN_STEP // count)
    for start in range(0, half, size):
        yield slice(start, min(start + size, half))


def count_overfitted(returns: Returns, choices: slice) -> int:
    """Return in how many of some choices, and of those of the other blocks, the best is overfitted.

    `choices` are a part of the first half of all choices: the others are those of the blocks that remain.
    """
    by_block = np.ascontiguousarray(returns.T)
    squares = by_block * by_block
    every = _choices(len(by_block))
    size, found = max(1, _AT_ONCE // len(returns)), 0
    for start in range(choices.start, choices.stop, size):
        stop = min(start + size, choices.stop)
        # In lexicographic order, the last choice has the blocks that the first one has not, and so on.
        halves = every[start:stop], every[::-1][start:stop]
        one, other = (_sharpe_ratios(by_block, squares, half) for half in halves)
        found += _overfitted(one, other) + _overfitted(other, one)
    return found


@lru_cache(maxsize=8)
def _choices(blocks: int) -> NDArray[np.int64]:
    """Return every choice of half of the blocks in lexicographic order, shape (choices, blocks / 2)."""
    return np.array(list(combinations(range(blocks), blocks // 2)))


def _sharpe_ratios(by_block: Returns, squares: Returns, choices: NDArray[np.int64]) -> Returns:
    """Return mean over standard deviation (ddof 1) in chosen blocks, 0 without any, shape (choices, N).

    Sums are taken block by block, so that equal returns have equal ratios whatever stands beside them.
    """
    total, total_of_squares = np.zeros((2, len(choices), by_block.shape[1]))
    for blocks in choices.T:
        total += by_block[blocks]
        total_of_squares += squares[blocks]
    size = choices.shape[1]
    around_mean = total_of_squares - total * total / size
    flat = around_mean <= _ROUNDING * total_of_squares
    around_mean[flat] = 1.0
    ratios: Returns = np.where(flat, 0.0, total / size / np.sqrt(around_mean / (size - 1)))
    # With one block that is not 0, the ratio is the same whatever the block's return is: not by its last bit.
    return np.round(ratios, _DECIMALS, out=ratios)


def _overfitted(chosen_by: Returns, tested_by: Returns) -> int:
    """Return in how many rows the best of one (of equals the first) is not above the median of the other."""
    best = chosen_by.argmax(axis=1)
    tested = np.take_along_axis(tested_by, best[:, None], axis=1)
    below = (tested_by < tested).sum(axis=1)
    equal = (tested_by == tested).sum(axis=1)
    # Equals share the middle of their ranks: r = below + (equal + 1) / 2, and r / (N + 1) is at most a half.
    return int((2 * below + equal <= tested_by.shape[1]).sum())
