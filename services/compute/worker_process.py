"""The service's end of a worker process."""

import asyncio
import multiprocessing
import pickle
import socket

import structlog

from services.compute import worker
from services.compute.engine import BacktestResult
from services.shared.errors import Unavailable

_log = structlog.get_logger()

# Workers come from a fork server, a process of its own that has imported the engine but never grpc:
# forking from this process would copy gRPC's threads and locks in whatever state they are.
_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload([worker.__name__])


class WorkerProcess:
    """A process that runs one backtest at a time; a new one takes its place where it dies."""

    async def start(self) -> None:
        """Start the process, and wait until it is ready for its first task."""
        ours, theirs = socket.socketpair()
        with theirs:
            self._process = _CONTEXT.Process(target=worker.work, args=(theirs,), daemon=True)
            self._process.start()
        self._reader, self._writer = await asyncio.open_connection(sock=ours)
        await self._reader.readexactly(len(worker.READY))

    async def run(self, task: worker.BacktestTask) -> BacktestResult:
        """Run one backtest, once more where the process died meanwhile; raise what the backtest raised."""
        try:
            answer = await self._answer(task)
        except (EOFError, ConnectionError):
            await self._replace()
            try:
                answer = await self._answer(task)
            except (EOFError, ConnectionError):
                await self._replace()
                raise Unavailable("the worker died twice in this backtest") from None
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def close(self) -> None:
        """End the process, after the backtest that it is at."""
        self._writer.close()
        await asyncio.to_thread(self._process.join)

    async def _answer(self, task: worker.BacktestTask) -> BacktestResult | Exception:
        self._writer.write(pickle.dumps(task))
        length = int.from_bytes(await self._reader.readexactly(worker.LENGTH_BYTES), "little")
        answer: BacktestResult | Exception = pickle.loads(await self._reader.readexactly(length))
        return answer

    async def _replace(self) -> None:
        _log.warning("a worker died: starting a new one")
        await self.close()
        await self.start()
