"""Every method of the gateway for clients that speak Connect or gRPC-Web, made from the descriptors.

A new method needs no code here. Messages pass one by one: the next one is asked for when the response has
accepted the last one, so that a slow reader slows down the run, as one of gRPC does.
"""

from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import grpc
from connectrpc.method import IdempotencyLevel, MethodInfo, StreamType
from connectrpc.server import Endpoint
from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from backcast_engine.errors import BackcastError
from services.rpc.call_observer import ObservedCall
from services.rpc.server_stream import next_message
from services.rpc.stopping import CallEnder
from services.web.errors import connect_error, error_of_call
from services.web.messages import RawMessage
from services.web.metadata import add_metadata, request_metadata

if TYPE_CHECKING:
    from connectrpc.request import RequestContext

    _Context = RequestContext[Any, Any]


def forwarded(
    services: Iterable[ServiceDescriptor], channel: grpc.aio.Channel, ender: CallEnder
) -> Mapping[str, Any]:
    """Return an endpoint for each method of `services` by its path, /service/method.

    It calls the same method of the service that `channel` connects to, until `ender` ends the call. Methods
    that stream requests have no endpoint: browsers cannot call them.
    """
    methods = [method for service in services for method in service.methods if not method.client_streaming]
    forwarders = [_Forwarder(method, channel, ender) for method in methods]
    return {f"/{forwarder.name}": forwarder.endpoint() for forwarder in forwarders}


class _Forwarder:
    """Passes the calls of one method on."""

    def __init__(self, method: MethodDescriptor, channel: grpc.aio.Channel, ender: CallEnder) -> None:
        self.name = f"{method.containing_service.full_name}/{method.name}"
        self._method = method
        self._answer: type[Message] = GetMessageClass(method.output_type)
        self._ender = ender
        # Without serializers, the channel takes and gives bytes.
        call = channel.unary_stream if method.server_streaming else channel.unary_unary
        self._call_gateway: Any = call(f"/{self.name}")

    def endpoint(self) -> Any:
        streams = self._method.server_streaming
        info: MethodInfo[Any, Any] = MethodInfo(
            name=self._method.name,
            service_name=self._method.containing_service.full_name,
            input=GetMessageClass(self._method.input_type),
            output=self._answer,
            # No method is called by GET: another site could make a browser do that.
            idempotency_level=IdempotencyLevel.UNKNOWN,
            stream_type=StreamType.SERVER_STREAM if streams else StreamType.UNARY,
        )
        if streams:
            return Endpoint.server_stream(info, self._pass_stream)
        return Endpoint.unary(info, self._pass_unary)

    async def _pass_unary(self, request: bytes, context: "_Context") -> RawMessage:
        with self._call(request, context) as call, self._ender.work():
            raw = await call
            add_metadata(context.response_headers, await call.initial_metadata())
            add_metadata(context.response_trailers, await call.trailing_metadata())
        return RawMessage(self._answer, raw)

    async def _pass_stream(self, request: bytes, context: "_Context") -> AsyncIterator[RawMessage]:
        with self._call(request, context) as call:
            with self._ender.work():
                add_metadata(context.response_headers, await call.initial_metadata())
            while True:
                with self._ender.work():
                    raw = await next_message(call)
                if raw is grpc.aio.EOF:
                    break
                yield RawMessage(self._answer, raw)
            add_metadata(context.response_trailers, await call.trailing_metadata())

    @contextmanager
    def _call(self, request: bytes, context: "_Context") -> Iterator[Any]:
        """Call the gateway; cancel the call where the body ends before it.

        A client that leaves, and one whose deadline has passed, cancels the task or closes the generator that
        the body is in.
        """
        observed = ObservedCall(self.name, context.request_headers)
        code = grpc.StatusCode.CANCELLED
        left_s = None if context.timeout_ms is None else max(0.0, context.timeout_ms / 1000)
        call = self._call_gateway(request, timeout=left_s, metadata=request_metadata(context.request_headers))
        try:
            yield call
            code = grpc.StatusCode.OK
        except grpc.aio.AioRpcError as error:
            code = error.code()
            add_metadata(context.response_trailers, error.trailing_metadata())
            raise error_of_call(error) from None
        except BackcastError as error:
            code = grpc.StatusCode.UNAVAILABLE
            raise connect_error(error) from None
        finally:
            call.cancel()
            observed.end(code)
