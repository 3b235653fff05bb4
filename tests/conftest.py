"""Real servers for all tests: started once, on free ports, in a folder of their own, ended by the tests."""

import ipaddress
import os
import shutil
import socket
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest
from hypothesis import HealthCheck, settings

from backcast.gateway.v1.backtest_service_pb2_grpc import BacktestServiceStub
from backcast.marketdata.v1.market_data_service_pb2_grpc import MarketDataServiceStub
from services.local.stack import LocalStack, StackSettings
from services.rpc.channel import open_channel
from tests.candle_making import import_candles, random_candles
from tests.leaks import Resources
from tests.long_run import LONG_HOURS, LONG_START_S, LONG_SYMBOLS

if TYPE_CHECKING:
    from backcast.gateway.v1.backtest_service_pb2_grpc import BacktestServiceAsyncStub
    from backcast.marketdata.v1.market_data_service_pb2_grpc import MarketDataServiceAsyncStub

# How long an example takes says how busy the machine is.
# Many random conditions can never hold, and are left out.
_SUPPRESSED = [HealthCheck.too_slow, HealthCheck.filter_too_much]
settings.register_profile("exploring", deadline=None, suppress_health_check=_SUPPRESSED)
# The same examples each time: whether a change is accepted must not depend on chance. Runs at a desk explore.
settings.register_profile("repeatable", settings.get_profile("exploring"), derandomize=True)
settings.load_profile(os.environ.get("BACKCAST_TEST_EXAMPLES", "exploring"))

MARKET_DATA = Path(__file__).parents[2] / "shared" / "market-data"
IMPORT_CASES = MARKET_DATA.with_name("import-cases")


# The folders of servers, of stacks and of their logs: a test that uses one starts something in it.
FOLDERS_OF_SERVERS = {"short_folder", "data_dir"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests that start servers: what is left is quick, see `make test-quick`."""
    for item in items:
        if isinstance(item, pytest.Function) and not FOLDERS_OF_SERVERS.isdisjoint(item.fixturenames):
            item.add_marker("servers")


@pytest.fixture(scope="session")
def market_data() -> Path:
    """The folder of real candles, which is not part of the project."""
    if not MARKET_DATA.is_dir():
        pytest.skip(f"NO REAL CANDLES: {MARKET_DATA} is not there")
    return MARKET_DATA


@pytest.fixture(scope="session")
def import_cases() -> Path:
    """The folder of files in shapes that people have, which is not part of the project."""
    if not IMPORT_CASES.is_dir():
        pytest.skip(f"NO IMPORT CASES: {IMPORT_CASES} is not there")
    return IMPORT_CASES


@pytest.fixture(scope="session", autouse=True)
def only_loopback() -> Iterator[None]:
    """Fail a test that connects to another machine."""
    connect = socket.socket.connect

    def connect_here(self: socket.socket, address: tuple[str, int]) -> None:
        if self.family in (socket.AF_INET, socket.AF_INET6):
            assert ipaddress.ip_address(address[0]).is_loopback, f"a test connects to {address}"
        connect(self, address)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", connect_here)
        yield


@pytest.fixture(scope="session", autouse=True)
def nothing_left_running() -> Iterator[None]:
    """Fail the session when a process that a test started is still there at its end."""
    yield
    left = [" ".join(child.cmdline()) for child in psutil.Process().children(recursive=True)]
    assert left == []


@pytest.fixture(autouse=True)
def nothing_left_behind() -> Iterator[None]:
    """Fail a test that leaves a process, a thread or a port behind; what wider fixtures started stays."""
    before = Resources.now()
    yield
    assert before.left_since() == []


@pytest.fixture(scope="session")
def short_folder() -> Iterator[Path]:
    """A folder whose path is short enough for unix sockets, and that other accounts may pass through."""
    folder = Path(tempfile.mkdtemp(prefix="backcast-test-"))
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
async def stack(short_folder: Path) -> AsyncIterator[LocalStack]:
    """All of Backcast: embedded servers and the three services as processes."""
    settings = StackSettings(short_folder / "stack", 0, 0, 0, database_url=None, redis_url=None, quiet=True)
    async with LocalStack(settings) as stack:
        yield stack


@pytest.fixture(scope="session")
async def gateway(stack: LocalStack) -> "AsyncIterator[BacktestServiceAsyncStub]":
    """A client of the gateway."""
    async with open_channel(stack.gateway_address) as channel:
        yield BacktestServiceStub(channel)


@pytest.fixture(scope="session")
async def data_service(stack: LocalStack) -> "AsyncIterator[MarketDataServiceAsyncStub]":
    """A client of the data service."""
    async with open_channel(stack.data_address) as channel:
        yield MarketDataServiceStub(channel)


@pytest.fixture(scope="session")
async def long_market(data_service: "MarketDataServiceAsyncStub") -> None:
    """The cryptos of `long_request`."""
    for number, symbol in enumerate(LONG_SYMBOLS):
        await import_candles(data_service, symbol, random_candles(number, LONG_HOURS, LONG_START_S))
