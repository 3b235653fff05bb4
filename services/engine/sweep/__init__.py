"""Sweeps: many combinations of a strategy's parameters, in the windows that a period is cut into.

`grid` has the combinations, `periods` the windows, `chunk` computes. `deflated_sharpe` and `overfitting`
(over `blocks` of time) tell what the best of them is worth, `out_of_sample` what came of choosing again and
again.
"""

from services.engine.sweep.blocks import Blocks, make_blocks
from services.engine.sweep.chunk import (
    ChunkFigures,
    Sweep,
    SweepChunk,
    chunk_size,
    columns_of_sweep,
    compute_chunk,
)
from services.engine.sweep.grid import Grid, ParameterValues, make_grid
from services.engine.sweep.periods import Fold, split_window, walk_forward

__all__ = [
    "Blocks",
    "ChunkFigures",
    "Fold",
    "Grid",
    "ParameterValues",
    "Sweep",
    "SweepChunk",
    "chunk_size",
    "columns_of_sweep",
    "compute_chunk",
    "make_blocks",
    "make_grid",
    "split_window",
    "walk_forward",
]
