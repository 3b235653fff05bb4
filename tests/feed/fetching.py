"""Fetches from stand-ins into the data service, and reads back what is stored."""

import gzip
import json
from collections.abc import Collection
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

from backcast.marketdata.v1 import market_data_service_pb2 as pb
from backcast.marketdata.v1.crypto_pb2 import Crypto
from backcast_engine.candles import Candles
from services.feed.client import ExchangeClient
from services.feed.exchanges.all_exchanges import EXCHANGES
from services.feed.exchanges.exchange import ExchangeMarket
from services.feed.fetch import CryptoReport, fetch_crypto
from services.feed.spans import Span
from services.feed.writing import spans_asked, writer_to
from services.wire.candles import candles_from
from tests.feed.stand_in import HOUR_S, NAMES, Served, StandIn
from tests.feed.virtual_clock import VirtualClock
from tests.ingest.exchange_answers import Record

if TYPE_CHECKING:
    from backcast.marketdata.v1.market_data_service_pb2_grpc import MarketDataServiceAsyncStub

START_S = 1_700_002_800  # 2023-11-14 23:00 UTC
_numbers = count()


class Store:
    """The data service, with what it has stored and was asked for."""

    def __init__(
        self, data_service: "MarketDataServiceAsyncStub", source: str, service: str = "data"
    ) -> None:
        self._stub = data_service
        self._source = source
        self.write = writer_to(data_service, service, source)

    async def asked(self, symbol: str) -> list[Span]:
        """Return the spans that were asked for what is stored."""
        (crypto,) = (await self._stub.ListCryptos(pb.ListCryptosRequest(symbols=[symbol]))).cryptos or [
            Crypto()
        ]
        return spans_asked(crypto, self._source)

    async def candles(self, symbol: str) -> Candles:
        """Return all that is stored of a crypto."""
        call = self._stub.StreamCandles(pb.StreamCandlesRequest(symbols=[symbol]))
        blocks = [block async for response in call for block in response.blocks]
        return Candles.concatenate([candles_from(block.columns) for block in blocks])


async def fetch(
    stand_in: StandIn, store: Store, market: ExchangeMarket, wanted: Span, read_s: float = 30.0
) -> CryptoReport:
    """Fetch one crypto, as a new process does: it asks for the markets first."""
    if not stand_in.exchange.limit.used_header:
        # No answer states what an earlier process has used: a new one takes longer than that to start.
        stand_in.clock.set(stand_in.clock.now_s() + stand_in.exchange.limit.window_s)
    async with ExchangeClient(stand_in.exchange, stand_in.clock, stand_in.base_url, read_s) as client:
        await client.markets()
        return await fetch_crypto(client, market, wanted, await store.asked(market.symbol), store.write)


def served_as(exchange_name: str, records: list[Record], **more: object) -> dict[str, Served]:
    """Return the one market that a stand-in serves, with these candles."""
    name, _ = NAMES[exchange_name]
    return {name: Served(name, {record[0]: record for record in records}, **more)}


def klines(market_data: Path) -> list[Record]:
    """Return the records of a file of Binance's."""
    content = gzip.decompress((market_data / "binance-rest-klines" / "SOLUSDT-1h.json.gz").read_bytes())
    return [(kline[0] // 1000, *kline[1:6]) for kline in json.loads(content)]


def closed(records: list[Record], now_s: float, span: Span) -> list[tuple[float, ...]]:
    """Return the rows of the closed hours of a span, as they are stored."""
    return [
        (record[0], *map(float, record[1:]))
        for record in records
        if span.start_s <= record[0] < span.end_s and record[0] + HOUR_S <= now_s
    ]


def rows(candles: Candles) -> list[tuple[float, ...]]:
    """Return candles as rows."""
    return list(zip(*(column.tolist() for column in candles.columns()), strict=True))


def made_records(hours: int, absent: Collection[int] = ()) -> list[Record]:
    """Return candles whose values identify their hours."""
    return [
        (
            START_S + HOUR_S * hour,
            f"{hour + 10}.5",
            f"{hour + 12}",
            f"{hour + 9}.25",
            f"{hour + 11}",
            f"{hour}.125",
        )
        for hour in range(hours)
        if hour not in absent
    ]


def span(hours: int) -> Span:
    return Span(START_S, START_S + hours * HOUR_S)


def own_market(exchange_name: str) -> ExchangeMarket:
    """Return the market of the stand-in, stored under a symbol of its own."""
    return ExchangeMarket(f"F{next(_numbers)}USDT", NAMES[exchange_name][0], "USDT", True)


def stand_in_of(exchange_name: str, records: list[Record], now_s: float, **more: object) -> StandIn:
    exchange = EXCHANGES[exchange_name]
    return StandIn(exchange, VirtualClock(now_s), served_as(exchange_name, records), **more)
