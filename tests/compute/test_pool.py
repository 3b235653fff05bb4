"""The pool of workers: results, the death of a worker, and cancellation."""

import asyncio
import os
import signal
from asyncio import wrap_future
from concurrent.futures import CancelledError
from pathlib import Path

import numpy as np
import psutil
import pytest
import structlog

from backcast_engine.errors import NotFound
from services.compute.tasks.errors import WorkerDied
from services.compute.workers import process, worker
from services.compute.workers.pool import WorkerPool
from services.domain.errors import Unavailable
from tests.compute.acting import (
    Gate,
    act,
    end_at_once,
    marks_in,
    negative,
    not_found,
    raise_two_parts,
    unpicklable,
)
from tests.waiting import LIMIT_S, until

pytestmark = pytest.mark.servers


async def mark_in(folder: Path) -> None:
    """Wait until a worker has begun to act."""
    await until(lambda: bool(marks_in(folder)))


# A megabyte: more than a connection holds.
LARGE = np.arange(131_072.0)


async def test_what_a_function_returns_comes_back_whatever_its_size(pool: WorkerPool) -> None:
    assert await wrap_future(pool.submit(divmod, 17, 5)) == (3, 2)
    assert await wrap_future(pool.submit(int, "ff", base=16)) == 255
    assert (await wrap_future(pool.submit(negative, LARGE))).tobytes() == (-LARGE).tobytes()


async def test_asyncio_takes_it_as_an_executor(pool: WorkerPool) -> None:
    pid = await asyncio.get_running_loop().run_in_executor(pool, os.getpid)
    assert pid != os.getpid()


async def test_errors_are_raised_here_and_unexpected_ones_name_their_origin(
    pool: WorkerPool, tmp_path: Path
) -> None:
    with pytest.raises(NotFound, match="there is none") as expected:
        await wrap_future(pool.submit(not_found))
    assert not hasattr(expected.value, "__notes__")
    with pytest.raises(ZeroDivisionError, match="as the test demands") as unexpected:
        await wrap_future(pool.submit(act, str(tmp_path), "fail"))
    assert "in act\n" in "".join(unexpected.value.__notes__)


async def test_what_cannot_be_pickled_is_an_error_and_harms_no_worker(pool: WorkerPool) -> None:
    pid = await wrap_future(pool.submit(os.getpid))
    with pytest.raises(RuntimeError, match="TwoPartError: in two parts") as error:
        await wrap_future(pool.submit(raise_two_parts))
    assert "in raise_two_parts\n" in "".join(error.value.__notes__)
    with pytest.raises(AttributeError, match="Can't pickle"):
        await wrap_future(pool.submit(unpicklable))
    with pytest.raises(AttributeError, match="Can't pickle"):
        pool.submit(lambda: None)
    assert await wrap_future(pool.submit(os.getpid)) == pid


async def test_a_call_whose_worker_dies_is_tried_once_more(pool: WorkerPool, tmp_path: Path) -> None:
    assert await wrap_future(pool.submit(act, str(tmp_path), "die once")) == 1


async def test_a_deadly_call_fails_and_harms_no_other(pool: WorkerPool, tmp_path: Path) -> None:
    deadly, other = pool.submit(act, str(tmp_path), "die"), pool.submit(divmod, 17, 5)
    with pytest.raises(WorkerDied):
        await wrap_future(deadly)
    assert await wrap_future(other) == (3, 2)
    assert marks_in(tmp_path) == 2


async def test_an_idle_worker_that_is_killed_is_replaced(pool: WorkerPool, tmp_path: Path) -> None:
    killed = await wrap_future(pool.submit(os.getpid))
    os.kill(killed, signal.SIGKILL)
    assert await wrap_future(pool.submit(os.getpid)) != killed


async def test_a_cancellation_takes_back_what_has_not_begun(
    pool: WorkerPool, tmp_path: Path, gate: Gate
) -> None:
    begun, queued = (pool.submit(act, str(tmp_path), "wait") for _ in range(2))
    await mark_in(tmp_path)
    assert (pool.busy, pool.waiting) == (1, 1)
    assert queued.cancel()
    assert (pool.busy, pool.waiting) == (1, 0)
    gate.open()
    assert await wrap_future(pool.submit(divmod, 17, 5)) == (3, 2)
    assert begun.result() == 0
    assert marks_in(tmp_path) == 1
    assert (pool.size, pool.busy, pool.waiting) == (1, 0, 0)


