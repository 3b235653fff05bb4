"""Finds the possible combinations of a sweep without blocking the event loop."""

import asyncio

import numpy as np
from numpy.typing import NDArray

from services.engine.sweep import Grid

# A twentieth of a second's work: a call that is cancelled stops there.
_SLICE = 10_000


async def possible_positions(grid: Grid) -> NDArray[np.int64]:
    """Return the positions in the grid whose parameters do not conflict, ascending."""
    return np.concatenate(
        [
            await asyncio.to_thread(grid.possible, start, start + _SLICE)
            for start in range(0, grid.size, _SLICE)
        ]
    )
