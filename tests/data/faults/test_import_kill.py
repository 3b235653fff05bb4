"""A process is killed during an import: what was reported is stored, and nothing is half stored or twice."""

import asyncio
import os
import signal
import sys

import asyncpg
import pytest

from backcast.marketdata.v1.market_data_service_pb2_grpc import MarketDataServiceStub
from backcast_engine.interval import Interval
from services.data.store.catalog import CryptoStore
from services.data.store.database import Database
from services.imports.candle_writer import write_candles
from services.rpc.channel import open_channel
from tests.data.conftest import Server, bits, history_of, listed, rows
from tests.data.data_process import PROJECT, data_process
from tests.data.importer import SYMBOLS, candles_of
from tests.data.store.test_aggregates import aggregated
from tests.waiting import LIMIT_S


async def _kill_backends(server: Server) -> None:
    """Kill the database's processes that serve the data service: PostgreSQL restarts all of them."""
    connection = await asyncpg.connect(server.url)
    pids = await connection.fetch(
        "SELECT pid FROM pg_stat_activity WHERE application_name = 'backcast-data' AND state <> 'idle'"
    )
    connection.terminate()
    for (pid,) in pids:
        os.kill(pid, signal.SIGKILL)


@pytest.mark.parametrize("reported_before", [0, 1, 3])
@pytest.mark.parametrize("victim", ["importer", "data service", "database"])
async def test_what_was_reported_is_there_and_nothing_else_is_broken(
    server: Server, empty_url: str, victim: str, reported_before: int
) -> None:
    async with data_process(empty_url) as (service, address):
        importer = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.data.importer", address),
            cwd=PROJECT,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
        assert importer.stdout
        reported = (
            (b"".join([await importer.stdout.readline() for _ in range(reported_before)])).decode().split()
        )
        if victim == "importer":
            importer.kill()
        elif victim == "data service":
            service.kill()
        else:
            await _kill_backends(server)
        async with asyncio.timeout(LIMIT_S):
            reported += (await importer.stdout.read()).decode().split()
            await importer.wait()

    await _until_it_answers(empty_url)
    async with Database.connect(empty_url, 2) as database:
        there = await listed(CryptoStore(database))
        assert set(reported) <= set(there)
        for symbol, crypto in there.items():
            await _assert_whole(database, symbol)
            assert crypto.candle_count == len(candles_of(symbol))

        # Once more to the end: nothing that is there stands in the way.
        async with data_process(empty_url) as (_, address), open_channel(address) as channel:
            for symbol in SYMBOLS:
                counts = await write_candles(MarketDataServiceStub(channel), symbol, candles_of(symbol))
                assert (counts.inserted == 0) == (symbol in there)
        for symbol in SYMBOLS:
            await _assert_whole(database, symbol)


async def _assert_whole(database: Database, symbol: str) -> None:
    for interval in Interval:
        stored = (await history_of(database, symbol, interval)).candles
        if interval is Interval.HOUR_1:
            assert bits(stored) == bits(candles_of(symbol))
        assert rows(stored) == aggregated(candles_of(symbol), interval)


async def _until_it_answers(url: str) -> None:
    """Wait until the database has recovered; it refuses connections until then."""
    async with asyncio.timeout(LIMIT_S):
        while True:
            try:
                connection = await asyncpg.connect(url)
            except (OSError, asyncpg.PostgresError):
                await asyncio.sleep(0.05)
            else:
                await connection.close()
                return
