"""`python -m tests.bench.portfolio.gateway`: a portfolio of the sample market next to a plain run of it.

Both are computed, not cached, by the same services. Timings are never tests: they depend on the machine.
"""

import argparse
import asyncio
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from backcast.gateway.v1 import backtest_service_pb2
from backcast.gateway.v1.backtest_service_pb2_grpc import BacktestServiceStub
from backcast.gateway.v1.portfolio_service_pb2 import RunPortfolioRequest
from backcast.gateway.v1.portfolio_service_pb2_grpc import PortfolioServiceStub
from backcast_engine.portfolio import WeightedStrategy
from backcast_engine.strategies.rsi import Rsi
from services.cli.commands.sample import write_sample_market
from services.cli.views.console import make_console, say
from services.local.interrupts import Interrupts
from services.local.sample_market import CRYPTO_COUNT
from services.local.stack import LocalStack, StackSettings
from services.rpc.channel import open_channel
from services.wire.portfolios import portfolio_spec_to
from tests.bench.engine.sampling import ratio, sampled, totals
from tests.bench.engine.section import Goal, Row, Section
from tests.bench.machine import machine_lines
from tests.bench.portfolio.__main__ import TEN_PLACES
from tests.bench.runs import oversold, request, timed_run
from tests.bench.timing import Measure, Timing

_ROUNDS = 15
_MOST = 2.0


async def bench(rounds: int, console: Console) -> None:
    """Measure `rounds` rounds, after one that warms everything up, and print them."""
    with Interrupts(), tempfile.TemporaryDirectory(prefix="backcast-bench-") as folder:
        settings = StackSettings(Path(folder), 0, 0, 0, database_url=None, redis_url=None)
        async with LocalStack(settings) as stack, open_channel(stack.gateway_address) as channel:
            await write_sample_market(stack.data_address, console)
            runs, portfolios = BacktestServiceStub(channel), PortfolioServiceStub(channel)

            async def plain(number: int) -> Timing:
                return await timed_run(runs, request(number, cached=False), from_cache=0)

            async def portfolio(number: int) -> Timing:
                return await _timed_portfolio(portfolios, _portfolio_request(number, cached=False))

            async def cached(_: int) -> Timing:
                return await _timed_portfolio(portfolios, _portfolio_request(0, cached=True))

            measures: dict[str, Measure] = {"run": plain, "portfolio": portfolio, "cached": cached}
            samples = await sampled(measures, rounds, "portfolios", console)
        took = {name: totals(timings) for name, timings in samples.items()}
        times = ratio(took["portfolio"], took["run"])
        rows = [
            Row("floor: a plain run through the gateway", took["run"]),
            Row("a portfolio: ten places, ranked, equal shares", took["portfolio"], took["run"]),
            Row("the portfolio from the cache", took["cached"], took["run"]),
        ]
        goals = [Goal(f"at most {_MOST:g} × the plain run", times <= _MOST, f"{times:.2f} ×")]
        title = f"one account through the gateway: RSI, {CRYPTO_COUNT} cryptos, a year of hours"
        Section(title, rows, goals).print(console)
        say(console, "\n".join(machine_lines()))


def _portfolio_request(variant: int, *, cached: bool) -> RunPortfolioRequest:
    """Return the request of a portfolio of the whole market; each variant costs the same."""
    strategies = (WeightedStrategy(Rsi(oversold=oversold(variant))),)
    spec = portfolio_spec_to(replace(TEN_PLACES, strategies=strategies))
    for field in ("start_time", "end_time"):
        spec.ClearField(field)  # type: ignore[arg-type]  # names of its fields
    mode = backtest_service_pb2.CACHE_MODE_DEFAULT if cached else backtest_service_pb2.CACHE_MODE_BYPASS
    return RunPortfolioRequest(spec=spec, cache_mode=mode)


async def _timed_portfolio(gateway: PortfolioServiceStub, asked: RunPortfolioRequest) -> Timing:
    began, cryptos = time.perf_counter(), 0
    async for event in gateway.RunPortfolio(asked):  # type: ignore[attr-defined]  # the channel is asynchronous
        if event.HasField("result"):
            cryptos = len(event.result.cryptos)
    if cryptos != CRYPTO_COUNT:
        raise RuntimeError(f"the portfolio has {cryptos} cryptos")
    return Timing(time.perf_counter() - began)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.bench.portfolio.gateway", description=__doc__)
    parser.add_argument("--rounds", type=int, default=_ROUNDS, help=f"how many rounds; default {_ROUNDS}")
    asyncio.run(bench(parser.parse_args().rounds, make_console()))
