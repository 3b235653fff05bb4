"""One gateway with two computes: both get work, and runs outlive a compute that goes away."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

import grpc
import pytest

from backcast.backtest.v1.backtest_spec_pb2 import BacktestSpec
from backcast.backtest.v1.series_pb2 import SeriesBlock
from backcast.gateway.v1 import backtest_service_pb2 as pb
from backcast.gateway.v1.backtest_service_pb2_grpc import BacktestServiceStub
from backcast.marketdata.v1.market_data_service_pb2 import DeleteCryptoRequest
from backcast_engine import Strategy
from backcast_engine.rules.parse import parse
from backcast_engine.strategies.custom_rules import CustomRules
from backcast_engine.strategies.rsi import Rsi
from services.local.ports import free_ports
from services.local.stack import LocalStack
from services.rpc.channel import open_channel
from services.wire.backtests import strategy_to
from tests.candle_making import START_S, events_of, import_candles, random_candles
from tests.end_to_end.one_service import OneService, service_beside
from tests.end_to_end.processes import is_alive
from tests.end_to_end.sweeps.sweeping import Swept, sweep_events, sweep_request, swept
from tests.waiting import LIMIT_S

if TYPE_CHECKING:
    from backcast.gateway.v1.backtest_service_pb2_grpc import BacktestServiceAsyncStub
    from backcast.marketdata.v1.market_data_service_pb2_grpc import MarketDataServiceAsyncStub

SYMBOLS = [f"TWO{number:02}USDT" for number in range(12)]
HOURS = 24 * 730
# Fifteen years, and as many series as one rule can compare.
LONG_HOURS = 131_400
SERIES = 29
_NUMBERS = count(1)
# Longer than what is in flight here takes.
GRACE_S = 20


def kill(compute: OneService) -> None:
    compute.process.kill()
    compute.process.wait()


class TwoComputes:
    """Two compute services with one worker each, and the gateway that knows both."""

    def __init__(self, stack: LocalStack, folder: Path) -> None:
        self._stack = stack
        self._folder = folder
        self._ports = free_ports(2)
        self._to_stop = AsyncExitStack()
        self.computes: list[OneService] = []
        self.gateway: OneService

    async def start(self) -> None:
        self.computes = [await self._start_compute(number) for number in range(2)]
        addresses = ",".join(compute.address for compute in self.computes)
        self.gateway = await self._to_stop.enter_async_context(
            service_beside(self._stack, "gateway", self._folder, compute_address=addresses)
        )

    async def start_again(self, compute: OneService) -> None:
        """Start one that has ended, on its port."""
        number = self.computes.index(compute)
        self.computes[number] = await self._start_compute(number)

    async def start_what_has_ended(self) -> None:
        for compute in list(self.computes):
            if not is_alive(compute.process):
                await self.start_again(compute)

    async def stop(self) -> None:
        await self._to_stop.aclose()

    def columns(self, number: int) -> set[str]:
        """The cryptos whose candles a compute has fetched: those that it was given work on."""
        return {file.name.split("-")[0] for file in self._folder.glob(f"columns{number}/*")}

    def with_candles_of(self, symbol: str) -> OneService:
        """The only compute that has fetched a crypto's candles."""
        (compute,) = (
            compute for number, compute in enumerate(self.computes) if symbol in self.columns(number)
        )
        return compute

    def at_work(self, since: dict[int, float]) -> OneService:
        """The compute whose worker has worked the most since `processor_times` were taken."""
        now = self.processor_times()
        return max(self.computes, key=lambda compute: now[compute.process.pid] - since[compute.process.pid])

    def processor_times(self) -> dict[int, float]:
        return {
            compute.process.pid: sum(
                child.cpu_times().user for child in compute.process.children(recursive=True)
            )
            for compute in self.computes
        }

    async def _start_compute(self, number: int) -> OneService:
        return await self._to_stop.enter_async_context(
            service_beside(
                self._stack,
                "compute",
                self._folder,
                self._ports[number],
                compute_workers=1,
                column_dir=self._folder / f"columns{number}",
                shutdown_grace_s=GRACE_S,
            )
        )


