"""Handlers of calls, and new ones of the same kind in their place: what interceptors are made of."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import grpc

if TYPE_CHECKING:
    # Generic in their stubs only.
    Handler = grpc.RpcMethodHandler[Any, Any]
    Context = grpc.aio.ServicerContext[Any, Any]

# What a handler does with a request, or an iterator of them, and the call's context.
Behaviour = Callable[..., Any]


def behaviour_of(handler: "Handler") -> Behaviour:
    """Return what a handler does."""
    behaviour: Behaviour = getattr(handler, _kind(handler))
    return behaviour


def replaced(
    handler: "Handler", behaviour: Behaviour, request_deserializer: Callable[[bytes], Any] | None
) -> "Handler":
    """Return a handler of the same kind that does something else; with no deserializer it gets the bytes."""
    make_handler = getattr(grpc, f"{_kind(handler)}_rpc_method_handler")
    made: Handler = make_handler(behaviour, request_deserializer, handler.response_serializer)
    return made


def wrapped(
    handler: "Handler", unary: Callable[[Behaviour], Behaviour], stream: Callable[[Behaviour], Behaviour]
) -> "Handler":
    """Return a handler of the same kind that does what `unary` or `stream` makes of what it does.

    `stream` is for those that answer with a stream. Beware of Watch of gRPC's own Health: it is a coroutine
    there that writes to the context, no iterator.
    """
    wrap = stream if handler.response_streaming else unary
    return replaced(handler, wrap(behaviour_of(handler)), handler.request_deserializer)


def _kind(handler: "Handler") -> str:
    sides = (handler.request_streaming, handler.response_streaming)
    return "_".join("stream" if streaming else "unary" for streaming in sides)
