"""Turns SIGINT and SIGTERM into the cancellation of a task; protects work that has to be finished."""

import asyncio
import signal
from collections.abc import Callable, Coroutine
from types import TracebackType
from typing import Any, Self, TypeVar

_T = TypeVar("_T")

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interrupts:
    """While this context lasts, the first SIGINT or SIGTERM cancels the task in it, which ends the context.

    Further signals do nothing: cleaning up takes bounded time, and interrupting it would leave servers
    behind.
    """

    def __init__(self) -> None:
        self.received: signal.Signals | None = None
        """The signal that ended the context."""

    def __enter__(self) -> Self:
        task = asyncio.current_task()
        assert task is not None
        loop = asyncio.get_running_loop()
        for number in _SIGNALS:
            loop.add_signal_handler(number, self._receive, number, task)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        loop = asyncio.get_running_loop()
        for number in _SIGNALS:
            loop.remove_signal_handler(number)
        task = asyncio.current_task()
        assert task is not None
        return (
            self.received is not None and task.uncancel() == 0 and isinstance(error, asyncio.CancelledError)
        )

    def _receive(self, number: signal.Signals, task: "asyncio.Task[object]") -> None:
        if self.received is None:
            self.received = number
            task.cancel()


async def uninterrupted(work: Coroutine[Any, Any, _T]) -> _T:
    """Finish `work`; a cancellation that arrives meanwhile is raised afterwards."""
    task = asyncio.create_task(work)
    cancellation: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError as error:
            cancellation = error
    if cancellation is not None:
        # Retrieved here, because asyncio logs an exception that is never retrieved.
        await asyncio.gather(task, return_exceptions=True)
        raise cancellation
    return task.result()


async def in_thread(work: Callable[[], _T]) -> _T:
    """Do `work` in a thread, which cannot be interrupted: a cancellation waits until it ends."""
    return await uninterrupted(asyncio.to_thread(work))
