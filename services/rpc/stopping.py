"""Stops a service: the signals that stop it, and the end of its calls in progress."""

import asyncio
import inspect
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import aclosing, contextmanager
from typing import TYPE_CHECKING, Any

import grpc

from backcast_engine.errors import ErrorReason
from services.domain.errors import Unavailable
from services.rpc.handlers import Behaviour, WrappedHandlers, wrapped

if TYPE_CHECKING:
    from services.rpc.handlers import Context, Handler

# Seconds for sending the status of calls that did not finish within the grace time.
FINAL_STATUS_S = 1.0

_END = object()


def stop_signal() -> asyncio.Event:
    """Return an event that SIGINT and SIGTERM set, which from now on do not end the process."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    return stop


class CallEnder:
    """Ends calls in progress with a message: their work is cancelled, and raises Unavailable.

    A call whose client does not read gets no message.
    """

    def __init__(self, service: str) -> None:
        """`service` is the name of the service that stops."""
        self._service = service
        self._stopping = asyncio.Event()
        # Calls whose handlers are running; calls whose messages are being sent are not among them.
        self._at_work: set[asyncio.Task[Any]] = set()

    def end_calls(self) -> None:
        """End all calls, present and future."""
        self._stopping.set()
        for task in self._at_work:
            task.cancel()

    @contextmanager
    def work(self) -> Iterator[None]:
        """End the awaits of the body with Unavailable when the service stops."""
        if self._stopping.is_set():
            raise self._error()
        task = asyncio.current_task()
        assert task
        self._at_work.add(task)
        try:
            yield
        except asyncio.CancelledError:
            if not self._stopping.is_set():
                raise
            task.uncancel()
            raise self._error() from None
        finally:
            self._at_work.discard(task)

    def _error(self) -> Unavailable:
        return Unavailable(
            "the service is stopping", reason=ErrorReason.SERVICE_STOPPING, service=self._service
        )


class StoppingInterceptor(grpc.aio.ServerInterceptor):
    """Ends calls as `ender` says; gRPC would close their connections without a message.

    StatusInterceptor, which must come before this one, converts Unavailable to a status.
    """

    def __init__(self, ender: CallEnder) -> None:
        self._ender = ender
        self._handlers = WrappedHandlers(lambda _, handler: wrapped(handler, self._unary, self._stream))

    async def intercept_service(
        self,
        continuation: "Callable[[grpc.HandlerCallDetails], Awaitable[Handler | None]]",
        handler_call_details: grpc.HandlerCallDetails,
    ) -> "Handler | None":
        """Wrap the method's handler."""
        handler = await continuation(handler_call_details)
        return None if handler is None else self._handlers.of(handler_call_details.method, handler)

    def _unary(self, method: Behaviour) -> Behaviour:
        async def stoppable(request: Any, context: "Context") -> Any:
            with self._ender.work():
                answer = method(request, context)
                return await answer if inspect.isawaitable(answer) else answer

        return stoppable

    def _stream(self, method: Behaviour) -> Behaviour:
        async def stoppable(request: Any, context: "Context") -> AsyncIterator[Any]:
            answer = method(request, context)
            if inspect.isawaitable(answer):
                # Its messages go out by themselves: so it is with Watch of health.
                with self._ender.work():
                    await answer
                return
            async with aclosing(answer) as messages:
                while True:
                    with self._ender.work():
                        message = await anext(messages, _END)
                    if message is _END:
                        return
                    yield message

        return stoppable
