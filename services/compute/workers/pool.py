"""The pool of worker processes."""

import asyncio
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor, Future
from selectors import EVENT_READ, DefaultSelector
from typing import ParamSpec, Self, TypeVar

import structlog

from backcast_engine.errors import ErrorReason
from services.compute.tasks.errors import WorkerDied
from services.compute.workers.process import WorkerCall, WorkerProcess
from services.compute.workers.worker import call_message
from services.domain.errors import Unavailable

_Parameters = ParamSpec("_Parameters")
_Value = TypeVar("_Value")

_log = structlog.get_logger()

# A worker that died before it was ready is restarted later: it would die again at once.
_RESTART_PAUSE_S = 1.0


class WorkerPool(Executor):
    """Worker processes that run calls while its context lasts; entering it returns when all are warm.

    It has no threads: it belongs to the event loop that enters it, where its methods are called and its
    futures are awaited with asyncio.wrap_future. Enter it before the process has a gRPC server or channel.
    Why it is not a ProcessPoolExecutor: see docs/architecture.md.
    """

    batch_s = 0.01

    def __init__(self, size: int, call_limit_s: float = 60.0) -> None:
        """`call_limit_s`: a worker whose call takes longer is killed, as nothing may hang for ever."""
        self._size = size
        self._call_limit_s = call_limit_s
        self._deaths = 0
        self._waiting: deque[WorkerCall] = deque()
        self._workers: list[WorkerProcess] = []
        self._idle: list[WorkerProcess] = []
        self._closed = False
        # Set whenever a worker becomes ready, dies or ends.
        self._changed = asyncio.Event()

    async def __aenter__(self) -> Self:
        self._workers = [
            WorkerProcess(self._is_idle, self._has_died, self._call_limit_s) for _ in range(self._size)
        ]
        for worker in self._workers.copy():
            self._start(worker)
        await self._until(
            lambda: len(self._workers) < self._size or all(worker.ready for worker in self._workers)
        )
        if len(self._workers) < self._size:
            await self.__aexit__()
            raise Unavailable("the worker processes do not start: the log has the reason")
        return self

    async def __aexit__(self, *_: object) -> None:
        ending = self._workers.copy()
        self.shutdown(wait=False, cancel_futures=True)
        for worker in ending:
            worker.cancel_call()
        await self._until(lambda: not self._workers)
        await asyncio.to_thread(_join, ending)

    async def capacity(self) -> int:
        """Return how many calls run at once."""
        return self._size

    @property
    def size(self) -> int:
        """How many workers there should be."""
        return self._size

    @property
    def busy(self) -> int:
        """How many workers run a call."""
        return sum(worker.busy for worker in self._workers)

    @property
    def waiting(self) -> int:
        """How many calls wait for a worker."""
        # A copy, as metrics are read from another thread.
        return sum(not call.future.cancelled() for call in tuple(self._waiting))

    @property
    def deaths(self) -> int:
        """How many workers have died so far; workers that were killed for a cancelled call do not count."""
        return self._deaths

    def submit(
        self, fn: Callable[_Parameters, _Value], /, *args: _Parameters.args, **kwargs: _Parameters.kwargs
    ) -> "Future[_Value]":
        """Have a worker call `fn`, a module's function; where the worker dies, a new one calls it once more.

        The future raises what `fn` raised, an unexpected error with the worker's traceback as a note, and
        WorkerDied where two workers died. Cancelling it withdraws a call that has not begun. A call that has
        begun ends within about half a second: if need be its worker is killed, and a new one is started.
        Arguments that cannot be pickled raise here. Raises Unavailable after a shutdown.
        """
        if self._closed:
            raise Unavailable("compute is stopping", reason=ErrorReason.SERVICE_STOPPING, service="compute")
        call = WorkerCall(call_message(fn, args, kwargs))
        self._waiting.append(call)
        self._distribute()
        return call.future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Take no more calls, and end the workers when the submitted calls are done."""
        self._closed = True
        if cancel_futures:
            for call in self._waiting:
                call.future.cancel()
            self._waiting.clear()
        ending = self._workers.copy()
        self._distribute()
        if wait:
            # The event loop stands still meanwhile.
            while self._workers:
                with DefaultSelector() as selector:
                    for worker in self._workers:
                        worker.flush()
                        selector.register(worker, EVENT_READ, worker)
                    for ready, _ in selector.select():
                        ready.data.receive()
            for call in self._waiting:
                call.future.cancel()
            _join(ending)

    def _is_idle(self, worker: WorkerProcess) -> None:
        self._idle.append(worker)
        self._distribute()
        self._changed.set()

    def _distribute(self) -> None:
        while self._idle and self._waiting:
            call = self._waiting.popleft()
            if not call.future.cancelled():
                self._idle.pop().send(call)
        if self._closed and not self._waiting:
            for worker in self._idle:
                worker.close()
                self._workers.remove(worker)
            self._idle.clear()
            self._changed.set()

    def _has_died(self, worker: WorkerProcess, call: WorkerCall | None) -> None:
        if worker in self._idle:
            self._idle.remove(worker)
        if call and call.future.cancelled():
            _log.info("worker stopped", reason="its call was cancelled")
        else:
            self._note_death(worker, call)
        self._workers.remove(worker)
        if worker.ready:
            self._restart(worker)
        else:
            self._restart_later(worker)
        self._changed.set()

    def _note_death(self, worker: WorkerProcess, call: WorkerCall | None) -> None:
        self._deaths += 1
        _log.warning("worker died", exit_code=worker.exit_code)
        if call:
            call.deaths += 1
            if call.deaths < 2:
                self._waiting.appendleft(call)
            else:
                call.future.set_exception(WorkerDied("two workers died while computing this"))

    def _restart(self, worker: WorkerProcess) -> None:
        if not self._closed or self._waiting:
            self._workers.append(worker)
            self._start(worker)

    def _restart_later(self, worker: WorkerProcess) -> None:
        asyncio.get_running_loop().call_later(_RESTART_PAUSE_S, self._restart, worker)

    def _start(self, worker: WorkerProcess) -> None:
        try:
            worker.start()
        except (OSError, EOFError) as error:
            _log.error("worker did not start", reason=str(error))
            self._workers.remove(worker)
            self._restart_later(worker)
            self._changed.set()

    async def _until(self, holds: Callable[[], bool]) -> None:
        while not holds():
            self._changed.clear()
            await self._changed.wait()


def _join(workers: list[WorkerProcess]) -> None:
    for worker in workers:
        worker.join()
