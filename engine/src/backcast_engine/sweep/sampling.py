"""Random samples of a grid's combinations."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from backcast_engine.sweep.positions import Positions

MAX_SAMPLE = 100_000
# Up to this size, all combinations are shuffled; larger grids are drawn from.
_SHUFFLED = 100_000
_DRAWN_TOGETHER = 1_024
# So many draws for each combination that is wanted: where nearly all conflict, fewer are found.
_MOST_DRAWS = 200


def sampled_positions(grid: Positions, count: int, seed: int) -> NDArray[np.int64]:
    """Return the positions of `count` different possible combinations at random; all if there are fewer.

    A larger sample with the same seed begins with the smaller one.
    """
    generator = np.random.default_rng(seed)
    if grid.size <= _SHUFFLED:
        return generator.permutation(grid.possible())[:count]
    found: dict[int, None] = {}
    for position in _drawn(generator, grid.size, _MOST_DRAWS * count):
        if position not in found and grid.is_possible(position):
            found[position] = None
            if len(found) == count:
                break
    return np.array([*found], np.int64)


def _drawn(generator: np.random.Generator, size: int, most: int) -> Iterator[int]:
    for _ in range(0, most, _DRAWN_TOGETHER):
        yield from generator.integers(0, size, _DRAWN_TOGETHER, np.int64).tolist()
