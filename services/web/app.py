"""The page's process: a client of the gateway, and nothing else."""

from connectrpc.server import ConnectASGIApplication
from google.protobuf.descriptor import ServiceDescriptor
from grpc_health.v1 import health_pb2
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route

from backcast.gateway.v1 import backtest_service_pb2, run_service_pb2
from backcast.marketdata.v1 import market_data_service_pb2
from services.rpc.channel import open_channel
from services.rpc.tls import channel_credentials
from services.settings import Settings
from services.web.forwarder import endpoints
from services.web.messages import CODECS
from services.web.server import serve

# What the gateway serves.
SERVICES: tuple[ServiceDescriptor, ...] = tuple(
    service
    for file in (
        backtest_service_pb2.DESCRIPTOR,
        run_service_pb2.DESCRIPTOR,
        market_data_service_pb2.DESCRIPTOR,
        health_pb2.DESCRIPTOR,
    )
    for service in file.services_by_name.values()
)
# A longest request, in bytes: gRPC's own limit.
_REQUEST_BYTES = 4 * 1024 * 1024


class _ConnectApplication(ConnectASGIApplication[None]):
    path = ""


async def run(settings: Settings) -> None:
    """Serve until told to stop."""
    async with open_channel(settings.gateway, channel_credentials(settings)) as channel:
        methods = endpoints(SERVICES, channel)
        forwarder = _ConnectApplication(
            service=None, endpoints=lambda _: methods, read_max_bytes=_REQUEST_BYTES, codecs=CODECS
        )
        app = Starlette(
            routes=[
                Route("/healthz", _healthz),
                *(Mount(f"/{service.full_name}", forwarder) for service in SERVICES),
            ]
        )
        await serve(settings, app)


async def _healthz(request: Request) -> PlainTextResponse:
    return PlainTextResponse("ok\n")
