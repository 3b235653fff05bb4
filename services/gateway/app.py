"""The gateway's process: connects the services and the cache to the handlers, and serves them."""

from functools import partial

from backcast.compute.v1.compute_service_pb2_grpc import ComputeServiceStub
from backcast.marketdata.v1 import feed_service_pb2, fetch_service_pb2, market_data_service_pb2
from backcast.marketdata.v1.market_data_service_pb2_grpc import MarketDataServiceStub
from services.gateway.api.backtest_handler import SERVICE_NAME, BacktestHandler
from services.gateway.api.market_data_proxy import add_proxy_to
from services.gateway.api.portfolio_handler import SERVICE_NAME as PORTFOLIO_SERVICE
from services.gateway.api.portfolio_handler import PortfolioHandler
from services.gateway.api.run_handler import SERVICE_NAME as RUN_SERVICE
from services.gateway.api.run_handler import RunHandler
from services.gateway.auth.authentication import gateway_access
from services.gateway.cache.connection import CacheServer
from services.gateway.cache.result_cache import ResultCache
from services.gateway.cache.single_flight import SingleFlight
from services.gateway.metrics import watch_runs
from services.gateway.runs.admission import Admission, RunLimits
from services.gateway.runs.registry import RunRegistry
from services.gateway.runs.start import RunStarter
from services.gateway.upstream.compute import ComputeClient
from services.gateway.upstream.market import MarketCatalog
from services.rpc.channel import open_channel
from services.rpc.server import ServedService, serve
from services.rpc.tls import channel_credentials
from services.settings import Settings
from services.telemetry.observation import observed

# What the data service serves, to clients of the gateway too.
_OF_DATA = (
    market_data_service_pb2.DESCRIPTOR.services_by_name["MarketDataService"],
    feed_service_pb2.DESCRIPTOR.services_by_name["FeedService"],
    fetch_service_pb2.DESCRIPTOR.services_by_name["FetchService"],
)


async def run(settings: Settings) -> None:
    """Serve until the process is stopped."""
    access = gateway_access(settings)
    credentials = channel_credentials(settings)
    cache_server = CacheServer(settings.required("redis_url"))
    cache = ResultCache(cache_server)
    registry = RunRegistry(settings.runs_kept_s)
    admission = Admission(_limits(settings))
    watch_runs(lambda: admission.runs, lambda: admission.backtests)
    try:
        async with (
            observed("gateway", settings),
            open_channel(settings.data, credentials) as data,
            open_channel(settings.compute, credentials) as compute,
        ):
            parts = (
                MarketCatalog(MarketDataServiceStub(data)),
                ComputeClient(ComputeServiceStub(compute)),
                cache,
                SingleFlight(cache_server, cache),
                RunStarter(registry, admission, settings.reader_idle_s),
            )
            await serve(
                settings,
                "gateway",
                settings.gateway_port,
                [
                    ServedService(SERVICE_NAME, BacktestHandler(*parts).add_to),
                    ServedService(PORTFOLIO_SERVICE, PortfolioHandler(*parts).add_to),
                    ServedService(RUN_SERVICE, RunHandler(registry).add_to),
                    *(
                        ServedService(each.full_name, partial(add_proxy_to, service=each, channel=data))
                        for each in _OF_DATA
                    ),
                ],
                access,
            )
    finally:
        await cache_server.close()


def _limits(settings: Settings) -> RunLimits:
    return RunLimits(**{name: getattr(settings, name) for name in RunLimits.__dataclass_fields__})
