"""The page's process: a client of the gateway, and nothing else."""

import grpc
import structlog
from google.protobuf.descriptor import ServiceDescriptor
from grpc_health.v1 import health_pb2
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route
from starlette.types import ASGIApp

from backcast.gateway.v1 import backtest_service_pb2, portfolio_service_pb2, run_service_pb2
from backcast.marketdata.v1 import feed_service_pb2, fetch_service_pb2, market_data_service_pb2
from services.rpc.channel import open_channel
from services.rpc.stopping import CallEnder
from services.rpc.tls import channel_credentials
from services.settings import Settings
from services.telemetry.observation import observed
from services.web.access import TokenGate, check_access
from services.web.forwarder import forwarded
from services.web.guard import HEALTH_PATH, Guard
from services.web.methods import Methods
from services.web.page_files import PageFiles
from services.web.server import serve
from services.web.upload import PATH as UPLOAD_PATH
from services.web.upload import Upload

_log = structlog.get_logger()

# What the gateway serves.
SERVICES: tuple[ServiceDescriptor, ...] = tuple(
    service
    for file in (
        backtest_service_pb2.DESCRIPTOR,
        portfolio_service_pb2.DESCRIPTOR,
        run_service_pb2.DESCRIPTOR,
        market_data_service_pb2.DESCRIPTOR,
        feed_service_pb2.DESCRIPTOR,
        fetch_service_pb2.DESCRIPTOR,
        health_pb2.DESCRIPTOR,
    )
    for service in file.services_by_name.values()
)


async def run(settings: Settings) -> None:
    """Serve until the process is stopped."""
    is_exposed = check_access(settings)
    ender = CallEnder("web")
    async with (
        observed("web", settings),
        open_channel(settings.gateway, channel_credentials(settings)) as channel,
    ):
        app = web_app(channel, ender, settings, demand_tokens=is_exposed)
        await serve(settings, app, ender)


def web_app(
    channel: grpc.aio.Channel,
    ender: CallEnder,
    settings: Settings,
    *,
    demand_tokens: bool,
    page: PageFiles | None = None,
) -> ASGIApp:
    """Return the application of the page's process, which calls the gateway of `channel`."""
    page = page or PageFiles()
    if not page.is_built:
        _log.warning("page not installed, only the API is served")

    def protected(app: ASGIApp) -> ASGIApp:
        return TokenGate(app, channel) if demand_tokens else app

    methods = protected(Methods(forwarded(SERVICES, channel, ender)))
    upload = protected(Upload(channel, settings.web_max_upload_bytes))
    routes = [
        Route(HEALTH_PATH, _say_healthy),
        *(Mount(f"/{service.full_name}", methods) for service in SERVICES),
        Route(UPLOAD_PATH, upload, methods=["POST"]),
        Route("/{path:path}", page.respond, methods=["GET"]),
    ]
    hosts = (settings.host, *settings.web_host_names)
    return Guard(Starlette(routes=routes), hosts)


async def _say_healthy(request: Request) -> Response:
    return Response("ok\n", media_type="text/plain")
