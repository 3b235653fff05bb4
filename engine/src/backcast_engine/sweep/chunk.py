"""A chunk, the unit of work and of caching of a sweep: some combinations, on one crypto, in every window."""

from dataclasses import dataclass
from functools import lru_cache
from itertools import product

import numpy as np
from numpy.typing import NDArray

from backcast_engine.candles import VALUE_COLUMNS
from backcast_engine.errors import BackcastError, NotFound, Refused
from backcast_engine.execution import Execution
from backcast_engine.history import History
from backcast_engine.interval import Interval
from backcast_engine.needs import columns_of
from backcast_engine.results import METRIC_NAMES, Window
from backcast_engine.strategies import Strategy
from backcast_engine.sweep.blocks import stretch_ends_s, stretch_returns
from backcast_engine.sweep.grid import Grid
from backcast_engine.sweep.settings import with_settings
from backcast_engine.traded_window import TradedWindow

# Some 0.05 s of work for a year of hours: what indicators cost is shared by many, and a sweep that is
# cancelled has stopped soon.
_BACKTESTS = 256


def chunk_size(windows: int) -> int:
    """Return the number of combinations of a chunk, each of which is backtested in `windows` windows."""
    return max(1, _BACKTESTS // windows)


@dataclass(frozen=True, slots=True)
class Sweep:
    """The parameters that all chunks of a sweep share.

    `execution` is that of all combinations, but for the settings of the grid. `stretches` are the numbers of
    stretches of equal time, into which each window is cut for its returns.
    """

    grid: Grid
    interval: Interval
    windows: tuple[Window, ...]
    execution: Execution
    stretches: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class SweepChunk:
    """Combinations to compute: their positions in the grid, int64, and the number of the first of them."""

    sweep: Sweep
    first: int
    positions: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class ChunkFigures:
    """The figures of a chunk: float64 of shape (combinations, windows, len(METRIC_NAMES)).

    `returns` are the equity's over the windows' stretches, float32 of shape (combinations, all stretches). A
    backtest that could not be computed has NaN in all of them; `failed` is how many these are, and
    `first_failure` why the first could not, in the order of combinations, then of windows.
    """

    figures: NDArray[np.float64]
    returns: NDArray[np.float32]
    failed: int
    first_failure: BackcastError | None


def compute_chunk(history: History, chunk: SweepChunk) -> ChunkFigures:
    """Backtest every combination of `chunk` in every window, as TradedWindow.metrics does.

    Indicators that combinations have in common are computed once. Columns that are not in
    `columns_of_sweep` may be empty.
    """
    sweep = chunk.sweep
    combinations = _combinations(sweep.grid, sweep.execution, chunk.positions.tobytes())
    figures = np.full((len(combinations), len(sweep.windows), len(METRIC_NAMES)), np.nan)
    equities = []
    failures: dict[tuple[int, int], BackcastError] = {}
    for w, (window, stretches) in enumerate(zip(sweep.windows, sweep.stretches, strict=True)):
        equity = np.full((len(combinations), stretches), np.nan)
        equities.append(equity)
        try:
            traded = TradedWindow(history, sweep.interval, window, sweep.execution)
        except NotFound as error:
            failures |= {(c, w): error for c in range(len(combinations))}
            continue
        before = traded.candles_before(stretch_ends_s(window, stretches))
        closes = np.maximum(before - 1, 0)
        by_execution = {sweep.execution: traded}
        for c, (strategy, execution) in enumerate(combinations):
            if execution not in by_execution:
                by_execution[execution] = traded.with_execution(execution)
            try:
                figures[c, w], equity[c] = by_execution[execution].metrics_and_equity(strategy, closes)
            except Refused as error:
                failures[c, w] = error
        # Until the first candle there is the capital; what failed stays undefined.
        untraded = int((before == 0).sum())
        equity[~np.isnan(equity[:, -1:]).any(axis=1), :untraded] = sweep.execution.initial_capital
    capital = sweep.execution.initial_capital
    return ChunkFigures(
        figures,
        np.concatenate([stretch_returns(each, capital) for each in equities], axis=1),
        len(failures),
        failures[min(failures)] if failures else None,
    )


# The same chunk comes for one crypto after the other, and a strategy finds out what it needs once.
@lru_cache(maxsize=16)
def _combinations(grid: Grid, execution: Execution, positions: bytes) -> list[tuple[Strategy, Execution]]:
    return [
        (grid.strategy(position), grid.execution(position, execution))
        for position in np.frombuffer(positions, np.int64).tolist()
    ]


def columns_of_sweep(sweep: Sweep) -> tuple[str, ...]:
    """Return the columns besides the time that a sweep's backtests read, in the candles' order.

    Choices may decide over columns (they decide over functions), and so may settings; numbers do not. A
    setting needs the same columns, whatever the others are.
    """
    grid = sweep.grid
    deciding = [values if isinstance(values[0], str) else values[:1] for values in grid.values]
    read: set[str] = set()
    executions = [
        sweep.execution,
        *(
            with_settings(sweep.execution, [setting], [index])
            for setting in grid.settings
            for index in range(len(setting.values))
        ),
    ]
    for chosen in product(*deciding):
        strategy = Grid(grid.base, grid.names, tuple((value,) for value in chosen)).strategy(0)
        read.update(*(columns_of(strategy, execution) for execution in executions))
    return tuple(name for name in VALUE_COLUMNS if name in read)
