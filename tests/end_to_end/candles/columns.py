"""Columns of candles that compute fetches, keeps in files and compares with what was imported."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from itertools import count
from typing import TYPE_CHECKING

from backcast.marketdata.v1 import market_data_service_pb2
from backcast_engine.candles import Candles
from backcast_engine.interval import Interval
from backcast_engine.times import EARLIEST_S
from services.compute.candles.column_provider import ColumnProvider, Columns
from services.compute.candles.location import DataVersion
from tests.candle_making import import_candles, random_candles

if TYPE_CHECKING:
    from backcast.marketdata.v1.market_data_service_pb2_grpc import MarketDataServiceAsyncStub


HOUR = Interval.HOUR_1


CLOSE = ("close",)


HOURS = 3_000


CRYPTOS = 6


# What a connection, headers and frames take beside the candles.
OVERHEAD = 10_000


_numbers = count()


async def known(data_service: "MarketDataServiceAsyncStub", market: dict[str, Candles]) -> list[DataVersion]:
    """Return the versions of the cryptos that the gateway would send to compute now."""
    request = market_data_service_pb2.ListCryptosRequest(symbols=market)
    cryptos = (await data_service.ListCryptos(request)).cryptos
    return [DataVersion(crypto.symbol, crypto.fingerprint) for crypto in cryptos]


async def singly(
    groups: AsyncGenerator[list[tuple[DataVersion, Columns]]],
) -> AsyncGenerator[tuple[DataVersion, Columns]]:
    """Yield one crypto after the other."""
    async with aclosing(groups):
        async for group in groups:
            for one in group:
                yield one


async def brought(
    supply: ColumnProvider,
    cryptos: list[DataVersion],
    columns: tuple[str, ...] = CLOSE,
    interval: Interval = HOUR,
    since_s: int = EARLIEST_S,
) -> dict[str, Candles | Exception]:
    """Return each crypto's columns as a worker would map them, or why there are none."""
    return {
        data.symbol: stored if isinstance(stored, Exception) else stored.map().candles
        async for data, stored in singly(supply.columns(cryptos, interval, columns, since_s))
    }


def assert_same(
    found: dict[str, Candles | Exception], market: dict[str, Candles], columns: tuple[str, ...] = CLOSE
) -> None:
    assert sorted(found) == sorted(market)
    for symbol, candles in found.items():
        for column in ("open_time_s", *columns):
            assert getattr(candles, column).tobytes() == getattr(market[symbol], column).tobytes()


async def append(
    data_service: "MarketDataServiceAsyncStub", market: dict[str, Candles], symbol: str, hours: int = 1
) -> None:
    """Store candles after a crypto's last one."""
    start_s = int(market[symbol].open_time_s[-1]) + 3600
    candles = random_candles(len(market[symbol]), hours, start_s)
    await import_candles(data_service, symbol, candles)
    market[symbol] = Candles.concatenate([market[symbol], candles])


def size(*columns: str) -> int:
    """Return the bytes of some columns and the time of the market at first."""
    return CRYPTOS * HOURS * 8 * (1 + len(columns))
