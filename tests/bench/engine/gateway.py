"""Through the gateway: the big market's first run, its columns already in compute, by two workers and by one.

Both are measured in the same rounds: there are two of everything but the database. Nothing of a run is in any
cache, as each round has a strategy of its own.
"""

import asyncio
import tempfile
from pathlib import Path

import grpc
from rich.console import Console
from rich.progress import Progress

from backcast.gateway.v1 import backtest_service_pb2 as pb
from backcast.gateway.v1.backtest_service_pb2_grpc import BacktestServiceStub
from backcast.marketdata.v1.market_data_service_pb2_grpc import MarketDataServiceStub
from backcast_engine.candles import Candles
from backcast_engine.strategies.rsi import Rsi
from services.imports.candle_writer import write_candles
from services.local.stack import LocalStack, StackSettings, serve_command
from services.rpc.channel import open_channel
from tests.bench.candles.market import HOURS
from tests.bench.candles.market import big_market as whole_market
from tests.bench.engine.bare_loop import timed_bare
from tests.bench.engine.markets import BIG_WINDOW, CRYPTO_COUNT, big_market
from tests.bench.engine.ours import timed_market
from tests.bench.engine.sampling import Samples, firsts, ratio, sampled, totals
from tests.bench.engine.section import Goal, Row, Section
from tests.bench.processor_time import ProcessorTime
from tests.bench.runs import oversold, request, timed_run
from tests.bench.timing import Measure, Spread, Timing

_MOST_FLOORS, _FIRST_GOAL_S = 2.0, 0.015
_LEAST_SPEEDUP = 1.5
_IMPORTS_AT_ONCE = 4


async def gateway(rounds: int, console: Console) -> Section:
    """Measure runs by two workers and by one, next to the engine alone."""
    market = big_market(console)

    async def engine(number: int) -> Timing:
        return timed_market(market, Rsi(oversold=oversold(number)), BIG_WINDOW)

    async def bare_on_one(_number: int) -> Timing:
        return timed_bare(market, [Rsi()], cores=1)

    async def bare_on_two(_number: int) -> Timing:
        return timed_bare(market, [Rsi()], cores=2)

    with tempfile.TemporaryDirectory(prefix="backcast-bench-") as folder:
        async with (
            _stack(Path(folder, "two"), 2, None) as two,
            _stack(Path(folder, "one"), 1, two.database_url) as one,
        ):
            await _write_market(two.data_address, console)
            async with (
                open_channel(two.gateway_address) as by_two,
                open_channel(one.gateway_address) as by_one,
            ):
                spent = ProcessorTime(_run_at(by_two))
                measures: dict[str, Measure] = {
                    "two": spent.measure,
                    "one": _run_at(by_one),
                    "engine": engine,
                    "bare on one": bare_on_one,
                    "bare on two": bare_on_two,
                }
                samples = await sampled(measures, rounds, "through the gateway", console)
    return _section(samples, spent)


def _section(samples: Samples, spent: ProcessorTime) -> Section:
    two, one, engine = (totals(samples[name]) for name in ("two", "one", "engine"))
    first = firsts(samples["two"])
    halved = [took_s / 2 for took_s in engine]
    floors, first_s = ratio(two, halved), Spread.of(first).median
    speedup = ratio(one, two)
    bare = ratio(totals(samples["bare on one"]), totals(samples["bare on two"]))
    return Section(
        f"through the gateway: RSI, {CRYPTO_COUNT} cryptos × {HOURS:,} hourly candles, first run, "
        "columns already in compute",
        [
            Row("two workers", two, halved),
            Row("    to the first result", first),
            Row("one worker", one, engine),
            Row("    to the first result", firsts(samples["one"])),
            Row("the engine alone, one core: the floor of one worker", engine),
            Row("half of that: the floor of two", halved),
        ],
        goals=[
            Goal(
                f"two workers at most {_MOST_FLOORS} × their floor", floors <= _MOST_FLOORS, f"{floors:.2f} ×"
            ),
            Goal(f"first result under {1000 * _FIRST_GOAL_S:.0f} ms", first_s < _FIRST_GOAL_S, _ms(first_s)),
            Goal(
                f"two workers at least {_LEAST_SPEEDUP} × one", speedup >= _LEAST_SPEEDUP, f"{speedup:.2f} ×"
            ),
        ],
        notes=[
            f"what the machine gives: the bare loop on two cores is {bare:.2f} × as fast as on one",
            f"processor time of a run by two workers: {spent.line()}",
        ],
    )


def _ms(seconds: float) -> str:
    return f"{1000 * seconds:.1f} ms"


def _run_at(channel: grpc.aio.Channel) -> Measure:
    stub = BacktestServiceStub(channel)

    async def run(number: int) -> Timing:
        whole: pb.RunBacktestsRequest = request(number, cached=True)
        whole.spec.start_time.seconds, whole.spec.end_time.seconds = BIG_WINDOW.start_s, BIG_WINDOW.end_s
        return await timed_run(stub, whole, from_cache=0)

    return run


def _stack(folder: Path, workers: int, database_url: str | None) -> LocalStack:
    """Return everything with so many workers, on its own database or another's."""
    settings = StackSettings(folder, 0, 0, 0, database_url, redis_url=None, quiet=True)
    # The environment that it makes for services goes through `env`, which adds the one that differs.
    return LocalStack(
        settings, lambda service: ["env", f"BACKCAST_COMPUTE_WORKERS={workers}", *serve_command(service)]
    )


async def _write_market(address: str, console: Console) -> None:
    """Write all candles to the data service, a few cryptos at once, while the next ones are made."""
    places = asyncio.Semaphore(_IMPORTS_AT_ONCE)
    with Progress(console=console, transient=True) as progress:
        bar = progress.add_task("writing 9.2 million candles", total=CRYPTO_COUNT)
        async with open_channel(address) as channel, asyncio.TaskGroup() as writes:
            stub = MarketDataServiceStub(channel)

            async def write(symbol: str, candles: Candles) -> None:
                try:
                    await write_candles(stub, symbol, candles, synthetic=True)
                finally:
                    places.release()
                progress.advance(bar)

            for symbol, candles in whole_market():
                await places.acquire()
                writes.create_task(write(symbol, candles))
