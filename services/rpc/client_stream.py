"""Calls that stream requests, and the status with which their service ended them."""

import asyncio
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any, TypeVar

import grpc

if TYPE_CHECKING:
    _StreamUnaryCall = grpc.aio.StreamUnaryCall[Any, Any]

T = TypeVar("T")

# The status comes with the failed request, a moment before it or after it.
_PATIENCE_S = 1.0


async def response_of(call: "_StreamUnaryCall") -> Any:
    """Return the response to a call that was just made; raise AioRpcError as the service ended it.

    A service may end a call while requests are still on their way: it refuses what it has seen, it stops, or
    the deadline passes. The next request cannot be sent then, and gRPC's client takes that for the call's
    status: INTERNAL, "Internal error from Core", instead of the one that the service has sent
    (https://github.com/grpc/grpc/issues/36066).
    """
    status = _StatusOfService(call)
    try:
        return await call
    except grpc.aio.AioRpcError as error:
        if not _is_of_failed_request(error):
            raise
        try:
            async with asyncio.timeout(_PATIENCE_S):
                raise await status.error() from None
        except TimeoutError:
            raise error from None


class _StatusOfService:
    """The status with which a service ends a call, whatever status the client library sets."""

    def __init__(self, call: "_StreamUnaryCall") -> None:
        self._error: asyncio.Future[grpc.aio.AioRpcError] = asyncio.get_running_loop().create_future()
        # Called each time that the call gets a status, also another one.
        call.add_done_callback(self._note)

    async def error(self) -> grpc.aio.AioRpcError:
        """Wait for the status, and return it as an error."""
        return await self._error

    def _note(self, call: "_StreamUnaryCall") -> None:
        error = grpc.aio.AioRpcError(
            _at_once(call.code()),
            _at_once(call.initial_metadata()),
            _at_once(call.trailing_metadata()),
            _at_once(call.details()),
        )
        if not self._error.done() and not _is_of_failed_request(error):
            self._error.set_result(error)


def _is_of_failed_request(error: grpc.aio.AioRpcError) -> bool:
    return error.code() is grpc.StatusCode.INTERNAL and error.details() == "Internal error from Core"


def _at_once(coroutine: Coroutine[Any, Any, T]) -> T:
    """Return what a coroutine returns that has nothing to wait for."""
    try:
        coroutine.send(None)
    except StopIteration as end:
        return end.value  # type: ignore[no-any-return]  # what the coroutine returns
    finally:
        coroutine.close()
    raise RuntimeError("the call has no status yet")
