"""Our version, which a server sends to clients: of two that do not work together, they name the older one."""

from collections.abc import Awaitable, Callable
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, NoReturn

import grpc

if TYPE_CHECKING:
    from services.rpc.handlers import Context, Handler

VERSION_METADATA = "backcast-version", version("backcast")


class UnknownMethodInterceptor(grpc.aio.ServerInterceptor):
    """Answers calls of methods that the server lacks: UNIMPLEMENTED as gRPC does, with our version beside it.

    The version is in the trailing metadata: such an answer has nothing else. This interceptor must be the
    outermost one: calls of unknown methods are nothing that the others measure or refuse.
    """

    async def intercept_service(
        self,
        continuation: "Callable[[grpc.HandlerCallDetails], Awaitable[Handler | None]]",
        handler_call_details: grpc.HandlerCallDetails,
    ) -> "Handler | None":
        """Return the method's handler, or the one that knows none."""
        return await continuation(handler_call_details) or _UNKNOWN


async def _refuse(_requests: Any, context: "Context") -> NoReturn:
    await context.abort(grpc.StatusCode.UNIMPLEMENTED, "Method not found!", (VERSION_METADATA,))


# It takes a stream, so that it need not wait for a request.
_UNKNOWN: "Handler" = grpc.stream_unary_rpc_method_handler(_refuse)
