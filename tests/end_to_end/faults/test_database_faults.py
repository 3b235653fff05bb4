"""The database stops, crashes or stands still under a run: the run ends in time, and the next one works."""

import asyncio
import shutil
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import asyncpg
import grpc
import psutil
import pytest

from backcast.backtest.v1.backtest_spec_pb2 import BacktestSpec
from backcast.gateway.v1 import backtest_service_pb2 as pb
from backcast.gateway.v1.backtest_service_pb2_grpc import BacktestServiceStub
from backcast.marketdata.v1.market_data_service_pb2_grpc import MarketDataServiceStub
from backcast_engine.errors import ErrorReason
from backcast_engine.interval import Interval
from backcast_engine.strategies.rsi import Rsi
from services.compute.candles.source import CandleSource
from services.domain.errors import Unavailable
from services.gateway.upstream.market import MarketCatalog
from services.local.postgres import EmbeddedPostgres
from services.local.stack import LocalStack, StackSettings
from services.rpc.channel import open_channel
from services.wire.backtests import strategy_to
from tests.candle_making import events_of, import_candles, random_candles
from tests.error_info import ErrorOfPrograms, error_info
from tests.waiting import LIMIT_S, until

if TYPE_CHECKING:
    from backcast.gateway.v1.backtest_service_pb2_grpc import BacktestServiceAsyncStub
    from backcast.marketdata.v1.market_data_service_pb2_grpc import MarketDataServiceAsyncStub

SYMBOLS = [f"FAULT{number}USDT" for number in range(6)]
SENTENCES = {"the database does not answer", "the database is starting or stopping"}


@dataclass(frozen=True)
class Fault:
    """What happens to the server, and what undoes it."""

    do: Callable[[EmbeddedPostgres], None]
    undo: Callable[[EmbeddedPostgres], None]


def _stop_at_once(server: EmbeddedPostgres) -> None:
    """As after a crash: the log is replayed at the next start."""
    psutil.Process(server.process.pid).send_signal(signal.SIGQUIT)
    server.stop()


def _processes(server: EmbeddedPostgres) -> list[psutil.Process]:
    main = psutil.Process(server.process.pid)
    return [main, *main.children(recursive=True)]


def _pause(server: EmbeddedPostgres) -> None:
    for process in _processes(server):
        process.suspend()


def _resume(server: EmbeddedPostgres) -> None:
    for process in _processes(server):
        process.resume()


FAULTS = {
    "fast stop": Fault(EmbeddedPostgres.stop, EmbeddedPostgres.start),
    "immediate stop": Fault(_stop_at_once, EmbeddedPostgres.start),
    "pause": Fault(_pause, _resume),
}


@dataclass(frozen=True)
class Beside:
    """Services on a database of their own, with six cryptos."""

    server: EmbeddedPostgres
    gateway: "BacktestServiceAsyncStub"
    market_data: "MarketDataServiceAsyncStub"
    data: psutil.Process
    columns: Path

    async def run(self) -> list[pb.RunBacktestsResponse]:
        """Run on all cryptos, to be ended in time."""
        async with asyncio.timeout(LIMIT_S):
            return [event async for event in events_of(self.gateway, REQUEST)]

    def forget_columns(self) -> None:
        """Have compute fetch all candles anew."""
        shutil.rmtree(self.columns, ignore_errors=True)

    @asynccontextmanager
    async def nobody_reads_candles(self) -> AsyncIterator[asyncpg.Connection]:
        """Have whoever reads candles wait; cryptos are listed."""
        connection = await asyncpg.connect(self.server.url)
        try:
            await connection.execute("BEGIN; LOCK TABLE candles_1h, packed_hours IN ACCESS EXCLUSIVE MODE")
            yield connection
        finally:
            connection.terminate()


REQUEST = pb.RunBacktestsRequest(
    symbols=SYMBOLS, spec=BacktestSpec(strategy=strategy_to(Rsi())), cache_mode=pb.CACHE_MODE_BYPASS
)


