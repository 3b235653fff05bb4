"""The channel from the command to the gateway, with TLS and token from the settings; lists, page by page."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from typing import Any, TypeVar

import grpc
from grpc.aio import ClientCallDetails, Metadata

from backcast_engine.errors import InvalidInput
from services.domain.addresses import host_of, is_loopback
from services.rpc.channel import open_channel
from services.rpc.tls import channel_credentials
from services.settings import Settings, load_settings

_Request = TypeVar("_Request")
_Response = TypeVar("_Response")

_TOKEN = "BACKCAST_TOKEN"
_Continue = Callable[[ClientCallDetails, Any], Awaitable[Any]]


def open_gateway(address: str) -> grpc.aio.Channel:
    """Open a channel to the gateway at `address` (host:port); it connects on the first call.

    Raises InvalidInput, naming the variable, if the settings are invalid or would send the token unencrypted
    over the network.
    """
    settings = load_settings()
    credentials = channel_credentials(settings)
    token = _token(settings)
    if token and credentials is None and not settings.insecure and not is_loopback(host_of(address), _TOKEN):
        raise InvalidInput.of(
            _TOKEN,
            f"is not sent to {address} without TLS: set BACKCAST_TLS_CA_FILE, or BACKCAST_TLS=1 if a "
            "public CA signed the gateway's certificate; BACKCAST_INSECURE=1 sends it unencrypted",
        )
    return open_channel(address, credentials, _showing(token) if token else ())


def _token(settings: Settings) -> str | None:
    if settings.token is None:
        return None
    token = settings.token.get_secret_value().strip()
    if not (token.isascii() and token.isprintable()) or len(token.split()) != 1:
        raise InvalidInput.of(_TOKEN, "is not a token: `backcast token` makes one")
    return token


def _showing(token: str) -> Sequence[grpc.aio.ClientInterceptor]:
    """Return interceptors that add the token to every call.

    gRPC's call credentials would do the same, but only with TLS, which a gateway on this machine may not
    have.
    """

    def shown(call: ClientCallDetails) -> ClientCallDetails:
        metadata = Metadata(*(call.metadata or ()), ("authorization", f"Bearer {token}"))
        return ClientCallDetails(call.method, call.timeout, metadata, call.credentials, call.wait_for_ready)

    class UnaryUnary(grpc.aio.UnaryUnaryClientInterceptor):
        async def intercept_unary_unary(
            self, continuation: _Continue, client_call_details: ClientCallDetails, request: Any
        ) -> Any:
            return await continuation(shown(client_call_details), request)

    class UnaryStream(grpc.aio.UnaryStreamClientInterceptor):
        async def intercept_unary_stream(
            self, continuation: _Continue, client_call_details: ClientCallDetails, request: Any
        ) -> Any:
            return await continuation(shown(client_call_details), request)

    class StreamUnary(grpc.aio.StreamUnaryClientInterceptor):
        async def intercept_stream_unary(
            self, continuation: _Continue, client_call_details: ClientCallDetails, request_iterator: Any
        ) -> Any:
            return await continuation(shown(client_call_details), request_iterator)

    return UnaryUnary(), UnaryStream(), StreamUnary()


async def pages_of(
    method: Callable[[_Request], Awaitable[_Response]], request: Any
) -> AsyncGenerator[_Response]:
    """Yield every page of the list that `request` asks for, from its `page_token` on."""
    while True:
        page: Any = await method(request)
        yield page
        if not page.next_page_token:
            return
        request.page_token = page.next_page_token
