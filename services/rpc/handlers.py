"""Wrapping of RPC method handlers, for interceptors."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import grpc

if TYPE_CHECKING:
    # Generic only in their type stubs.
    Handler = grpc.RpcMethodHandler[Any, Any]
    Context = grpc.aio.ServicerContext[Any, Any]

# The function of a handler: takes a request, or an iterator of requests, and the call's context.
Behaviour = Callable[..., Any]


def behaviour_of(handler: "Handler") -> Behaviour:
    """Return the function of a handler."""
    behaviour: Behaviour = getattr(handler, _kind(handler))
    return behaviour


def replaced(
    handler: "Handler", behaviour: Behaviour, request_deserializer: Callable[[bytes], Any] | None
) -> "Handler":
    """Return a handler of the same kind with another function; without a deserializer it gets bytes."""
    make_handler = getattr(grpc, f"{_kind(handler)}_rpc_method_handler")
    made: Handler = make_handler(behaviour, request_deserializer, handler.response_serializer)
    return made


def wrapped(
    handler: "Handler", unary: Callable[[Behaviour], Behaviour], stream: Callable[[Behaviour], Behaviour]
) -> "Handler":
    """Return a handler of the same kind whose function is wrapped by `unary` or `stream`.

    `stream` wraps methods that answer with a stream. Note that Watch of gRPC's own Health service is a
    coroutine that writes to the context, not an iterator.
    """
    wrap = stream if handler.response_streaming else unary
    return replaced(handler, wrap(behaviour_of(handler)), handler.request_deserializer)


class WrappedHandlers:
    """The handlers of a server as an interceptor wraps them: each once, at the first call of its method."""

    def __init__(self, wrap: "Callable[[str, Handler], Handler]") -> None:
        """`wrap` gets the method, /package.Service/Method, and its handler."""
        self._wrap = wrap
        # By method, with the handler that was wrapped: an inner interceptor may give another one, which
        # refuses the call.
        self._wrapped: dict[str, tuple[Handler, Handler]] = {}

    def of(self, method: str, handler: "Handler") -> "Handler":
        """Return the wrapped handler."""
        known = self._wrapped.get(method)
        if known is None or known[0] is not handler:
            known = self._wrapped[method] = handler, self._wrap(method, handler)
        return known[1]


def _kind(handler: "Handler") -> str:
    sides = (handler.request_streaming, handler.response_streaming)
    return "_".join("stream" if streaming else "unary" for streaming in sides)