async def test_a_call_that_is_given_up_may_end_by_itself(
    pool: WorkerPool, tmp_path: Path, gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "_CANCELLED_LIMIT_S", LIMIT_S)
    pid = await wrap_future(pool.submit(os.getpid))
    begun = wrap_future(pool.submit(act, str(tmp_path), "wait"))
    await mark_in(tmp_path)
    begun.cancel()
    gate.open()
    assert await wrap_future(pool.submit(os.getpid)) == pid


async def test_a_call_that_is_given_up_and_goes_on_ends_with_its_worker(
    pool: WorkerPool, tmp_path: Path, gate: Gate
) -> None:
    pid, deaths = await wrap_future(pool.submit(os.getpid)), pool.deaths
    begun = wrap_future(pool.submit(act, str(tmp_path), "wait"))
    await mark_in(tmp_path)
    with structlog.testing.capture_logs() as logs:
        begun.cancel()
        assert await wrap_future(pool.submit(os.getpid)) != pid
    assert not psutil.pid_exists(pid)
    assert marks_in(tmp_path) == 1
    assert pool.deaths == deaths
    assert [entry["log_level"] for entry in logs] == ["info"]


async def test_a_worker_that_does_not_answer_is_one_that_died(tmp_path: Path) -> None:
    async with WorkerPool(1, call_limit_s=0.5) as pool:
        assert await wrap_future(pool.submit(act, str(tmp_path), "stop once")) == 1
        with pytest.raises(WorkerDied):
            await wrap_future(pool.submit(act, str(tmp_path), "stop"))
        assert pool.deaths == 3
        assert await wrap_future(pool.submit(divmod, 17, 5)) == (3, 2)


async def test_a_fork_server_that_is_killed_is_replaced_when_it_is_needed(pool: WorkerPool) -> None:
    pid = await wrap_future(pool.submit(os.getpid))
    server = psutil.Process(pid).parent()
    assert server
    server.kill()
    assert await wrap_future(pool.submit(os.getpid)) == pid
    os.kill(pid, signal.SIGKILL)
    replacement = psutil.Process(await wrap_future(pool.submit(os.getpid)))
    assert replacement.pid != pid
    assert replacement.ppid() != server.pid


async def test_dead_workers_leave_no_files_open(pool: WorkerPool, tmp_path: Path) -> None:
    await wrap_future(pool.submit(os.getpid))
    before = psutil.Process().num_fds()
    for _ in range(3):
        with pytest.raises(WorkerDied):
            await wrap_future(pool.submit(act, str(tmp_path), "die"))
    await wrap_future(pool.submit(os.getpid))
    assert psutil.Process().num_fds() == before


async def test_a_shutdown_waits_for_what_was_submitted(tmp_path: Path) -> None:
    async with WorkerPool(2) as pool:
        calls = [pool.submit(negative, LARGE) for _ in range(5)]
        dying = pool.submit(act, str(tmp_path), "die once")
        pool.shutdown()
        assert [call.result()[-1] for call in calls] == [-LARGE[-1]] * 5
        assert dying.result() == 1
        with pytest.raises(Unavailable, match="stopping"):
            pool.submit(divmod, 17, 5)


async def test_a_shutdown_can_cancel_what_waits(tmp_path: Path) -> None:
    async with WorkerPool(1) as pool:
        begun, *queued = (pool.submit(act, str(tmp_path)) for _ in range(3))
        pool.shutdown(cancel_futures=True)
        assert begun.result() == 0
        for call in queued:
            with pytest.raises(CancelledError):
                call.result(timeout=0)


async def test_workers_that_cannot_start_are_one_clear_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "work", end_at_once)
    with pytest.raises(Unavailable, match="worker processes do not start"):
        async with WorkerPool(2):
            pass