@pytest.fixture(scope="module")
async def beside(stack: LocalStack, short_folder: Path) -> AsyncIterator[Beside]:
    folder = short_folder / "faults"
    folder.mkdir()
    server = EmbeddedPostgres(folder)
    await asyncio.to_thread(server.start)
    try:
        settings = StackSettings(
            folder / "services", 0, 0, 0, database_url=server.url, redis_url=stack.redis_url, quiet=True
        )
        with pytest.MonkeyPatch.context() as environment:
            environment.setenv("BACKCAST_DATABASE_TIMEOUT_S", "1")
            known = {child.pid for child in psutil.Process().children()}
            async with (
                LocalStack(settings) as services,
                open_channel(services.gateway_address) as gateway,
                open_channel(services.data_address) as data,
            ):
                market_data = MarketDataServiceStub(data)
                for number, symbol in enumerate(SYMBOLS):
                    await import_candles(market_data, symbol, random_candles(number, 2000))
                (process,) = (
                    child
                    for child in psutil.Process().children()
                    if child.pid not in known and child.cmdline()[-2:] == ["serve", "data"]
                )
                columns = folder / "services" / "columns"
                yield Beside(server, BacktestServiceStub(gateway), market_data, process, columns)
    finally:
        await asyncio.to_thread(server.stop)


@pytest.mark.parametrize("name", FAULTS)
async def test_a_run_amid_it_ends_and_the_next_one_works(beside: Beside, name: str) -> None:
    fault = FAULTS[name]
    assert (await beside.run())[-1].progress.completed == 6
    files = beside.data.num_fds()
    beside.forget_columns()
    async with beside.nobody_reads_candles() as connection:
        running = asyncio.create_task(_ended(beside.run()))
        await _until_somebody_waits(connection)
        await asyncio.to_thread(fault.do, beside.server)
        try:
            # One that was under way, and one that comes now.
            for ended in (await running, await _ended(beside.run())):
                assert ended
                for sentence, info in ended:
                    assert sentence in SENTENCES
                    assert info == ("UNAVAILABLE", ErrorReason.DATABASE_UNAVAILABLE, {})
        finally:
            await asyncio.to_thread(fault.undo, beside.server)
    assert (await beside.run())[-1].progress.completed == 6
    # Its connections to the database, and no more: see BACKCAST_DATABASE_POOL_SIZE.
    assert beside.data.num_fds() <= files + 9


async def test_a_run_of_what_compute_has_needs_the_list_only(beside: Beside) -> None:
    await beside.run()
    async with beside.nobody_reads_candles():
        assert (await beside.run())[-1].progress.completed == 6


async def test_a_data_service_that_stands_still_is_given_up_by_those_who_ask_it(beside: Beside) -> None:
    market = MarketCatalog(beside.market_data, limit_s=0.5)
    source = CandleSource(beside.market_data, stall_limit_s=0.5)
    known = dict.fromkeys(SYMBOLS, "")

    async def fetched() -> list[str]:
        groups = source.histories(known, Interval.HOUR_1, ("close",))
        return [history.symbol async for group in groups for history in group]

    beside.data.suspend()
    try:
        for asked in (market.cryptos(SYMBOLS, None), fetched()):
            async with asyncio.timeout(LIMIT_S):
                with pytest.raises(
                    Unavailable, match=r"^the data service did not answer before the deadline"
                ):
                    await asked
    finally:
        beside.data.resume()
    assert await fetched() == [crypto.symbol for crypto in await market.cryptos([], None)] == SYMBOLS


async def _ended(run: Awaitable[list[pb.RunBacktestsResponse]]) -> list[tuple[str, ErrorOfPrograms]]:
    """Return what a run's failures, or its own end, say to people and to programs."""
    try:
        events = await run
    except grpc.aio.AioRpcError as error:
        return [(error.details() or "", error_info(error))]
    assert events[-1].HasField("summary")
    return [
        (event.failure.status.message, error_info(event.failure.status))
        for event in events
        if event.HasField("failure")
    ]


async def _until_somebody_waits(connection: asyncpg.Connection) -> None:
    await until(lambda: connection.fetchval("SELECT count(*) > 0 FROM pg_locks WHERE NOT granted"))
