"""A Dask scheduler and workers as processes of this machine, which tests may kill."""

import asyncio
import os
import sys
from asyncio.subprocess import DEVNULL, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Self

from distributed import Scheduler, Worker
from distributed.diagnostics.plugin import SchedulerPlugin

from services.compute.workers.dask_cluster import DaskCluster, connect
from services.domain.errors import Unavailable
from services.local.ports import free_ports
from tests.waiting import until

ROOT = Path(__file__).parents[2]


class DaskProcesses:
    """A scheduler, at `address` (host:port), and one-threaded workers, while its context lasts."""

    def __init__(self, folder: Path, workers: int = 2) -> None:
        self._folder = folder
        self._count = workers
        self.address = f"127.0.0.1:{free_ports(1)[0]}"
        self.workers: list[Process] = []
        self._started = 0

    async def __aenter__(self) -> Self:
        await self.start_scheduler()
        await self.start_workers()
        return self

    async def __aexit__(self, *_: object) -> None:
        for process in (*self.workers, self.scheduler):
            await kill(process)

    async def start_scheduler(self) -> None:
        self.scheduler = await self._start(
            "scheduler",
            *("--host", "127.0.0.1", "--port", self.address.rpartition(":")[2]),
            # A call that two workers have died of is given up.
            DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES="1",
            # Should the tests be killed, it ends.
            DASK_DISTRIBUTED__SCHEDULER__IDLE_TIMEOUT="5 minutes",
        )
        await until(self._listens)

    async def start_workers(self) -> None:
        """Start workers in place of those that have ended, each with a folder of its own for everything."""
        self.workers = [worker for worker in self.workers if worker.returncode is None]
        while len(self.workers) < self._count:
            self._started += 1
            folder = self._folder / f"worker-{self._started}"
            self.workers.append(
                await self._start(
                    "worker",
                    f"tcp://{self.address}",
                    *("--host", "127.0.0.1", "--nthreads", "1", "--no-nanny"),
                    # In the environment: a worker that is started again has the command of the one before.
                    DASK_TEMPORARY_DIRECTORY=str(folder),
                    BACKCAST_COLUMN_DIR=str(folder / "columns"),
                )
            )

    async def joined(self, cluster: DaskCluster) -> None:
        """Wait until all workers have joined."""

        async def have_joined() -> bool:
            try:
                return await cluster.capacity() == self._count
            except Unavailable:
                return False

        await until(have_joined)

    async def taken_back(self) -> None:
        """Wait until all calls were taken back that no worker has begun, after all were cancelled."""

        def are_taken_back() -> bool:
            if client.run_on_scheduler(_calls_at_scheduler):
                return False
            return max(client.run(_calls_at_worker).values()) <= 1

        client = await asyncio.to_thread(connect, self.address)
        try:
            await until(lambda: asyncio.to_thread(are_taken_back))
        finally:
            await asyncio.to_thread(client.close)

    async def send_with_the_first_message(self) -> None:
        """Have the scheduler send another message with its first one, once, to the client that comes next."""
        client = await asyncio.to_thread(connect, self.address)
        await asyncio.to_thread(client.register_plugin, _SendsMore())
        await asyncio.to_thread(client.close)

    async def _listens(self) -> bool:
        host, _, port = self.address.rpartition(":")
        try:
            _, writer = await asyncio.open_connection(host, int(port))
        except OSError:
            return False
        writer.close()
        return True

    async def _start(self, what: str, *arguments: str, **environment: str) -> Process:
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", f"distributed.cli.dask_{what}", *arguments, "--no-dashboard"),
            cwd=ROOT,
            env={**os.environ, **environment},
            stdout=DEVNULL,
            stderr=DEVNULL,
        )


class _SendsMore(SchedulerPlugin):
    def __init__(self) -> None:
        self.has_sent = False

    def add_client(self, scheduler: Scheduler, client: str) -> None:
        if not self.has_sent:
            self.has_sent = True
            message = {"op": "key-in-memory", "key": "of another client"}
            # Once the first message is queued.
            asyncio.get_running_loop().call_soon(lambda: scheduler.client_comms[client].send(message))


def _calls_at_scheduler(dask_scheduler: Scheduler) -> int:
    return len(dask_scheduler.tasks)


def _calls_at_worker(dask_worker: Worker) -> int:
    return len(dask_worker.state.tasks)


async def kill(process: Process) -> None:
    with suppress(ProcessLookupError):
        process.kill()
    await process.wait()


@asynccontextmanager
async def connected(processes: DaskProcesses) -> AsyncIterator[DaskCluster]:
    """Connect to the cluster, when it has all of its workers."""
    await processes.start_workers()
    async with DaskCluster(processes.address) as cluster:
        await processes.joined(cluster)
        yield cluster
