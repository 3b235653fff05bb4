"""Column files that several runs and processes read, write and delete at the same time."""

import asyncio
import shutil
from contextlib import aclosing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from backcast_engine.candles import Candles
from services.compute.candles.column_files import ColumnFiles
from services.compute.candles.column_provider import ColumnProvider
from services.compute.candles.source import CandleSource
from tests.end_to_end.candles.columns import (
    CLOSE,
    CRYPTOS,
    HOUR,
    OVERHEAD,
    append,
    assert_same,
    brought,
    known,
    singly,
    size,
)
from tests.end_to_end.line import Line

if TYPE_CHECKING:
    from backcast.marketdata.v1.market_data_service_pb2_grpc import MarketDataServiceAsyncStub

GB = 10**9


async def test_runs_that_need_the_same_fetch_it_once(
    supply: ColumnProvider, line: Line, data_service: "MarketDataServiceAsyncStub", market: dict[str, Candles]
) -> None:
    cryptos = await known(data_service, market)
    runs = await asyncio.gather(*(brought(supply, part) for part in (cryptos, cryptos[2:], cryptos[::-1])))
    for run in runs:
        assert_same(run, {symbol: market[symbol] for symbol in run})
    assert [len(run) for run in runs] == [6, 4, 6]
    assert line.received - size("close") < OVERHEAD


async def test_a_run_whose_reader_is_slow_holds_nobody_up(
    supply: ColumnProvider, data_service: "MarketDataServiceAsyncStub", market: dict[str, Candles]
) -> None:
    cryptos = await known(data_service, market)
    async with aclosing(singly(supply.columns(cryptos, HOUR, CLOSE))) as slow:
        await anext(slow)
        assert_same(await brought(supply, cryptos), market)


@pytest.mark.parametrize("left", ["the one that fetches", "the one that waits"])
async def test_a_run_that_is_left_breaks_no_other(
    supply: ColumnProvider,
    line: Line,
    data_service: "MarketDataServiceAsyncStub",
    market: dict[str, Candles],
    left: str,
) -> None:
    cryptos = await known(data_service, market)
    line.hold(after=size("close") // 2)
    first, second = (singly(supply.columns(cryptos, HOUR, CLOSE)) for _ in range(2))
    await anext(first)
    await anext(second)
    leaving, staying = (first, second) if left == "the one that fetches" else (second, first)
    await leaving.aclose()
    line.open()
    rest = {data.symbol: stored async for data, stored in staying}
    assert len(rest) == CRYPTOS - 1
    assert not any(isinstance(stored, Exception) for stored in rest.values())
    assert_same(await brought(supply, cryptos), market)


async def test_the_folder_can_be_deleted_at_any_time(
    supply: ColumnProvider,
    tmp_path: Path,
    data_service: "MarketDataServiceAsyncStub",
    market: dict[str, Candles],
) -> None:
    cryptos = await known(data_service, market)
    found = set()
    async for data, stored in singly(supply.columns(cryptos, HOUR, CLOSE)):
        assert not isinstance(stored, Exception)
        found.add(data.symbol)
        shutil.rmtree(tmp_path / "columns", ignore_errors=True)
    assert found == set(market)
    assert_same(await brought(supply, cryptos), market)


async def test_a_run_larger_than_the_folder_may_be_is_complete(
    source: CandleSource,
    tmp_path: Path,
    data_service: "MarketDataServiceAsyncStub",
    market: dict[str, Candles],
) -> None:
    limit = size("close") // 3
    files = ColumnFiles(tmp_path, limit / GB)
    supply = ColumnProvider(files, source)
    cryptos = await known(data_service, market)
    async with aclosing(singly(supply.columns(cryptos[:4], HOUR, CLOSE))) as run:
        for _ in cryptos[:4]:
            await anext(run)
        other = await brought(supply, cryptos[4:])
        assert_same(other, {symbol: market[symbol] for symbol in other})
        assert all(files.stored(data, HOUR, CLOSE).use() for data in cryptos[:4])
    await brought(supply, cryptos[:1], ("volume",))
    assert size("close") // 4 < sum(path.stat().st_size for path in tmp_path.iterdir()) <= limit


async def test_two_compute_services_share_a_folder(
    files: ColumnFiles,
    source: CandleSource,
    tmp_path: Path,
    data_service: "MarketDataServiceAsyncStub",
    market: dict[str, Candles],
) -> None:
    supplies = [ColumnProvider(files, source), ColumnProvider(ColumnFiles(tmp_path / "columns", 1.0), source)]
    for _ in range(2):
        cryptos = await known(data_service, market)
        for found in await asyncio.gather(*(brought(supply, cryptos) for supply in supplies)):
            assert_same(found, market)
        for symbol in market:
            await append(data_service, market, symbol)
