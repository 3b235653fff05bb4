"""Who may reach the page's process: this machine, or those whom the gateway knows by their tokens.

The process has no rights of its own to give away: it passes on the token that a request shows. What it must
not do is to open a gateway that asks for no token to those who cannot reach that gateway themselves.
"""

import asyncio
from typing import TYPE_CHECKING

import grpc

from backcast.gateway.v1 import run_service_pb2
from backcast.gateway.v1.run_service_pb2_grpc import RunServiceStub
from backcast_engine.errors import BackcastError, InvalidInput, Refused
from services.domain.addresses import host_of, is_loopback
from services.rpc.access import check_binding
from services.rpc.status import is_cut_off, overdue, unanswered
from services.rpc.tls import channel_credentials, server_credentials
from services.settings import Settings
from services.web.errors import connect_error, response_of

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

_PROBE_LIMIT_S = 5.0


def check_access(settings: Settings) -> bool:
    """Return whether the gateway must ask for tokens, because others than this machine reach the page.

    Raises InvalidInput, naming the variable, if the settings are wrong or would leave tokens unencrypted.
    """
    has_tls = bool(settings.tls_cert_file or settings.tls_key_file)
    if has_tls:
        server_credentials(settings, demand_certificate=False)
    check_binding(settings, authenticates=has_tls, required="BACKCAST_TLS_CERT_FILE and _KEY_FILE")
    is_exposed = not settings.insecure and (
        not is_loopback(settings.host, "BACKCAST_HOST") or bool(settings.web_host_names)
    )
    to_gateway = host_of(settings.gateway)
    if (
        channel_credentials(settings) is None
        and not settings.insecure
        and not is_loopback(to_gateway, "BACKCAST_GATEWAY_ADDRESS")
    ):
        raise InvalidInput.of(
            "BACKCAST_TLS_CA_FILE",
            f"must be set: tokens are not sent to {settings.gateway} without TLS; BACKCAST_INSECURE=1 sends "
            "them unencrypted",
        )
    return is_exposed


class TokenGate:
    """Passes requests on to `app` once the gateway has refused a call without a token."""

    def __init__(self, app: "ASGIApp", channel: grpc.aio.Channel) -> None:
        self._app = app
        self._runs = RunServiceStub(channel)
        self._demands_tokens = False
        self._asking = asyncio.Lock()

    async def __call__(self, scope: "Scope", receive: "Receive", send: "Send") -> None:
        """Serve a request."""
        try:
            await self._check()
        except BackcastError as error:
            await response_of(connect_error(error))(scope, receive, send)
            return
        await self._app(scope, receive, send)

    async def _check(self) -> None:
        async with self._asking:
            if self._demands_tokens:
                return
            try:
                await self._runs.ListRuns(run_service_pb2.ListRunsRequest(), timeout=_PROBE_LIMIT_S)
            except grpc.aio.AioRpcError as error:
                if error.code() is grpc.StatusCode.UNAUTHENTICATED:
                    self._demands_tokens = True
                    return
                if is_cut_off(error):
                    raise unanswered("gateway") from None
                if error.code() is grpc.StatusCode.DEADLINE_EXCEEDED:
                    raise overdue("gateway") from None
            raise Refused(
                "others than its own machine reach this page, and the gateway asks for no token: set "
                "BACKCAST_TOKENS_FILE for the gateway"
            )
