"""The data service: serves candles and aggregates from the database."""

from functools import partial

from backcast.marketdata.v1 import market_data_service_pb2, market_data_service_pb2_grpc
from services.data.break_store import BreakStore
from services.data.candle_store import CandleStore
from services.data.cryptos import CryptoStore
from services.data.data_metrics import watch_connections
from services.data.database import Database
from services.data.handler import MarketDataHandler
from services.data.histories import Histories
from services.data.migrate import migrate
from services.data.upkeep import upkeep
from services.shared.access import services_only
from services.shared.observation import observed
from services.shared.rpc_server import ServedService, serve
from services.shared.settings import Settings

SERVICE_NAME = market_data_service_pb2.DESCRIPTOR.services_by_name["MarketDataService"].full_name


async def run(settings: Settings) -> None:
    """Migrate the database and serve until told to stop."""
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
        async with upkeep(database, settings.columnstore_after_days, settings.retention_days):
            await serve(
                settings,
                settings.data_port,
                [
                    ServedService(
                        SERVICE_NAME,
                        partial(
                            market_data_service_pb2_grpc.add_MarketDataServiceServicer_to_server, handler
                        ),
                    )
                ],
                access,
            )
