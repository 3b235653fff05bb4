"""Tasks on candles, as workers do them: several at a time, and each with an answer of its own."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from services.compute.candles.location import CandlePlace, CryptoData
from services.compute.workers.worker import portable
from services.domain.errors import Unavailable
from services.domain.history import History
from services.engine import ENGINE_VERSION


@dataclass(frozen=True)
class Task:
    """`work(history, argument)` is to be called with one crypto's history.

    `work` is a function of a module that workers can import, and no module that imports grpc; the argument
    and what it returns can be pickled.
    """

    work: Callable[[History, Any], Any]
    argument: Any


@dataclass(frozen=True)
class PlacedTask:
    """A task, where its candles are, and whether it is not to be tried again where they are gone."""

    place: CandlePlace
    task: Task
    last_try: bool = False


@dataclass(frozen=True)
class TaskResult:
    """What a task returned or raised; `data` is what it was computed from, None where nothing was read."""

    data: CryptoData | None
    value: Any


@dataclass(frozen=True)
class Batch:
    """Tasks that travel together, and the engine that is expected to do them."""

    tasks: Sequence[PlacedTask]
    engine_version: str = ENGINE_VERSION


@dataclass(frozen=True)
class BatchResult:
    """The results of a batch, in its order, and how long it took to compute them."""

    results: list[TaskResult]
    seconds: float


def run_batch(batch: Batch) -> BatchResult:
    """Do one task after the other; what one of them raises is its result.

    Raises Unavailable where this worker has another engine: its results would be kept as the expected one's.
    """
    if batch.engine_version != ENGINE_VERSION:
        raise Unavailable(
            f"a worker has version {ENGINE_VERSION} of the engine, and compute {batch.engine_version}"
        )
    began = time.perf_counter()
    results = [_run(placed) for placed in batch.tasks]
    return BatchResult(results, time.perf_counter() - began)


def _run(placed: PlacedTask) -> TaskResult:
    data = None
    try:
        data, history = placed.place.load()
        return TaskResult(data, placed.task.work(history, placed.task.argument))
    except Exception as error:
        return TaskResult(data, portable(error))
