"""The data service: serves candles and aggregates from the database."""

from functools import partial

from backcast.marketdata.v1 import (
    feed_service_pb2,
    feed_service_pb2_grpc,
    fetch_service_pb2,
    fetch_service_pb2_grpc,
    market_data_service_pb2,
    market_data_service_pb2_grpc,
)
from services.data.feed_handler import FeedHandler
from services.data.fetch_handler import FetchHandler
from services.data.handler import MarketDataHandler
from services.data.maintenance.daily import daily_maintenance
from services.data.metrics import watch_connections
from services.data.schema.migrate import migrate
from services.data.store.break_edits import BreakStore
from services.data.store.catalog import CryptoStore
from services.data.store.database import Database
from services.data.store.feeds import FeedStore
from services.data.store.fetches import FetchStore
from services.data.store.reader import Histories
from services.data.store.writer import CandleStore
from services.domain.process_memory import keep_freed_memory
from services.rpc.access import services_only
from services.rpc.server import ServedService, serve
from services.settings import Settings
from services.telemetry.observation import observed

# More than the columns of a crypto that are being read.
_KEPT_BYTES = 16 * 2**20

SERVICE_NAME = market_data_service_pb2.DESCRIPTOR.services_by_name["MarketDataService"].full_name
FEED_SERVICE = feed_service_pb2.DESCRIPTOR.services_by_name["FeedService"].full_name
FETCH_SERVICE = fetch_service_pb2.DESCRIPTOR.services_by_name["FetchService"].full_name


async def run(settings: Settings) -> None:
    """Migrate the database, then serve until the process is stopped."""
    keep_freed_memory(_KEPT_BYTES)
    access = services_only(settings)
    async with (
        observed("data", settings),
        Database.connect(
            settings.required("database_url"), settings.database_pool_size, settings.database_timeout_s
        ) as database,
    ):
        watch_connections(lambda: database.connections, settings.database_pool_size)
        await migrate(database)
        cryptos = CryptoStore(database)
        handler = MarketDataHandler(
            cryptos, Histories(database, cryptos), CandleStore(database), BreakStore(database, cryptos)
        )
        async with daily_maintenance(database, settings.columnstore_after_days, settings.retention_days):
            await serve(
                settings,
                "data",
                settings.data_port,
                [
                    ServedService(
                        SERVICE_NAME,
                        partial(
                            market_data_service_pb2_grpc.add_MarketDataServiceServicer_to_server, handler
                        ),
                    ),
                    ServedService(
                        FEED_SERVICE,
                        partial(
                            feed_service_pb2_grpc.add_FeedServiceServicer_to_server,
                            FeedHandler(FeedStore(database)),
                        ),
                    ),
                    ServedService(
                        FETCH_SERVICE,
                        partial(
                            fetch_service_pb2_grpc.add_FetchServiceServicer_to_server,
                            FetchHandler(FetchStore(database)),
                        ),
                    ),
                ],
                access,
            )
