"""The data service, through the gateway: one address and one token for everything.

Messages pass as they are, unread, both ways and one by one: whoever is slow slows down the other side.
"""

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

import grpc
from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor

from services.rpc.client_stream import response_of
from services.rpc.server_stream import next_message
from services.rpc.status import is_cut_off, of_passed_deadline, unanswered

if TYPE_CHECKING:
    # Generic in their stubs only.
    _Handler = grpc.RpcMethodHandler[bytes, bytes]
    _Context = grpc.aio.ServicerContext[bytes, bytes]


def add_proxy_to(server: grpc.aio.Server, service: ServiceDescriptor, channel: grpc.aio.Channel) -> None:
    """Have `server` forward calls of `service` to the service that `channel` connects to.

    Cancellations and deadlines are passed on, and statuses come back with their details.
    """
    handlers = {method.name: _handler(method, channel) for method in service.methods}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service.full_name, handlers),))


def _handler(method: MethodDescriptor, channel: grpc.aio.Channel) -> "_Handler":
    path = f"/{method.containing_service.full_name}/{method.name}"
    sides = (method.client_streaming, method.server_streaming)
    kind = "_".join("stream" if streaming else "unary" for streaming in sides)
    call = getattr(channel, kind)(path)
    # Raw messages pass through a parser that does nothing, so that the StatusInterceptor takes care of them.
    return getattr(grpc, f"{kind}_rpc_method_handler")(  # type: ignore[no-any-return]  # by its kind
        _pass_stream(call) if method.server_streaming else _pass_unary(call), _unparsed
    )


def _pass_unary(call_on: Any) -> Any:
    async def passed(request: "bytes | AsyncIterator[bytes]", context: "_Context") -> bytes:
        call = call_on(request, timeout=context.time_remaining())
        try:
            return await response_of(call)  # type: ignore[no-any-return]  # bytes
        except grpc.aio.AioRpcError as error:
            await _end(context, error)
            raise
        finally:
            call.cancel()

    return passed


def _pass_stream(call_on: Any) -> Any:
    async def passed(request: "bytes | AsyncIterator[bytes]", context: "_Context") -> AsyncIterator[bytes]:
        call = call_on(request, timeout=context.time_remaining())
        try:
            while (message := await next_message(call)) is not grpc.aio.EOF:
                yield message
        except grpc.aio.AioRpcError as error:
            await _end(context, error)
        finally:
            call.cancel()

    return passed


async def _end(context: "_Context", error: grpc.aio.AioRpcError) -> None:
    """End the call as the service ended it."""
    if is_cut_off(error):
        raise unanswered("data") from error
    if error.code() is grpc.StatusCode.DEADLINE_EXCEEDED:
        # The client's, which was passed on.
        await context.abort(error.code(), of_passed_deadline("data"))
    await context.abort(error.code(), error.details() or "", tuple(error.trailing_metadata()))


def _unparsed(raw: bytes) -> bytes:
    return raw
