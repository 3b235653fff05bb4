"""Turns SIGINT and SIGTERM into the cancellation of a task."""

import asyncio
import signal
from types import TracebackType
from typing import Self

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
