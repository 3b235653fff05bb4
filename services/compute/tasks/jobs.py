"""Jobs: requests to compute, as tasks on the candles of many cryptos.

The worker processes import this: nothing here may import grpc.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from backcast.compute.v1.computed_result_pb2 import ComputedResult
from backcast_engine import Backtest, backtest_series, run_backtest
from backcast_engine.history import History
from backcast_engine.interval import Interval
from backcast_engine.sweep import Sweep, SweepChunk, columns_of_sweep, compute_chunk
from backcast_engine.sweep.grid import possible_positions
from backcast_engine.times import EARLIEST_S
from services.compute.candles.location import DataVersion
from services.compute.tasks.batch import Task
from services.wire.result_parts import result_parts
from services.wire.results import packed_metrics, result_message


@dataclass(frozen=True, slots=True)
class ComputeJob:
    """Tasks on the candles of `cryptos`, which read `columns` besides the opening time.

    They read candles that open from `since_s` on; a task that raises HistoryTooShort also needs earlier ones.
    Each task gets the candles of the cryptos `others`, too, which its rules look at.
    `tasks_of` makes the tasks of a crypto when its candles are there. They may be newer than what was asked
    for.
    """

    cryptos: list[DataVersion]
    interval: Interval
    columns: tuple[str, ...]
    tasks_of: Callable[[DataVersion], Iterable[Task]]
    since_s: int = EARLIEST_S
    others: tuple[DataVersion, ...] = ()


def backtest_job(
    cryptos: list[DataVersion], backtest: Backtest, others: tuple[DataVersion, ...] = ()
) -> ComputeJob:
    """Return the job of one backtest on many cryptos; its results are those of `computed_result`."""
    task = Task(computed_result, backtest)
    return ComputeJob(
        cryptos, backtest.interval, backtest.columns, lambda _: [task], backtest.since_s, others
    )


def series_job(crypto: DataVersion, backtest: Backtest, others: tuple[DataVersion, ...] = ()) -> ComputeJob:
    """Return the job of the series that the strategy of a backtest compares, on one crypto.

    It reads the columns of the backtest, which are mostly there already.
    """
    task = Task(backtest_series, backtest)
    return ComputeJob(
        [crypto], backtest.interval, backtest.columns, lambda _: [task], backtest.since_s, others
    )


async def sweep_job(
    sweep: Sweep,
    chunk_size: int,
    chunks: dict[DataVersion, list[int]],
    chosen: NDArray[np.int64] | None = None,
    others: tuple[DataVersion, ...] = (),
) -> ComputeJob:
    """Return the job of a sweep: of each crypto, the chunks whose numbers (from 0) are wanted.

    A chunk has `chunk_size` combinations, the last one may have fewer. The combinations are those at the
    positions `chosen` in the grid, in their order; None: all that are possible.
    """
    positions = await possible_positions(sweep.grid) if chosen is None else chosen
    by_symbol = {data.symbol: wanted for data, wanted in chunks.items()}

    def tasks_of(data: DataVersion) -> list[Task]:
        firsts = [chunk * chunk_size for chunk in by_symbol[data.symbol]]
        return [
            Task(compute_chunk, SweepChunk(sweep, first, positions[first : first + chunk_size]))
            for first in firsts
        ]

    return ComputeJob(list(chunks), sweep.interval, columns_of_sweep(sweep), tasks_of, others=others)


def computed_result(history: History, backtest: Backtest) -> list[bytes]:
    """Run a backtest as `run_backtest` does, and return its ComputedResult, serialized.

    It is without symbol and fingerprint. Of a long result each part is a ComputedResult: merged in order,
    they are the whole.
    """
    result = run_backtest(history, backtest)
    parts = result_parts(result_message(result))
    computed = [ComputedResult(parts=[part.SerializeToString()]) for part in parts]
    computed[0].metrics = packed_metrics(result.metrics)
    computed[0].has_breaks = bool(result.breaks)
    return [each.SerializeToString() for each in computed]
