"""Tasks on candles, and the batches in which workers compute them: each task has a result of its own.

The worker processes import this: nothing here may import grpc.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from backcast_engine import ENGINE_VERSION
from backcast_engine.history import History
from services.compute.candles.location import CandleLocation, DataVersion
from services.compute.tasks.errors import picklable
from services.domain.errors import Unavailable


@dataclass(frozen=True)
class Task:
    """A call of `work(history, argument)` with one crypto's history.

    `work` is a function of a module that workers can import, and that imports no grpc. The argument and what
    it returns can be pickled.
    """

    work: Callable[[History, Any], Any]
    argument: Any


@dataclass(frozen=True)
class LocatedTask:
    """A task, and the locations of its candles and of those of other cryptos that it looks at.

    With `last_try`, it fails where they are gone.
    """

    location: CandleLocation
    task: Task
    last_try: bool = False
    others: tuple[CandleLocation, ...] = ()


@dataclass(frozen=True)
class TaskResult:
    """What a task returned or raised, and the version of the data that it read, None where it read none.

    `others` are the versions of the data of other cryptos that it read.
    """

    data: DataVersion | None
    value: Any
    others: tuple[DataVersion, ...] = ()


@dataclass(frozen=True)
class TaskBatch:
    """Tasks that are sent to a worker together, and the version of the engine that is to compute them."""

    tasks: Sequence[LocatedTask]
    engine_version: str = ENGINE_VERSION


@dataclass(frozen=True)
class BatchResult:
    """The results of a batch in the order of its tasks, and how many seconds they took."""

    results: list[TaskResult]
    seconds: float


def run_batch(batch: TaskBatch) -> BatchResult:
    """Compute one task after the other; an exception of a task is its result.

    Raises Unavailable as `check_engine` does.
    """
    check_engine(batch.engine_version)
    began = time.perf_counter()
    results = [_run(located) for located in batch.tasks]
    return BatchResult(results, time.perf_counter() - began)


def check_engine(expected: str) -> None:
    """Raise Unavailable where this worker has another version of the engine than compute.

    The results would be cached as those of the expected one.
    """
    if expected != ENGINE_VERSION:
        raise Unavailable(f"a worker has version {ENGINE_VERSION} of the engine, and compute {expected}")


def _run(located: LocatedTask) -> TaskResult:
    data = None
    try:
        loaded = [location.load() for location in located.others]
        data, history = located.location.load()
        if loaded:
            history = replace(history, others={other.symbol: others for other, others in loaded})
        value = located.task.work(history, located.task.argument)
        return TaskResult(data, value, tuple(other for other, _ in loaded))
    except Exception as error:
        return TaskResult(data, picklable(error))
