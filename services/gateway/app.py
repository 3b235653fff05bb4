"""The gateway: caches results, and streams them to clients."""

from functools import partial

from backcast.compute.v1.compute_service_pb2_grpc import ComputeServiceStub
from backcast.gateway.v1 import backtest_service_pb2, backtest_service_pb2_grpc
from backcast.marketdata.v1.market_data_service_pb2_grpc import MarketDataServiceStub
from services.gateway.compute_client import ComputeClient
from services.gateway.handler import BacktestHandler
from services.gateway.market import Market
from services.gateway.result_cache import ResultCache
from services.shared.observation import observed
from services.shared.rpc_channel import open_channel
from services.shared.rpc_server import ServedService, serve
from services.shared.settings import Settings

SERVICE_NAME = backtest_service_pb2.DESCRIPTOR.services_by_name["BacktestService"].full_name


async def run(settings: Settings) -> None:
    """Serve until told to stop."""
    cache = ResultCache(settings.required("redis_url"))
    try:
        async with (
            observed("gateway", settings),
            open_channel(settings.data) as data,
            open_channel(settings.compute) as compute,
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
                    )
                ],
            )
    finally:
        await cache.close()
