"""A real data service with three cryptos, and a market's calls of it as a test has them in hand."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial
from itertools import count
from typing import TYPE_CHECKING, Any

import grpc
import numpy as np

from backcast.marketdata.v1 import market_data_service_pb2 as pb
from backcast.marketdata.v1 import market_data_service_pb2_grpc
from services.data.handler import MarketDataHandler
from services.data.schema.migrate import migrate
from services.data.store.break_edits import BreakStore
from services.data.store.catalog import CryptoStore
from services.data.store.database import Database
from services.data.store.reader import Histories
from services.data.store.writer import CandleStore
from services.rpc.channel import open_channel
from services.wire.paging import MAX_SYMBOLS
from tests.candle_making import START_S, import_candles, random_candles
from tests.rpc.serving import served
from tests.waiting import LIMIT_S

if TYPE_CHECKING:
    from backcast.marketdata.v1.market_data_service_pb2_grpc import MarketDataServiceAsyncStub

SYMBOLS = ["AUSDT", "BUSDT", "CUSDT"]
HOURS = 24 * 500
CANDLES = random_candles(1, HOURS)
END_S = START_S + 3600 * HOURS

_changes = count(1)


@dataclass(frozen=True)
class MarketData:
    """The data service at `address`, and its database; every crypto has `CANDLES`, but for their prices."""

    address: str
    stub: "MarketDataServiceAsyncStub"
    database: Database

    async def change(self, symbol: str, hour: int = HOURS - 1) -> None:
        """Import another price of an hour."""
        candle = CANDLES[hour : hour + 1]
        close = candle.close * (1 + 0.001 * next(_changes))
        changed = replace(candle, close=close, high=np.maximum(candle.high, close))
        assert (await import_candles(self.stub, symbol, changed)).corrected == 1

    async def fingerprints(self, *symbols: str, before_s: int | None = None) -> list[str]:
        """Return the present fingerprints of the candles before a time, or of all, in order of symbols."""
        request = pb.ListCryptosRequest(symbols=symbols)
        if before_s is None:
            return [crypto.fingerprint for crypto in (await self.stub.ListCryptos(request)).cryptos]
        request.before_time.seconds = before_s
        return [crypto.fingerprint_before for crypto in (await self.stub.ListCryptos(request)).cryptos]

    @asynccontextmanager
    async def broken(self) -> AsyncIterator[None]:
        """Have every list fail."""
        await self._execute("ALTER TABLE cryptos RENAME TO lost")
        try:
            yield
        finally:
            await self._execute("ALTER TABLE lost RENAME TO cryptos")

    @asynccontextmanager
    async def crowded(self) -> AsyncIterator[None]:
        """Have more cryptos than a page has."""
        await self._execute(
            "INSERT INTO cryptos (symbol, candle_count, first_ts, last_ts) "
            f"SELECT 'MANY' || number, 1, now(), now() FROM generate_series(1, {MAX_SYMBOLS}) AS number"
        )
        try:
            yield
        finally:
            await self._execute("DELETE FROM cryptos WHERE symbol LIKE 'MANY%'")

    async def _execute(self, statement: str) -> None:
        async with self.database.connection() as connection:
            await connection.execute(statement)


@asynccontextmanager
async def served_market(database_url: str) -> AsyncIterator[MarketData]:
    """Serve three cryptos from an empty database, which nobody else uses."""
    async with Database.connect(database_url, 4) as database:
        async with database.connection() as connection:
            # The server's housekeeping makes versions of the data too: tests count what their changes make.
            for setting in ("autovacuum = off", "checkpoint_timeout = '1d'"):
                await connection.execute(f"ALTER SYSTEM SET {setting}")
            await connection.execute("SELECT pg_reload_conf()")
        await migrate(database)
        cryptos = CryptoStore(database)
        handler = MarketDataHandler(
            cryptos, Histories(database, cryptos), CandleStore(database), BreakStore(database, cryptos)
        )
        add = partial(market_data_service_pb2_grpc.add_MarketDataServiceServicer_to_server, handler)
        async with served(add) as address, open_channel(address) as channel:
            stub = market_data_service_pb2_grpc.MarketDataServiceStub(channel)
            for symbol in SYMBOLS:
                await import_candles(stub, symbol, CANDLES)
            yield MarketData(address, stub, database)


class Calls(grpc.aio.UnaryUnaryClientInterceptor):
    """A market's calls: what was asked and answered, and how many were under way at once."""

    def __init__(self) -> None:
        self.requests: list[pb.ListCryptosRequest] = []
        self.answers: list[pb.ListCryptosResponse] = []
        self.most_under_way = 0
        self._under_way = 0
        self._answered: asyncio.Queue[None] = asyncio.Queue()
        self._may_pass = asyncio.Event()
        self._may_pass.set()

    def hold(self) -> asyncio.Event:
        """Hold the answers of the calls that begin from now on, until the returned event is set."""
        self._answered, self._may_pass = asyncio.Queue(), asyncio.Event()
        return self._may_pass

    async def until_answered(self) -> None:
        """Wait until the service has answered the next one of the calls that are held."""
        async with asyncio.timeout(LIMIT_S):
            await self._answered.get()

    async def intercept_unary_unary(self, continuation: Any, client_call_details: Any, request: Any) -> Any:
        # The market asks for the next page with the same message.
        asked = pb.ListCryptosRequest()
        asked.CopyFrom(request)
        self.requests.append(asked)
        answered, may_pass = self._answered, self._may_pass
        self._under_way += 1
        self.most_under_way = max(self.most_under_way, self._under_way)
        try:
            call = await continuation(client_call_details, request)
            if await call.code() is grpc.StatusCode.OK:
                self.answers.append(await call)
            answered.put_nowait(None)
            await may_pass.wait()
            return call
        finally:
            self._under_way -= 1
