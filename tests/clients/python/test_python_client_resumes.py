"""A stream that breaks off is resumed by the Python client: no result is missing, none comes twice."""

import asyncio
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import backcast
from backcast.errors import ConnectionFailedError
from backcast_engine.candles import Candles
from services.local.stack import LocalStack
from tests.end_to_end.line import Line
from tests.end_to_end.one_service import service_beside
from tests.waiting import until

RSI = backcast.Rsi(period=7)
# Some hundred bytes are the result of a crypto; with the equity, hundreds of kilobytes.
SOME_BYTES = 200_000
# A sweep whose table comes at its end, in messages of 500 rows, 200 kB each: the first passes, no other one.
MANY_ROWS: dict[str, Any] = {
    "period": range(5, 65),
    "oversold": range(20, 40),
    "start": "2024-01-01",
    "top": 1,
}
ROWS, BYTES_OF_SOME_ROWS = 60 * 20, 300_000


async def test_a_run_goes_on_after_its_line_was_cut(stack: LocalStack, cryptos: dict[str, Candles]) -> None:
    async with Line(stack.gateway_address) as line:
        async with backcast.aio.connect(line.address, frames="numpy") as client:
            line.hold(SOME_BYTES)
            run = await client.run(RSI, symbols=cryptos, detail="equity")
            came = []
            async for result in run:
                came.append(result.symbol)
                if len(came) == 1:
                    line.cut()
            assert sorted(came) == sorted(cryptos)
            whole = await run.equity()
        async with backcast.aio.connect(stack.gateway_address, frames="numpy") as client:
            uncut = await (await client.run(RSI, symbols=cryptos, detail="equity")).equity()
    for name, column in uncut.items():
        np.testing.assert_array_equal(whole[name], column)


async def test_a_thread_resumes_likewise(stack: LocalStack, cryptos: dict[str, Candles]) -> None:
    loop = asyncio.get_running_loop()

    def read(address: str) -> list[str]:
        with backcast.connect(address, frames="numpy") as client:
            run = client.run(RSI, symbols=cryptos, detail="equity")
            came = []
            for result in run:
                came.append(result.symbol)
                if len(came) == 1:
                    loop.call_soon_threadsafe(line.cut)
            return came

    async with Line(stack.gateway_address) as line:
        line.hold(SOME_BYTES)
        assert sorted(await asyncio.to_thread(read, line.address)) == sorted(cryptos)


async def test_a_run_that_its_gateway_has_forgotten_begins_anew(
    stack: LocalStack, cryptos: dict[str, Candles], short_folder: Path
) -> None:
    folder = short_folder / "forgetful"
    came = []
    async with AsyncExitStack() as started:
        gateway = await started.enter_async_context(service_beside(stack, "gateway", folder))
        port = int(gateway.address.rpartition(":")[2])
        line = await started.enter_async_context(Line(gateway.address))
        client = await started.enter_async_context(backcast.aio.connect(line.address, frames="numpy"))
        line.hold(SOME_BYTES)
        run = await client.run(RSI, symbols=cryptos, detail="equity", run_id="forgotten")
        async for result in run:
            came.append(result.symbol)
            if len(came) == 1:
                gateway.process.kill()
                line.cut()
                await started.enter_async_context(service_beside(stack, "gateway", folder, port))
        assert sorted(came) == sorted(cryptos)
        assert run.id == "forgotten"
        assert run.progress.completed == len(cryptos)


async def test_patience_with_a_server_that_is_away_ends(
    stack: LocalStack, cryptos: dict[str, Candles]
) -> None:
    async with Line(stack.gateway_address) as line:
        client = backcast.aio.connect(line.address, frames="numpy", patience=0.2)
        line.hold(SOME_BYTES)
        run = await client.run(RSI, symbols=cryptos, detail="equity")
    with pytest.raises(ConnectionFailedError):
        await run.wait()
    await client.close()


async def held(line: Line) -> None:
    """Wait until the line holds something back."""
    await until(lambda: line.limit is not None and line.received > line.limit)


async def stopped_waiting(waiting: Coroutine[Any, Any, Any], line: Line) -> None:
    """Wait for something while its line holds; stop waiting, and open the line."""
    task = asyncio.create_task(waiting)
    await asyncio.sleep(0)
    await held(line)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    line.open()


async def test_who_stopped_waiting_for_a_run_may_wait_again(
    stack: LocalStack, cryptos: dict[str, Candles]
) -> None:
    async with (
        Line(stack.gateway_address) as line,
        backcast.aio.connect(line.address, frames="numpy") as client,
    ):
        line.hold(SOME_BYTES)
        run = await client.run(RSI, symbols=cryptos, detail="equity")
        await stopped_waiting(run.wait(), line)
        assert not run.is_complete
        assert (await run.metrics())["symbol"].tolist() == sorted(cryptos)


async def test_who_stopped_waiting_for_a_sweep_gets_each_row_once(
    stack: LocalStack, cryptos: dict[str, Candles]
) -> None:
    async with (
        Line(stack.gateway_address) as line,
        backcast.aio.connect(line.address, frames="numpy") as client,
    ):
        line.hold(BYTES_OF_SOME_ROWS)
        sweep = await client.sweep(backcast.Rsi(), symbols=cryptos, **MANY_ROWS)
        await stopped_waiting(sweep.wait(), line)
        assert not sweep.is_complete
        table = await sweep.table()
    assert table["combination"].tolist() == [*range(ROWS)]


async def test_a_thread_gets_each_row_of_a_sweep_once_after_its_line_was_cut(
    stack: LocalStack, cryptos: dict[str, Candles]
) -> None:
    def read(address: str) -> Any:
        with backcast.connect(address, frames="numpy") as client:
            return client.sweep(backcast.Rsi(), symbols=cryptos, **MANY_ROWS).table()

    async with Line(stack.gateway_address) as line:
        line.hold(BYTES_OF_SOME_ROWS)
        reading = asyncio.create_task(asyncio.to_thread(read, line.address))
        await held(line)
        line.cut()
        assert (await reading)["combination"].tolist() == [*range(ROWS)]