@pytest.fixture(scope="module")
async def pair(stack: LocalStack, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[TwoComputes]:
    pair = TwoComputes(stack, tmp_path_factory.mktemp("two"))
    try:
        await pair.start()
        yield pair
    finally:
        await pair.stop()


@pytest.fixture
async def both(pair: TwoComputes) -> TwoComputes:
    """Both are there, whatever the test before did to them."""
    await pair.start_what_has_ended()
    return pair


@pytest.fixture
async def client(pair: TwoComputes) -> "AsyncIterator[BacktestServiceAsyncStub]":
    async with open_channel(pair.gateway.address) as channel:
        yield BacktestServiceStub(channel)


@pytest.fixture(scope="module", autouse=True)
async def candles(data_service: "MarketDataServiceAsyncStub") -> None:
    for number, symbol in enumerate(SYMBOLS):
        await import_candles(data_service, symbol, random_candles(number, HOURS))


@pytest.fixture
async def long_candles(data_service: "MarketDataServiceAsyncStub") -> AsyncIterator[str]:
    """The symbol of a crypto of fifteen years that no compute service has seen."""
    symbol = f"TWOLONG{next(_NUMBERS)}USDT"
    await import_candles(data_service, symbol, random_candles(1, LONG_HOURS, START_S - 3600 * LONG_HOURS))
    yield symbol
    await data_service.DeleteCrypto(DeleteCryptoRequest(symbol=symbol))


def run_of(symbols: list[str], strategy: Strategy) -> pb.RunBacktestsRequest:
    return pb.RunBacktestsRequest(
        symbols=symbols,
        spec=BacktestSpec(strategy=strategy_to(strategy)),
        detail=2,
        cache_mode=pb.CACHE_MODE_BYPASS,
    )


def slow_run() -> pb.RunBacktestsRequest:
    """A run that takes one worker about half a second: of indicators that it cannot share."""
    entry = " and ".join(f"close > stddev(close, {period})" for period in range(400, 425))
    return run_of(SYMBOLS, CustomRules(parse(entry, "entry"), parse("close < sma(20)", "exit")))


def slow_sweep() -> pb.SweepBacktestsRequest:
    """A sweep that takes one worker some seconds."""
    ranges = [
        {"name": "period", "values": list(range(2, 42))},
        {"name": "oversold", "values": [20 + number for number in range(20)]},
    ]
    return sweep_request(symbols=SYMBOLS, strategy={"rsi": {}}, ranges=ranges, cacheMode="CACHE_MODE_BYPASS")


async def results(
    client: "BacktestServiceAsyncStub",
    request: pb.RunBacktestsRequest,
    at_first: Callable[[], object] = lambda: None,
) -> dict[str, bytes]:
    """Run to the end; call `at_first` at the first result. Each crypto has one result, and none fails."""
    results: dict[str, bytes] = {}
    async for event in events_of(client, request):
        assert not event.HasField("failure")
        if event.HasField("result"):
            assert event.result.symbol not in results
            results[event.result.symbol] = event.result.SerializeToString(deterministic=True)
            if len(results) == 1:
                at_first()
    return results


async def no_fault() -> None:
    """Let everything go its way."""


def breaks_in_log(pair: TwoComputes) -> list[str]:
    return [line for line in pair.gateway.log.read_text().splitlines() if "stream interrupted" in line]


@pytest.fixture(scope="module")
async def whole(gateway: "BacktestServiceAsyncStub", candles: None) -> dict[str, bytes]:
    """The slow run's results, of a stack where nothing breaks."""
    return await results(gateway, slow_run())


async def test_both_compute_services_get_work(both: TwoComputes, client: "BacktestServiceAsyncStub") -> None:
    for symbol in SYMBOLS:
        assert set(await results(client, run_of([symbol], Rsi()))) == {symbol}
    given = both.columns(0), both.columns(1)
    assert given[0] | given[1] == set(SYMBOLS)
    # Half and half, but for the first ones, when one of them may not be connected yet.
    assert min(map(len, given)) >= len(SYMBOLS) / 3


async def test_a_run_goes_on_when_one_of_two_compute_services_is_killed(
    both: TwoComputes, client: "BacktestServiceAsyncStub", whole: dict[str, bytes]
) -> None:
    before, breaks = both.processor_times(), breaks_in_log(both)
    again = await results(client, slow_run(), lambda: kill(both.at_work(before)))
    assert len(breaks_in_log(both)) > len(breaks)
    assert set(again) == set(SYMBOLS)
    assert again == whole


async def test_a_sweep_goes_on_when_one_of_two_compute_services_is_killed(
    both: TwoComputes, client: "BacktestServiceAsyncStub"
) -> None:
    whole = await swept(client, slow_sweep())
    before, breaks = both.processor_times(), breaks_in_log(both)
    events = []
    async for event in sweep_events(client, slow_sweep()):
        events.append(event)
        if len(events) == 3:
            kill(both.at_work(before))
    assert len(breaks_in_log(both)) > len(breaks)
    assert Swept(events).outcome == whole.outcome
    assert Swept(events).summary.progress == whole.summary.progress


def series_request(symbol: str) -> pb.StreamSeriesRequest:
    """A request for 31 MB: far more than the gateway and the connections between hold for a slow client."""
    entry = " and ".join(f"stddev({period}) > 1" for period in range(400, 400 + SERIES))
    spec = BacktestSpec(strategy=strategy_to(CustomRules(parse(entry, "entry"))))
    spec.start_time.seconds, spec.end_time.seconds = START_S - 3600 * LONG_HOURS, START_S
    return pb.StreamSeriesRequest(symbol=symbol, spec=spec)


async def series_blocks(
    address: str, symbol: str, at_first: Callable[[], Awaitable[object]]
) -> list[SeriesBlock]:
    """Return the blocks; call `at_first` at the first one, when compute still has most of them."""
    blocks: list[SeriesBlock] = []
    async with grpc.aio.insecure_channel(address, options=[("grpc.http2.bdp_probe", 0)]) as channel:
        async for response in BacktestServiceStub(channel).StreamSeries(series_request(symbol)):
            if not blocks:
                await at_first()
            blocks.append(response.block)
    return blocks


async def test_series_go_on_where_they_were_when_the_compute_service_that_sends_them_is_killed(
    both: TwoComputes, stack: LocalStack, long_candles: str
) -> None:
    async def kill_it() -> None:
        kill(both.with_candles_of(long_candles))

    whole = await series_blocks(stack.gateway_address, long_candles, no_fault)
    breaks = breaks_in_log(both)
    blocks = await series_blocks(both.gateway.address, long_candles, kill_it)
    assert len(breaks_in_log(both)) > len(breaks)
    assert b"".join(block.open_time_s for block in blocks) == b"".join(block.open_time_s for block in whole)
    for number in range(SERIES):
        values = [b"".join(block.values[number] for block in each) for each in (blocks, whole)]
        assert values[0] == values[1]


async def test_series_are_never_of_two_versions_of_the_candles(
    both: TwoComputes, data_service: "MarketDataServiceAsyncStub", long_candles: str
) -> None:
    async def import_and_kill() -> None:
        await import_candles(data_service, long_candles, random_candles(2, 1))
        kill(both.with_candles_of(long_candles))

    with pytest.raises(grpc.aio.AioRpcError) as ended:
        await series_blocks(both.gateway.address, long_candles, import_and_kill)
    assert ended.value.code() is grpc.StatusCode.UNAVAILABLE
    assert ended.value.details() == f"candles of {long_candles} were imported meanwhile: try again"


async def test_a_compute_service_that_is_stopped_finishes_its_tasks(
    both: TwoComputes, client: "BacktestServiceAsyncStub", whole: dict[str, bytes]
) -> None:
    before, breaks = both.processor_times(), breaks_in_log(both)
    stopped: list[OneService] = []

    def stop() -> None:
        stopped.append(both.at_work(before))
        stopped[0].process.terminate()

    assert await results(client, slow_run(), stop) == whole
    assert breaks_in_log(both) == breaks
    for _ in range(3):
        assert set(await results(client, run_of(SYMBOLS, Rsi()))) == set(SYMBOLS)
    assert await asyncio.to_thread(stopped[0].process.wait, LIMIT_S) == 0


async def test_a_run_ends_when_both_compute_services_are_killed_and_the_next_works_when_one_is_back(
    both: TwoComputes, client: "BacktestServiceAsyncStub"
) -> None:
    def kill_both() -> None:
        for compute in both.computes:
            kill(compute)

    async with asyncio.timeout(LIMIT_S):
        with pytest.raises(grpc.aio.AioRpcError) as ended:
            await results(client, slow_run(), kill_both)
    assert ended.value.code() is grpc.StatusCode.UNAVAILABLE
    assert ended.value.details() == "the compute service does not answer"
    await both.start_again(both.computes[1])
    assert set(await results(client, run_of(SYMBOLS, Rsi()))) == set(SYMBOLS)
