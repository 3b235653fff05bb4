"""A stream that breaks off is resumed by the Python client: no result is missing, none comes twice."""

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path

import numpy as np
import pytest

import backcast
from backcast.errors import ConnectionFailedError
from backcast_engine.candles import Candles
from services.local.stack import LocalStack
from tests.end_to_end.line import Line
from tests.end_to_end.one_service import service_beside

RSI = backcast.Rsi(period=7)
# Some hundred bytes are the result of a crypto; with the equity, hundreds of kilobytes.
SOME_BYTES = 200_000


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
