"""The gateway: caches results, and streams them to clients."""

from functools import partial

from backcast.compute.v1.compute_service_pb2_grpc import ComputeServiceStub
from backcast.gateway.v1 import backtest_service_pb2, backtest_service_pb2_grpc
from backcast.marketdata.v1 import market_data_service_pb2
from backcast.marketdata.v1.market_data_service_pb2_grpc import MarketDataServiceStub
from services.gateway.access import gateway_access
from services.gateway.compute_client import ComputeClient
from services.gateway.handler import BacktestHandler
from services.gateway.market import Market
from services.gateway.market_data_proxy import add_proxy_to
from services.gateway.result_cache import ResultCache
from services.shared.rpc_channel import open_channel
from services.shared.rpc_server import ServedService, serve
from services.shared.settings import Settings
from services.shared.tls import channel_credentials

SERVICE_NAME = backtest_service_pb2.DESCRIPTOR.services_by_name["BacktestService"].full_name
_MARKET_DATA = market_data_service_pb2.DESCRIPTOR.services_by_name["MarketDataService"]


async def run(settings: Settings) -> None:
    """Serve until told to stop."""
    access = gateway_access(settings)
    credentials = channel_credentials(settings)
    cache = ResultCache(settings.required("redis_url"))
    try:
        async with (
            open_channel(settings.data, credentials) as data,
            open_channel(settings.compute, credentials) as compute,
        ):
            handler = BacktestHandler(
                Market(MarketDataServiceStub(data)), ComputeClient(ComputeServiceStub(compute)), cache
            )
            await serve(
                settings,
                settings.gateway_port,
                [
                    ServedService(
                        SERVICE_NAME,
                        partial(backtest_service_pb2_grpc.add_BacktestServiceServicer_to_server, handler),
                    ),
                    ServedService(
                        _MARKET_DATA.full_name, partial(add_proxy_to, service=_MARKET_DATA, channel=data)
                    ),
                ],
                access,
            )
    finally:
        await cache.close()
