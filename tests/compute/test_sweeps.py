"""Sweeps on the workers: every wanted chunk once, and each is what the engine computes."""

from pathlib import Path

import numpy as np
import pytest

from backcast_engine import Execution, Window
from backcast_engine.errors import NotFound
from backcast_engine.history import History
from backcast_engine.interval import Interval
from backcast_engine.strategies.ma_cross import MaCross
from backcast_engine.sweep import (
    ChunkFigures,
    ParameterValues,
    Sweep,
    SweepChunk,
    compute_chunk,
    make_grid,
)
from services.compute.tasks.jobs import sweep_job
from services.compute.tasks.runner import TaskOutcome, TaskRunner
from services.compute.workers.pool import WorkerPool
from tests.candle_making import START_S
from tests.compute.running import outcomes_of
from tests.compute.supply import Supply, cryptos

pytestmark = pytest.mark.servers

# 4 × 5 combinations without the conflicting ones are 14: in chunks of 4, the fourth has two.
GRID = make_grid(
    MaCross(), [ParameterValues("fast", [2, 4, 6, 8]), ParameterValues("slow", [3, 5, 7, 9, 11])]
)
SWEEP = Sweep(
    GRID,
    Interval.HOUR_1,
    (Window(START_S, START_S + 3600 * 500), Window(START_S + 3600 * 500, START_S + 3600 * 1000)),
    Execution(),
    (2, 2),
)


def first_of(outcome: TaskOutcome) -> int | None:
    """The number of the first combination of an outcome's chunk, None where it has no chunk."""
    return None if outcome.task is None else outcome.task.argument.first


async def test_each_wanted_chunk_is_computed_once(pool: WorkerPool, tmp_path: Path) -> None:
    first, second, third = cryptos(3)
    supply = Supply(tmp_path, cryptos(3))
    job = await sweep_job(SWEEP, 4, {first: [0, 1, 2, 3], second: [3], third: [1, 2]})
    outcomes = await outcomes_of(TaskRunner(pool, supply), job)
    assert sorted((outcome.data.symbol, first_of(outcome)) for outcome in outcomes) == [
        *(("C0USDT", start) for start in (0, 4, 8, 12)),
        ("C1USDT", 12),
        *(("C2USDT", start) for start in (4, 8)),
    ]
    for outcome in outcomes:
        assert isinstance(outcome.result, ChunkFigures)
        first_combination = first_of(outcome)
        assert first_combination is not None
        positions = GRID.possible()[first_combination : first_combination + 4]
        assert outcome.result.figures.shape[:2] == (2 if first_combination == 12 else 4, 2)
        expected = compute_chunk(
            History(supply.candles[outcome.data]), SweepChunk(SWEEP, first_combination, positions)
        )
        assert outcome.result.figures.tobytes() == expected.figures.tobytes()
        assert not np.isnan(outcome.result.figures[:, :, 0]).any()


async def test_a_crypto_without_candles_fails_once(pool: WorkerPool, tmp_path: Path) -> None:
    first, second = cryptos(2)
    supply = Supply(tmp_path, cryptos(2))
    supply.errors[first] = NotFound("there are no candles")
    job = await sweep_job(SWEEP, 4, {first: [0, 1, 2], second: [0]})
    outcomes = await outcomes_of(TaskRunner(pool, supply), job)
    by_symbol = {outcome.data.symbol: outcome for outcome in outcomes}
    assert len(outcomes) == len(by_symbol) == 2
    assert first_of(by_symbol["C0USDT"]) is None
    assert isinstance(by_symbol["C0USDT"].result, NotFound)
    assert isinstance(by_symbol["C1USDT"].result, ChunkFigures)
