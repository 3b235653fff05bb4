"""After a thousand runs, the Python client holds nothing of them: no object, memory, thread or socket."""

import gc
import threading
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import psutil
import pytest

import backcast
from backcast.errors import InvalidRequestError
from backcast_engine.candles import Candles
from tests.waiting import until

WARM_UP, RUNS = 100, 1_000
# Of a run with two curves, the results have 130 kB: that of a thousand would be 130 MB.
MOST_BYTES = 30_000_000
RSI = backcast.Rsi(period=7)

pytestmark = pytest.mark.slow


@dataclass(frozen=True)
class Held:
    """What this process holds."""

    objects: int
    bytes: int
    threads: int
    files: int

    @classmethod
    def now(cls) -> "Held":
        gc.collect()
        process = psutil.Process()
        return cls(
            len(gc.get_objects()), process.memory_info().rss, threading.active_count(), process.num_fds()
        )


async def check(run_once: Callable[[int], Awaitable[None]]) -> None:
    for number in range(WARM_UP):
        await run_once(number)
    before = Held.now()
    for number in range(RUNS):
        await run_once(number)
    # gRPC's threads take a moment to end.
    await until(lambda: Held.now().threads <= before.threads)
    after = Held.now()
    # Less than an object a run: caches may grow a little.
    assert after.objects - before.objects < RUNS
    assert after.bytes - before.bytes < MOST_BYTES
    assert after.files <= before.files


async def test_a_client_for_threads_keeps_nothing_of_its_runs(
    client: backcast.Client, cryptos: dict[str, Candles]
) -> None:
    symbols = [*cryptos][:2]

    async def run_once(number: int) -> None:
        match number % 5:
            case 0:
                client.run(RSI, symbols=symbols, detail="equity").equity()
            case 1:
                # Left in the middle, and cancelled.
                with client.run(RSI, symbols=symbols, detail="equity") as run:
                    next(iter(run))
            case 2:
                # Left in the middle, and forgotten.
                next(iter(client.run(RSI, symbols=symbols, detail="equity")))
            case 3:
                with pytest.raises(InvalidRequestError):
                    client.run(RSI, symbols=["NOSUCHUSDT"])
            case _:
                client.run(RSI, symbols=symbols).metrics()

    await check(run_once)
    assert len(client._open) <= 1


async def test_a_client_for_asyncio_keeps_nothing_of_its_runs(
    aio_client: "backcast.aio.Client", cryptos: dict[str, Candles]
) -> None:
    symbols = [*cryptos][:2]

    async def run_once(number: int) -> None:
        match number % 5:
            case 0:
                await (await aio_client.run(RSI, symbols=symbols, detail="equity")).equity()
            case 1:
                async with await aio_client.run(RSI, symbols=symbols, detail="equity") as run:
                    await anext(aiter(run))
            case 2:
                await anext(aiter(await aio_client.run(RSI, symbols=symbols, detail="equity")))
            case 3:
                with pytest.raises(InvalidRequestError):
                    await aio_client.run(RSI, symbols=["NOSUCHUSDT"])
            case _:
                await (await aio_client.run(RSI, symbols=symbols)).metrics()

    await check(run_once)
    assert len(aio_client._open) <= 1
