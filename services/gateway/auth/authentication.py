"""Authentication of the gateway's clients: by tokens in the metadata (`authorization: Bearer …`).

A gateway can ask for certificates instead. Without either, it serves every client of its own machine.
"""

import asyncio
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TYPE_CHECKING, Any

import grpc

from backcast_engine.errors import BackcastError, ErrorReason, InvalidInput
from services.domain.errors import Denied, Unauthenticated
from services.gateway.auth.clients import Client, current_client, is_open, rights_needed
from services.gateway.auth.token_file import TokenBook, token_book
from services.rpc.access import Access, check_binding
from services.rpc.handlers import replaced
from services.rpc.tls import server_credentials
from services.settings import Settings

if TYPE_CHECKING:
    from services.rpc.handlers import Handler

_SCHEME = "bearer"


def gateway_access(settings: Settings) -> Access:
    """Return the gateway's credentials and interceptors; SIGHUP reloads the file of tokens from now on.

    Raises InvalidInput, naming the variable, if the settings are wrong or would serve other machines without
    authentication.
    """
    credentials = server_credentials(settings, demand_certificate=settings.gateway_client_certificates)
    if settings.gateway_client_certificates and credentials is None:
        raise InvalidInput.of(
            "BACKCAST_TLS_CERT_FILE", "must be set for BACKCAST_GATEWAY_CLIENT_CERTIFICATES"
        )
    book = token_book(settings)
    check_binding(
        settings,
        authenticates=credentials is not None and (book is not None or settings.gateway_client_certificates),
        required="BACKCAST_TLS_CERT_FILE, _KEY_FILE and BACKCAST_TOKENS_FILE "
        "(or BACKCAST_GATEWAY_CLIENT_CERTIFICATES=1)",
    )
    if book is None:
        return Access(credentials)
    asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, book.reload)
    return Access(credentials, [AuthenticationInterceptor(book)])


class AuthenticationInterceptor(grpc.aio.ServerInterceptor):
    """Serves clients whose token gives them a right to the method, and sets `current_client`.

    It runs inside the StatusInterceptor, which turns its errors into statuses.
    """

    def __init__(self, book: TokenBook) -> None:
        self._book = book

    async def intercept_service(
        self,
        continuation: "Callable[[grpc.HandlerCallDetails], Awaitable[Handler | None]]",
        handler_call_details: grpc.HandlerCallDetails,
    ) -> "Handler | None":
        """Return the method's handler, or a handler that refuses the call."""
        handler = await continuation(handler_call_details)
        if handler is None or is_open(handler_call_details.method):
            return handler
        try:
            client = self._client(handler_call_details)
        except BackcastError as error:
            return _refusing(handler, error)
        # Interceptors and handler of a call run in one task, so the variable reaches the handler.
        current_client.set(client)
        return handler

    def _client(self, call: grpc.HandlerCallDetails) -> Client:
        client = self._book.client(_token(call.invocation_metadata))
        if client is None:
            raise Unauthenticated("no client has this token")
        needed = rights_needed(call.method)
        if not needed & client.rights:
            rights = sorted(needed)
            raise Denied(
                f"the token {client.name} lacks the right {' or '.join(rights)}", rights=",".join(rights)
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
    """Return a handler of the same kind that raises `error` without parsing the request."""

    async def refuse(*_: object) -> None:
        raise error

    async def refuse_stream(*_: object) -> AsyncIterator[None]:
        await refuse()
        yield

    # With a deserializer: StatusInterceptor ignores handlers that have none.
    return replaced(handler, refuse_stream if handler.response_streaming else refuse, lambda raw: raw)
