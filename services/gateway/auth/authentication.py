"""Who calls the gateway: a token in the metadata, `authorization: Bearer …`, says it."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TYPE_CHECKING, Any

import grpc

from services.domain.errors import BackcastError, Denied, ErrorReason, Unauthenticated
from services.gateway.auth.clients import Client, current_client
from services.gateway.auth.method_rights import is_open, rights_needed
from services.gateway.auth.token_file import TokenBook
from services.rpc.handlers import replaced

if TYPE_CHECKING:
    from services.rpc.handlers import Handler

_SCHEME = "bearer"


class AuthenticationInterceptor(grpc.aio.ServerInterceptor):
    """Serves those whose token gives them the right to the method, and sets `current_client`.

    It stands inside of the StatusInterceptor, which makes statuses of what it raises.
    """

    def __init__(self, book: TokenBook) -> None:
        self._book = book

    async def intercept_service(
        self,
        continuation: "Callable[[grpc.HandlerCallDetails], Awaitable[Handler | None]]",
        handler_call_details: grpc.HandlerCallDetails,
    ) -> "Handler | None":
        """Return the method's handler, or one that refuses."""
        handler = await continuation(handler_call_details)
        if handler is None or is_open(handler_call_details.method):
            return handler
        try:
            client = self._client(handler_call_details)
        except BackcastError as error:
            return _refusing(handler, error)
        # Interceptors and handler of a call are of one task.
        current_client.set(client)
        return handler

    def _client(self, call: grpc.HandlerCallDetails) -> Client:
        client = self._book.client(_token(call.invocation_metadata))
        if client is None:
            raise Unauthenticated("nobody has this token")
        needed = rights_needed(call.method)
        if not needed & client.rights:
            rights = sorted(needed)
            raise Denied(
                f"the token {client.name} has not the right {' or '.join(rights)}", rights=",".join(rights)
            )
        return client


def _token(metadata: Any) -> str:
    values = [value for key, value in metadata if key == "authorization"]
    if not values:
        raise Unauthenticated(
            "a token is needed, in the metadata: authorization: Bearer TOKEN",
            reason=ErrorReason.TOKEN_MISSING,
        )
    scheme, _, token = str(values[0]).partition(" ")
    if len(values) > 1 or scheme.lower() != _SCHEME:
        raise Unauthenticated(
            "the metadata has to have one token: authorization: Bearer TOKEN",
            reason=ErrorReason.TOKEN_MISSING,
        )
    return token.strip()


def _refusing(handler: "Handler", error: BackcastError) -> "Handler":
    """Return a handler of the same kind that raises `error`, and parses no request before."""

    async def refuse(*_: object) -> None:
        raise error

    async def refuse_stream(*_: object) -> AsyncIterator[None]:
        await refuse()
        yield

    # A deserializer there is: StatusInterceptor lets alone what has none.
    return replaced(handler, refuse_stream if handler.response_streaming else refuse, lambda raw: raw)
