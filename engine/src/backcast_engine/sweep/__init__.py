"""Sweeps: many combinations of parameters and of settings of the execution, on train and test windows.

`grid` has the combinations, of parameters and of `settings`, and `sampling` chooses some at random. `periods`
has the windows, and `chunk` computes.
`deflated_sharpe` and `overfitting` (over `blocks` of time) measure selection bias; `out_of_sample` has the
outcome of a walk-forward.
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
from backcast_engine.sweep.positions import Positions
from backcast_engine.sweep.sampling import MAX_SAMPLE, sampled_positions
from backcast_engine.sweep.settings import SETTINGS, SettingValues

__all__ = [
    "MAX_SAMPLE",
    "SETTINGS",
    "Blocks",
    "ChunkFigures",
    "Fold",
    "Grid",
    "ParameterValues",
    "Positions",
    "SettingValues",
    "Sweep",
    "SweepChunk",
    "chunk_size",
    "columns_of_sweep",
    "compute_chunk",
    "fold_count_fault",
    "make_blocks",
    "make_grid",
    "sampled_positions",
    "split_fault",
    "split_window",
    "walk_forward",
]
