"""Calls of workers for many arguments: as many at once as there are workers, each with its own outcome."""

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest

from backcast_engine.errors import Refused
from services.compute.tasks.runner import TaskRunner
from tests.compute.supply import Supply


class Waiting:
    """Two workers that complete a call when a test does."""

    batch_s = 0.1

    def __init__(self) -> None:
        self.calls: dict[int, Future[Any]] = {}
        self.submitted: asyncio.Queue[int] = asyncio.Queue()

    async def capacity(self) -> int:
        return 2

    def submit(self, fn: Callable[[Any], Any], argument: Any, /) -> "Future[Any]":
        future: Future[Any] = Future()
        self.calls[argument] = future
        self.submitted.put_nowait(argument)
        return future


def doubled(number: int) -> int:
    return 2 * number


@pytest.fixture
def workers() -> Waiting:
    return Waiting()


@pytest.fixture
def runner(workers: Waiting, tmp_path: Path) -> TaskRunner:
    return TaskRunner(workers, Supply(tmp_path, []))


async def test_so_many_calls_are_under_way_as_there_are_workers(workers: Waiting, runner: TaskRunner) -> None:
    taken = []

    def arguments() -> Iterator[int]:
        for number in (7, 8, 9, 10):
            taken.append(number)
            yield number

    found: list[tuple[int, object]] = []
    async with aclosing(runner.calls(doubled, arguments())) as results:
        task = asyncio.ensure_future(anext(results))
        assert [await workers.submitted.get() for _ in range(2)] == [7, 8]
        # What waits for a worker is not even made.
        assert taken == [7, 8]
        workers.calls[8].set_result(16)
        found.append(await task)
        for number, result in ((7, 14), (9, Refused("no")), (10, 20)):
            task = asyncio.ensure_future(anext(results))
            if number < 9:
                # The place of the one that has ended is taken by the next.
                assert await workers.submitted.get() == 9
            elif number == 9:
                assert await workers.submitted.get() == 10
            if isinstance(result, Refused):
                workers.calls[number].set_exception(result)
            else:
                workers.calls[number].set_result(result)
            found.append(await task)
        assert [place for place, _ in found] == [1, 0, 2, 3]
        assert [result for _, result in found if not isinstance(result, Refused)] == [16, 14, 20]
        assert isinstance(found[2][1], Refused)
        with pytest.raises(StopAsyncIteration):
            await anext(results)


async def test_closing_cancels_what_is_under_way(workers: Waiting, runner: TaskRunner) -> None:
    results = runner.calls(doubled, [1, 2, 3])
    task = asyncio.ensure_future(anext(results))
    assert [await workers.submitted.get() for _ in range(2)] == [1, 2]
    workers.calls[1].set_result(2)
    assert await task == (0, 2)
    await results.aclose()
    assert workers.calls[2].cancelled()
    assert 3 not in workers.calls


async def test_an_error_of_another_kind_ends_all(workers: Waiting, runner: TaskRunner) -> None:
    task = asyncio.ensure_future(anext(runner.calls(doubled, [1, 2])))
    assert [await workers.submitted.get() for _ in range(2)] == [1, 2]
    workers.calls[1].set_exception(FileNotFoundError("gone"))
    with pytest.raises(FileNotFoundError):
        await task
    assert workers.calls[2].cancelled()
