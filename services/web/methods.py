"""The RPCs as an ASGI application: what is no call is refused in a sentence, and the others are passed on."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from connectrpc.code import Code
from connectrpc.method import StreamType
from connectrpc.server import ConnectASGIApplication
from starlette.datastructures import Headers

from services.web.errors import error_response
from services.web.messages import CODECS

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

# Of one request, in bytes: gRPC's own limit.
REQUEST_BYTES = 4 * 1024 * 1024

_UNARY_TYPES = ("application/proto", "application/json")
_STREAM_TYPES = ("application/connect+proto", "application/connect+json")
_GRPC_WEB_TYPES = ("application/grpc-web", "application/grpc-web+proto", "application/grpc-web+json")


class _Connect(ConnectASGIApplication[None]):
    path = ""


class Methods:
    """Serves `endpoints`, each at its path, by the Connect protocol and by gRPC-Web."""

    def __init__(self, endpoints: Mapping[str, Any]) -> None:
        self._endpoints = endpoints
        self._connect = _Connect(
            service=None, endpoints=lambda _: endpoints, read_max_bytes=REQUEST_BYTES, codecs=CODECS
        )

    async def __call__(self, scope: "Scope", receive: "Receive", send: "Send") -> None:
        """Serve a request."""
        if (refusal := self._refusal(scope)) is not None:
            await refusal(scope, receive, send)
        else:
            await self._connect(scope, receive, send)

    def _refusal(self, scope: "Scope") -> Any:
        endpoint = self._endpoints.get(scope["path"])
        if endpoint is None:
            return error_response(
                404, Code.UNIMPLEMENTED, "there is no such method, or it is none that browsers can call"
            )
        if scope["method"] != "POST":
            return error_response(405, Code.UNIMPLEMENTED, "methods are called by POST", allow="POST")
        streams = endpoint.method.stream_type is StreamType.SERVER_STREAM
        accepted = (*(_STREAM_TYPES if streams else _UNARY_TYPES), *_GRPC_WEB_TYPES)
        content_type = Headers(scope=scope).get("content-type", "")
        if content_type.partition(";")[0].strip().lower() not in accepted:
            return error_response(
                415,
                Code.INVALID_ARGUMENT,
                f"content-type: must be one of {', '.join(accepted)}",
                accept_post=", ".join(accepted),
            )
        return None
