"""The lines with grpcurl in README and docs, as they stand there, with the real grpcurl."""

import asyncio
import os
import re
import shlex
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from google.protobuf.struct_pb2 import Value

from backcast.backtest.v1.backtest_spec_pb2 import BacktestSpec
from backcast.backtest.v1.sweep_pb2 import ParameterRange
from backcast.gateway.v1 import backtest_service_pb2 as pb
from backcast_engine.candles import Candles
from backcast_engine.strategies.rsi import Rsi
from services.local.stack import LocalStack
from services.wire.backtests import strategy_to
from tests.candle_making import import_candles, random_candles
from tests.waiting import LIMIT_S

if TYPE_CHECKING:
    from backcast.gateway.v1.backtest_service_pb2_grpc import BacktestServiceAsyncStub
    from backcast.marketdata.v1.market_data_service_pb2_grpc import MarketDataServiceAsyncStub

PROJECT = Path(__file__).parents[3]
PAGES = (PROJECT / "README.md", PROJECT / "docs" / "operations.md", PROJECT / "docs" / "portfolios.md")
# `.ci/run` installs it beside python.
PATH = f"{Path(sys.executable).parent}:{os.environ['PATH']}"

# What the answer of each call has in it.
ANSWERS = {
    "list": "grpc.health.v1.Health",
    "describe": "rpc WatchRun",
    "Health/Check": '"status": "SERVING"',
    "Health/List": '"backcast.gateway.v1.BacktestService"',
    "RunService/ListRuns": "{",
    "RunService/WatchRun": '"summary"',
    "RunService/CancelRun": '"RUN_STATE_CANCELLED"',
    "BacktestService/ListStrategies": '"buy_and_hold"',
    "BacktestService/ListCryptos": '"symbol"',
    "BacktestService/RunBacktests": '"summary"',
    "BacktestService/RunBacktest": '"metrics"',
    "BacktestService/SweepBacktests": '"deflated_sharpe_ratio"',
    "PortfolioService/RunPortfolio": '"contribution"',
    "MarketDataService/GetCandles": '"close"',
    "MarketDataService/ListCryptos": '"fingerprint"',
    "FeedService/ListFeeds": "{",
    "FetchService/ListFetches": "{",
    "Channelz/GetServers": '"calls_started"',
    "Channelz/GetTopChannels": '"channel"',
}


def commands() -> list[str]:
    """Return the commands with grpcurl of all pages, in their order."""
    found = []
    for page in PAGES:
        for block in re.findall(r"```sh\n(.*?)```", page.read_text(), re.DOTALL):
            lines = block.replace("\\\n", " ").splitlines()
            found += [" ".join(line.split()) for line in lines if line.startswith("grpcurl ")]
    return found


def answer_of(command: str) -> str:
    """Return what the answer to a command has in it."""
    words = shlex.split(command)
    called = next(
        word for word in (words[-1], words[-2]) if word in ANSWERS or "/" in word or word == "describe"
    )
    return ANSWERS[called if called in ANSWERS else called.rpartition(".")[2]]


@pytest.fixture(scope="session")
async def sample(data_service: "MarketDataServiceAsyncStub") -> None:
    """Two cryptos of the sample market."""
    for number in (1, 2):
        await import_candles(data_service, f"SYN{number:03}USDT", random_candles(number, 24 * 100))


async def grpcurl(command: str, stack: LocalStack) -> str:
    """Run a command against the stack, and return what it prints; it has to succeed."""
    if not shutil.which("grpcurl", path=PATH):
        pytest.skip("NO GRPCURL: go install github.com/fullstorydev/grpcurl/cmd/grpcurl@v1.9.3")
    for port, address in (
        (50051, stack.gateway_address),
        (50052, stack.compute_address),
        (50053, stack.data_address),
    ):
        command = command.replace(f"127.0.0.1:{port}", address)
    packages = next(path for path in sys.path if path.endswith("site-packages"))
    command = command.replace(".venv/lib/python3.11/site-packages", packages)
    process = await asyncio.create_subprocess_exec(
        "bash",
        "-c",
        command,
        cwd=PROJECT,
        env={**os.environ, "PATH": PATH},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(LIMIT_S):
        printed, complaint = await process.communicate()
    assert process.returncode == 0, complaint.decode()
    return printed.decode()


def test_the_pages_have_every_call() -> None:
    called = {answer_of(command) for command in commands()}
    assert called == set(ANSWERS.values())


@pytest.mark.parametrize("command", [each for each in commands() if "CancelRun" not in each])
async def test_a_line_of_the_pages_works(
    stack: LocalStack, sample: None, market: dict[str, Candles], command: str
) -> None:
    assert answer_of(command) in await grpcurl(command, stack)


async def test_the_line_that_cancels_ends_a_sweep(
    stack: LocalStack, gateway: "BacktestServiceAsyncStub", market: dict[str, Candles]
) -> None:
    (command,) = (each for each in commands() if "CancelRun" in each)
    values = [Value(number_value=value) for value in range(2, 500)]
    sweep = gateway.SweepBacktests(
        pb.SweepBacktestsRequest(
            spec=BacktestSpec(strategy=strategy_to(Rsi())),
            ranges=[ParameterRange(name="period", values=values)],
            cache_mode=pb.CACHE_MODE_BYPASS,
            run_id="big-sweep",
        )
    )
    await anext(aiter(sweep))
    try:
        assert answer_of(command) in await grpcurl(command, stack)
    finally:
        sweep.cancel()
