"""Every method of the gateway for clients that speak Connect or gRPC-Web, made from the descriptors.

A new method needs no code here. Messages pass one by one: the next one is asked for when the response has
accepted the last one, so that a slow reader slows down the run, as one of gRPC does.
"""

from collections.abc import AsyncIterator, Iterable, Mapping
from typing import TYPE_CHECKING, Any

import grpc
from connectrpc.method import IdempotencyLevel, MethodInfo, StreamType
from connectrpc.request import RequestContext
from connectrpc.server import Endpoint
from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from services.web.errors import error_of_call
from services.web.messages import RawMessage
from services.web.metadata import add_metadata, request_metadata

if TYPE_CHECKING:
    _Context = RequestContext[Any, Any]


def endpoints(services: Iterable[ServiceDescriptor], channel: grpc.aio.Channel) -> Mapping[str, Any]:
    """Return the endpoint of each method by its path, without the methods that stream requests.

    Browsers cannot stream requests.
    """
    methods = [method for service in services for method in service.methods if not method.client_streaming]
    return {_path(method): _endpoint(method, channel) for method in methods}


def _path(method: MethodDescriptor) -> str:
    return f"/{method.containing_service.full_name}/{method.name}"


def _endpoint(method: MethodDescriptor, channel: grpc.aio.Channel) -> Any:
    answer: type[Message] = GetMessageClass(method.output_type)
    info: MethodInfo[Any, Any] = MethodInfo(
        name=method.name,
        service_name=method.containing_service.full_name,
        input=GetMessageClass(method.input_type),
        output=answer,
        idempotency_level=IdempotencyLevel.UNKNOWN,
        stream_type=StreamType.SERVER_STREAM if method.server_streaming else StreamType.UNARY,
    )
    # Without serializers, the channel takes and gives bytes.
    if method.server_streaming:
        return Endpoint.server_stream(info, _forward_stream(channel.unary_stream(_path(method)), answer))
    return Endpoint.unary(info, _forward_unary(channel.unary_unary(_path(method)), answer))


def _forward_unary(method: Any, answer: type[Message]) -> Any:
    async def forward(request: bytes, context: "_Context") -> RawMessage:
        call = _call(method, request, context)
        try:
            raw = await call
            add_metadata(context.response_headers, await call.initial_metadata())
            add_metadata(context.response_trailers, await call.trailing_metadata())
            return RawMessage(answer, raw)
        except grpc.aio.AioRpcError as error:
            add_metadata(context.response_trailers, error.trailing_metadata())
            raise error_of_call(error) from None
        finally:
            # A client that leaves cancels this task.
            call.cancel()

    return forward


def _forward_stream(method: Any, answer: type[Message]) -> Any:
    async def forward(request: bytes, context: "_Context") -> AsyncIterator[RawMessage]:
        call = _call(method, request, context)
        try:
            add_metadata(context.response_headers, await call.initial_metadata())
            async for raw in call:
                yield RawMessage(answer, raw)
            add_metadata(context.response_trailers, await call.trailing_metadata())
        except grpc.aio.AioRpcError as error:
            add_metadata(context.response_trailers, error.trailing_metadata())
            raise error_of_call(error) from None
        finally:
            # A client that leaves closes this generator.
            call.cancel()

    return forward


def _call(method: Any, request: bytes, context: "_Context") -> Any:
    timeout_s = None if context.timeout_ms is None else max(0.0, context.timeout_ms / 1000)
    return method(request, timeout=timeout_s, metadata=request_metadata(context.request_headers))
