"""Sweeps: many combinations of a strategy's parameters, on train and test windows.

`grid` has the combinations, `periods` the windows, and `chunk` computes. `deflated_sharpe` and `overfitting`
(over `blocks` of time) measure selection bias; `out_of_sample` has the outcome of a walk-forward.
"""

from backcast_engine.sweep.blocks import Blocks, make_blocks
from backcast_engine.sweep.chunk import (
    ChunkFigures,
    Sweep,
    SweepChunk,
    chunk_size,
    columns_of_sweep,
    compute_chunk,
)
from backcast_engine.sweep.grid import Grid, ParameterValues, make_grid
from backcast_engine.sweep.periods import (
    Fold,
    fold_count_fault,
    split_fault,
    split_window,
    walk_forward,
)

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
    "fold_count_fault",
    "make_blocks",
    "make_grid",
    "split_fault",
    "split_window",
    "walk_forward",
]
