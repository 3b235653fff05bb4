"""A Dask cluster as the workers: real processes, killed and started again."""

import asyncio
import os
import sys
from asyncio import wrap_future
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path

import numpy as np
import pytest

from backcast_engine.errors import InvalidInput, NotFound
from backcast_engine.interval import Interval
from services.compute.tasks.batch import Task
from services.compute.tasks.errors import WorkerDied
from services.compute.tasks.jobs import ComputeJob
from services.compute.tasks.runner import TaskRunner
from services.compute.workers import dask_cluster
from services.compute.workers.dask_cluster import DaskCluster
from services.domain.errors import Unavailable
from services.local.ports import free_ports
from tests.compute.acting import Gate, act, act_on_candles, marks_in, negative, not_found
from tests.compute.dask_processes import DaskProcesses, connected, kill
from tests.compute.supply import Supply, cryptos
from tests.waiting import until

pytestmark = pytest.mark.servers


@pytest.fixture(scope="module")
async def processes(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[DaskProcesses]:
    async with DaskProcesses(tmp_path_factory.mktemp("dask")) as processes:
        yield processes


@pytest.fixture
async def cluster(processes: DaskProcesses) -> AsyncIterator[DaskCluster]:
    async with connected(processes) as cluster:
        yield cluster


async def test_what_a_function_returns_comes_back_whatever_its_size(cluster: DaskCluster) -> None:
    large = np.arange(131_072.0)
    assert await wrap_future(cluster.submit(divmod, 17, 5)) == (3, 2)
    assert await wrap_future(cluster.submit(int, "ff", base=16)) == 255
    assert (await wrap_future(cluster.submit(negative, large))).tobytes() == (-large).tobytes()
    assert await asyncio.get_running_loop().run_in_executor(cluster, os.getpid) != os.getpid()


async def test_errors_are_raised_here(cluster: DaskCluster, tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="there is none"):
        await wrap_future(cluster.submit(not_found))
    with pytest.raises(ZeroDivisionError, match="as the test demands"):
        await wrap_future(cluster.submit(act, str(tmp_path), "fail"))


async def test_what_a_killed_worker_was_at_is_done_by_another(
    cluster: DaskCluster, processes: DaskProcesses, tmp_path: Path, gate: Gate
) -> None:
    calls = [wrap_future(cluster.submit(act, str(tmp_path), "wait")) for _ in range(6)]
    await until(lambda: bool(marks_in(tmp_path)))
    (first, *_) = tmp_path.iterdir()
    pid = int(first.name.partition("-")[2])
    (at_it,) = (worker for worker in processes.workers if worker.pid == pid)
    await kill(at_it)
    gate.open()
    await asyncio.gather(*calls)
    assert marks_in(tmp_path) >= 7


async def test_a_call_that_workers_die_of_fails_and_harms_no_other(
    cluster: DaskCluster, processes: DaskProcesses, tmp_path: Path
) -> None:
    deadly = wrap_future(cluster.submit(act, str(tmp_path), "die"))
    with pytest.raises(WorkerDied):
        await deadly
    assert marks_in(tmp_path) == 2
    waiting = wrap_future(cluster.submit(divmod, 17, 5))
    with pytest.raises(Unavailable, match=f"the Dask scheduler at {processes.address} has no workers"):
        await cluster.capacity()
    for worker in processes.workers:
        await worker.wait()
    await processes.start_workers()
    assert await waiting == (3, 2)


async def test_a_cancellation_takes_back_what_has_not_begun(
    cluster: DaskCluster, processes: DaskProcesses, tmp_path: Path, gate: Gate
) -> None:
    calls = [wrap_future(cluster.submit(act, str(tmp_path), "wait")) for _ in range(40)]
    await until(lambda: bool(marks_in(tmp_path)))
    for call in calls:
        call.cancel()
    await processes.taken_back()
    gate.open()
    assert await asyncio.gather(*(wrap_future(cluster.submit(divmod, 17, 5)) for _ in range(4)))
    # Two workers, each with the call that it was at.
    assert marks_in(tmp_path) <= 2


async def test_a_reader_that_leaves_gives_the_cluster_back(
    cluster: DaskCluster, processes: DaskProcesses, tmp_path: Path
) -> None:
    marks = tmp_path / "marks"
    marks.mkdir()
    task = Task(act_on_candles, (str(marks), "wait after the first"))
    runner = TaskRunner(cluster, Supply(tmp_path / "columns", cryptos(50)))
    with Gate(marks) as gate:
        async with aclosing(
            runner.run(ComputeJob(cryptos(50), Interval.HOUR_1, ("close",), lambda _: [task]))
        ) as outcomes:
            await anext(outcomes)
        await processes.taken_back()
        gate.open()
        assert await asyncio.gather(*(wrap_future(cluster.submit(divmod, 17, 5)) for _ in range(4)))
    # Two workers, each with the task that it was at, and the one that was read, or both that were the first.
    assert marks_in(marks) <= 4


async def test_a_shutdown_waits_for_what_was_submitted(processes: DaskProcesses, tmp_path: Path) -> None:
    async with DaskCluster(processes.address) as cluster:
        calls = [cluster.submit(act, str(tmp_path)) for _ in range(3)]
        cluster.shutdown()
        assert all(isinstance(call.result(timeout=0), int) for call in calls)
        with pytest.raises(Unavailable, match="stopping"):
            cluster.submit(divmod, 17, 5)


async def test_without_a_scheduler_it_does_not_start() -> None:
    address = f"127.0.0.1:{free_ports(1)[0]}"
    with pytest.raises(Unavailable, match=f"the Dask scheduler at {address} does not answer"):
        async with DaskCluster(address):
            pass


async def test_without_the_package_the_setting_is_named(
    processes: DaskProcesses, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(InvalidInput, match=r"^BACKCAST_COMPUTE_EXECUTOR: needs Dask"):
        async with DaskCluster(processes.address):
            pass


async def test_a_scheduler_that_comes_back_is_used_again(
    processes: DaskProcesses, tmp_path: Path, gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dask_cluster, "_PATIENCE_S", 0.5)
    async with DaskCluster(processes.address) as cluster:
        await processes.start_workers()
        calls = [wrap_future(cluster.submit(act, str(tmp_path), "wait")) for _ in range(10)]
        await until(lambda: bool(marks_in(tmp_path)))
        await kill(processes.scheduler)
        for outcome in await asyncio.gather(*calls, return_exceptions=True):
            assert isinstance(outcome, Unavailable), outcome
        with pytest.raises(Unavailable, match=f"the Dask scheduler at {processes.address} does not answer"):
            await cluster.capacity()
        for worker in processes.workers:
            await kill(worker)
        await processes.start_scheduler()
        await processes.start_workers()
        await processes.joined(cluster)
        assert await wrap_future(cluster.submit(divmod, 17, 5)) == (3, 2)


async def test_a_scheduler_that_sends_more_with_its_first_message_is_connected_to(
    processes: DaskProcesses,
) -> None:
    await processes.send_with_the_first_message()
    async with connected(processes) as cluster:
        assert await wrap_future(cluster.submit(divmod, 17, 5)) == (3, 2)
