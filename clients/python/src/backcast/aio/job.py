"""What runs, sweeps and portfolios have in common that a task reads: how they are read and cancelled."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from types import TracebackType
from typing import Any, Self

import grpc

from backcast.calls import Calls
from backcast.errors import BackcastError, CancelledError
from backcast.portfolio_log import PortfolioLog
from backcast.quantities import seconds
from backcast.run_log import Progress, Recovery, RunLog, ended_early
from backcast.sweep_events import BaseSweepLog, SweepRecovery
from backcast.versions import check_server, version_in
from backcast.views import JobView


class Job(JobView):
    """A run, a sweep or a portfolio; leaving its block cancels it."""

    def __init__(
        self,
        calls: Calls,
        log: RunLog | PortfolioLog | BaseSweepLog,
        recovery: Recovery | SweepRecovery,
        timeout_s: float | None,
    ) -> None:
        """`timeout_s` is for everything, whatever streams break off."""
        super().__init__(log)
        self._calls = calls
        self._recovery = recovery
        self._reading = asyncio.Lock()
        self._call: Any = None
        self._ends_at = None if timeout_s is None else time.monotonic() + seconds(timeout_s, "timeout")

    async def begin(self) -> Self:
        """Ask the server, and wait for the start."""
        while not self._log.has_started:
            await self._read()
        if self._call is not None:
            check_server(version_in(await self._call.initial_metadata()), self._calls.connection.address)
        return self

    async def wait(self) -> Self:
        """Wait for the end, and return what was waited for."""
        while not self._log.is_complete:
            await self._read()
        return self

    async def cancel(self) -> None:
        """Cancel what is not complete: the server computes nothing more of it."""
        if self._is_cancelled or self._log.is_complete:
            return
        self._is_cancelled = True
        if self._call is not None:
            self._call.cancel()
        if self._log.has_started:
            # Where this fails, the server has noticed the end of the stream, or is away: it computes nothing.
            with suppress(grpc.RpcError):
                await self._calls.cancel_run(self._log.run_id)

    def __del__(self) -> None:
        # A task of gRPC's keeps a call alive that nobody reads any more.
        if self._call is not None:
            self._call.cancel()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.cancel()

    async def _read(self) -> None:
        """Read what comes next; raise CancelledError where this was cancelled."""
        async with self._reading:
            if self._log.is_complete:
                # Another task has read the end.
                return
            if self._is_cancelled:
                raise CancelledError(f"this {self._kind} was cancelled")
            await self._read_next()

    async def _read_next(self) -> None:
        """Read the next event, through as many streams as it takes."""
        while True:
            broken: grpc.RpcError | None = None
            error: BackcastError
            try:
                if self._call is None:
                    self._call = self._calls.events(self._log.next_request(), self._seconds_left())
                event = await asyncio.shield(asyncio.ensure_future(self._call.read()))
            except grpc.RpcError as failed:
                broken, error = failed, self._calls.error_of(failed)
            except asyncio.CancelledError:
                # Who waits again needs another call. Cancelling this one ends the read; a read that is itself
                # cancelled is never released by gRPC (https://github.com/grpc/grpc/issues/43360).
                if self._call is not None:
                    self._call.cancel()
                    self._call = None
                raise
            else:
                if event is not grpc.aio.EOF:
                    self._log.add(event)
                    self._recovery.succeeded()
                    return
                error = ended_early(self._calls.connection.address)
            self._call = None
            await asyncio.sleep(self._recovery.pause_after(broken, error))

    def _seconds_left(self) -> float | None:
        return None if self._ends_at is None else max(0.0, self._ends_at - time.monotonic())


class ProgressJob(Job):
    """A sweep or a portfolio, whose result comes at its end: iterating yields the progress until then."""

    async def __aiter__(self) -> AsyncIterator[Progress]:
        """Yield the progress, whenever it changes."""
        while not self._log.is_complete:
            before = self._log.progress
            await self._read()
            if self._log.progress != before:
                yield self._log.progress


class SweepJob(ProgressJob):
    """A sweep, which cannot be resumed: where its stream breaks off, it is asked for again."""

    def __init__(self, calls: Calls, log: BaseSweepLog, timeout_s: float | None) -> None:
        """The client makes sweeps."""
        super().__init__(calls, log, SweepRecovery(log, calls.connection.patience_s), timeout_s)
        self._begin_anew = log.begin_anew

    async def _read_next(self) -> None:
        try:
            await super()._read_next()
        except asyncio.CancelledError:
            # Who waits again asks for the sweep anew.
            self._begin_anew()
            raise
