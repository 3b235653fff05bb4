"""A worker process, as the service starts, calls and ends it."""

import asyncio
import multiprocessing
import os
import pickle
import signal
import socket
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from multiprocessing.context import ForkServerProcess
from typing import Any

import structlog

from services.compute.tasks import batch, jobs
from services.compute.tasks.portfolio import account
from services.compute.workers import worker

# Workers come from a fork server, a process of its own that has imported the engine but never grpc:
# forking from this process would copy gRPC's threads and locks in whatever state they are.
_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload([module.__name__ for module in (worker, batch, jobs, account)])

_log = structlog.get_logger()

_READ_BYTES = 1 << 16
# A process ends when its connection does; after so long it is killed.
_END_LIMIT_S = 1.0
# How long a cancelled call may go on: most end within that, and starting a new process takes longer.
_CANCELLED_LIMIT_S = 0.5


@dataclass(slots=True, eq=False)
class WorkerCall:
    """A call of a function in a worker: its message, and the future of its result.

    The future never becomes `running`, so that it can be cancelled at any time.
    """

    message: bytes
    future: "Future[Any]" = field(default_factory=Future)
    deaths: int = 0


class WorkerProcess:
    """A process that runs one call at a time, and its connection, which the running event loop reads.

    `idle` is called whenever it waits for a call: when it has started, and after each call. `died` is called
    with its unfinished call, or None, when its connection ends without `close`. The process is killed when
    its start or a call takes longer than `limit_s`, or when a cancelled call does not end soon.
    """

    def __init__(
        self,
        idle: "Callable[[WorkerProcess], None]",
        died: "Callable[[WorkerProcess, WorkerCall | None], None]",
        limit_s: float,
    ) -> None:
        self._idle = idle
        self._died = died
        self._limit_s = limit_s
        self._loop = asyncio.get_running_loop()
        self._call: WorkerCall | None = None
        self._process: ForkServerProcess | None = None
        self._kill_later: asyncio.TimerHandle | None = None
        self.ready = False
        """Whether the process has become ready."""
        self.exit_code: int | None = None
        """The exit status of the last process that died; a signal's number is negative."""

    @property
    def busy(self) -> bool:
        """Whether it runs a call."""
        return self._call is not None

    def start(self) -> None:
        """Start the process, which then calls `idle`. Raises OSError or EOFError where it does not start."""
        self.ready = False
        self._received = bytearray()
        self._unsent = memoryview(b"")
        self._socket, theirs = socket.socketpair()
        self._socket.setblocking(False)
        with theirs:
            self._process = _CONTEXT.Process(target=worker.work, args=(theirs,), daemon=True)
            try:
                self._process.start()
            except BaseException:
                self._socket.close()
                raise
        self._loop.add_reader(self._socket, self.receive)
        self._kill_in(self._limit_s, self._kill_overdue)

    def send(self, call: WorkerCall) -> None:
        """Have the process, which must be idle, run a call."""
        self._call = call
        self._kill_in(self._limit_s, self._kill_overdue)
        call.future.add_done_callback(partial(self._limit_cancelled, call))
        self._unsent = memoryview(len(call.message).to_bytes(worker.LENGTH_BYTES, "little") + call.message)
        self._write()

    def flush(self) -> None:
        """Send all bytes that are not sent yet, while the event loop waits."""
        self._socket.setblocking(True)
        # Where the process died, `receive` will notice.
        with suppress(OSError):
            self._socket.sendall(self._unsent)
        self._unsent = memoryview(b"")
        self._socket.setblocking(False)

    def cancel_call(self) -> None:
        """Cancel the call that it runs, if any."""
        if self._call:
            self._call.future.cancel()

    def close(self) -> None:
        """Close the connection of an idle or dying process, so that it ends; `join` waits for that."""
        self._call_off_kill()
        self._loop.remove_reader(self._socket)
        self._loop.remove_writer(self._socket)
        self._socket.close()

    def join(self) -> None:
        """Wait for the end of a process that was closed."""
        if not self._process:
            return
        self._process.join(_END_LIMIT_S)
        if self._process.exitcode is None:
            self._process.kill()
            self._process.join()
        self.exit_code = self._process.exitcode
        # Now, and not when the garbage collector comes to it: it has open files.
        self._process.close()
        self._process = None

    def fileno(self) -> int:
        """Return the file descriptor that becomes readable when there is something to `receive`."""
        return self._socket.fileno()

    def receive(self) -> None:
        """Read what the process has sent so far."""
        try:
            part = self._socket.recv(_READ_BYTES)
        except BlockingIOError:
            return
        except OSError:
            part = b""
        if not part:
            self._end()
            return
        self._received += part
        have = len(self._received) - worker.LENGTH_BYTES
        if have >= 0 and have == int.from_bytes(self._received[: worker.LENGTH_BYTES], "little"):
            answer, self._received = self._received, bytearray()
            call, self._call = self._call, None
            self.ready = True
            self._call_off_kill()
            # First of all the worker gets its next call.
            self._idle(self)
            if call and not call.future.cancelled():
                _settle(call.future, memoryview(answer)[worker.LENGTH_BYTES :])

    def _write(self) -> None:
        try:
            self._unsent = self._unsent[self._socket.send(self._unsent) :]
        except BlockingIOError:
            pass
        except OSError:
            # The process died, which `receive` will notice.
            return
        if self._unsent:
            self._loop.add_writer(self._socket, self._write)
        else:
            self._loop.remove_writer(self._socket)

    def _limit_cancelled(self, call: WorkerCall, future: "Future[Any]") -> None:
        if future.cancelled() and call is self._call:
            self._kill_in(_CANCELLED_LIMIT_S, self._kill)

    def _kill_in(self, seconds: float, kill: Callable[[], None]) -> None:
        self._call_off_kill()
        self._kill_later = self._loop.call_later(seconds, kill)

    def _call_off_kill(self) -> None:
        if self._kill_later:
            self._kill_later.cancel()

    def _kill_overdue(self) -> None:
        _log.warning("unresponsive worker killed", limit_s=self._limit_s)
        self._kill()

    def _kill(self) -> None:
        """Kill the process; `receive` will notice."""
        # Not Process.kill, which does nothing where the fork server has died. While the connection is open,
        # the id belongs to this process.
        if self._process and self._process.pid:
            with suppress(ProcessLookupError):
                os.kill(self._process.pid, signal.SIGKILL)

    def _end(self) -> None:
        self.close()
        self.join()
        call, self._call = self._call, None
        self._died(self, call)


def _settle(future: "Future[Any]", answer: memoryview) -> None:
    try:
        succeeded, value = pickle.loads(answer)
    except Exception as error:
        future.set_exception(error)
    else:
        if succeeded:
            future.set_result(value)
        else:
            future.set_exception(value)
