"""A sweep: chunks of combinations on many cryptos, figures in the order in which they complete."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass

from services.compute.candles.location import CryptoData
from services.compute.tasks.runner import TaskRunner
from services.compute.workers.candle_tasks import Task
from services.domain.errors import BackcastError
from services.engine.sweep import (
    ChunkFigures,
    Sweep,
    SweepChunk,
    columns_of_sweep,
    compute_chunk,
)
from services.engine.sweep.possible_combinations import possible_positions


@dataclass(frozen=True, slots=True)
class SweepJob:
    """A sweep, how many combinations its chunks have, and which chunks (from 0) are wanted of each crypto."""

    sweep: Sweep
    chunk_size: int
    chunks: dict[CryptoData, list[int]]


@dataclass(frozen=True, slots=True)
class ChunkOutcome:
    """What came of a chunk; `first` is the number of its first combination.

    A crypto without candles has one outcome, and that without a chunk.
    """

    data: CryptoData
    first: int | None
    result: ChunkFigures | BackcastError


class Sweeper:
    """Runs sweeps on the workers."""

    def __init__(self, runner: TaskRunner) -> None:
        self._runner = runner

    async def run(self, job: SweepJob) -> AsyncGenerator[ChunkOutcome]:
        """Yield what comes of each chunk as it completes; closing the iterator gives the workers back."""
        sweep, size = job.sweep, job.chunk_size
        positions = await possible_positions(sweep.grid)
        by_symbol = {data.symbol: chunks for data, chunks in job.chunks.items()}

        def tasks_of(data: CryptoData) -> list[Task]:
            # By the symbol, for the data may be newer than what was asked for.
            firsts = [chunk * size for chunk in by_symbol[data.symbol]]
            return [
                Task(compute_chunk, SweepChunk(sweep, first, positions[first : first + size]))
                for first in firsts
            ]

        outcomes = self._runner.run(list(job.chunks), sweep.interval, columns_of_sweep(sweep), tasks_of)
        async with aclosing(outcomes):
            async for outcome in outcomes:
                first = None if outcome.task is None else outcome.task.argument.first
                yield ChunkOutcome(outcome.data, first, outcome.result)
