"""Observes every call of a server until it ends, for metrics, traces and the run id in logs."""

import asyncio
import inspect
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import aclosing
from functools import partial
from typing import TYPE_CHECKING, Any

import grpc

from services.rpc.handlers import Behaviour, WrappedHandlers, wrapped
from services.telemetry.metrics import RPC_DURATION, RPCS_IN_PROGRESS, UNKNOWN_METHOD
from services.telemetry.run_id import RUN_ID_KEY, current_run_id, is_run_id
from services.telemetry.tracing import CallSpan

if TYPE_CHECKING:
    from services.rpc.handlers import Context, Handler

# Calls of these services are not traced: they come every few seconds, or last for days.
_NOT_TRACED = "grpc."
# A client that gives up at its deadline cancels the call a moment before the server's own timer does.
_DEADLINE_SLACK_S = 0.25


class WatchInterceptor(grpc.aio.ServerInterceptor):
    """Counts, times and traces calls, and sets the run id that they are for.

    It must be outside of every interceptor that ends calls, to see their final status.
    """

    def __init__(self) -> None:
        self._handlers = WrappedHandlers(_watched)

    async def intercept_service(
        self,
        continuation: "Callable[[grpc.HandlerCallDetails], Awaitable[Handler | None]]",
        handler_call_details: grpc.HandlerCallDetails,
    ) -> "Handler | None":
        """Wrap the method's handler."""
        handler = await continuation(handler_call_details)
        if handler is None:
            RPC_DURATION.labels(UNKNOWN_METHOD, grpc.StatusCode.UNIMPLEMENTED.name).observe(0.0)
            return None
        return self._handlers.of(handler_call_details.method, handler)


class ObservedCall:
    """A call in progress of `method`, service/method, in a task of its own."""

    def __init__(self, method: str, metadata: Mapping[str, Any]) -> None:
        self._arrived_at = time.perf_counter()
        self._method = method
        RPCS_IN_PROGRESS.labels(self._method).inc()
        run_id = metadata.get(RUN_ID_KEY)
        if isinstance(run_id, str) and is_run_id(run_id):
            # The task that serves a call ends with it, and so does this.
            current_run_id.set(run_id)
        self._span = None if self._method.startswith(_NOT_TRACED) else CallSpan(self._method, metadata)

    def end(self, code: grpc.StatusCode) -> None:
        """Count the call, with its final status."""
        RPCS_IN_PROGRESS.labels(self._method).dec()
        RPC_DURATION.labels(self._method, code.name).observe(time.perf_counter() - self._arrived_at)
        if self._span:
            self._span.end(code.name, code.value[0])


def _watched(method: str, handler: "Handler") -> "Handler":
    name = method.lstrip("/")
    return wrapped(handler, partial(_watch_unary, name), partial(_watch_stream, name))


def _observed(name: str, context: "Context") -> ObservedCall:
    return ObservedCall(name, dict(context.invocation_metadata() or ()))


def _final_code(context: "Context", error: BaseException | None) -> grpc.StatusCode:
    """Return the status of a call whose handler raised `error`."""
    # Whatever the type stubs say, the code is None if the handler returned normally.
    code: grpc.StatusCode | None = context.code()
    if code or error is None:
        return code or grpc.StatusCode.OK
    if isinstance(error, asyncio.CancelledError | GeneratorExit):
        remaining_s = context.time_remaining()
        is_late = remaining_s is not None and remaining_s <= _DEADLINE_SLACK_S
        return grpc.StatusCode.DEADLINE_EXCEEDED if is_late else grpc.StatusCode.CANCELLED
    return grpc.StatusCode.UNKNOWN


def _watch_unary(name: str, method: Behaviour) -> Behaviour:
    async def watched(request: Any, context: "Context") -> Any:
        call = _observed(name, context)
        try:
            answer = method(request, context)
            answer = await answer if inspect.isawaitable(answer) else answer
        except BaseException as error:
            call.end(_final_code(context, error))
            raise
        call.end(_final_code(context, None))
        return answer

    return watched


def _watch_stream(name: str, method: Behaviour) -> Behaviour:
    async def watched(request: Any, context: "Context") -> AsyncIterator[Any]:
        call = _observed(name, context)
        try:
            async with aclosing(method(request, context)) as messages:
                async for message in messages:
                    yield message
        except BaseException as error:
            call.end(_final_code(context, error))
            raise
        call.end(_final_code(context, None))

    return watched
