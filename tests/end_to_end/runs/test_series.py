"""Series of strategies through the gateway: what is drawn is what was traded."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import grpc
import numpy as np
import pytest

from backcast.backtest.v1 import result_pb2
from backcast.gateway.v1 import backtest_service_pb2 as pb
from backcast.gateway.v1 import rules_description_pb2
from backcast.gateway.v1.backtest_service_pb2_grpc import BacktestServiceStub
from backcast.gateway.v1.run_service_pb2 import CancelRunRequest
from backcast.gateway.v1.run_service_pb2_grpc import RunServiceStub
from backcast.marketdata.v1.market_data_service_pb2 import DeleteCryptoRequest
from backcast_engine import STRATEGIES, Backtest, Execution, Strategy, Window, WindowSeries, backtest_series
from backcast_engine.candles import Candles
from backcast_engine.errors import ErrorReason
from backcast_engine.history import History
from backcast_engine.interval import Interval
from backcast_engine.rules.parse import parse
from backcast_engine.strategies.buy_and_hold import BuyAndHold
from backcast_engine.strategies.custom_rules import CustomRules
from backcast_engine.strategies.rsi import Rsi
from services.local.stack import LocalStack
from services.rpc.status import violations_of
from services.wire.backtests import spec_to, strategy_to
from services.wire.breaks import break_from
from tests.candle_making import START_S, import_candles, longer_candles, random_candles
from tests.error_info import error_info
from tests.known_runs import known_run, known_runs

if TYPE_CHECKING:
    from backcast.gateway.v1.backtest_service_pb2_grpc import BacktestServiceAsyncStub
    from backcast.marketdata.v1.market_data_service_pb2_grpc import MarketDataServiceAsyncStub

RELISTED, LONG = "SERIESUSDT", "SERIESLONGUSDT"
HOURS = 2_000
WINDOW = Window(START_S + 3600 * 700, START_S + 3600 * (HOURS + 300))
FIVE_YEARS = 43_800
MIB = 2**20


def relisted() -> Candles:
    """Return hours with a relisting in the window: days without candles, then a thousand times the price."""
    before, after = random_candles(3, HOURS // 2), random_candles(4, HOURS // 2, START_S + 3600 * 1_300)
    prices = {name: 1_000 * getattr(after, name) for name in ("open", "high", "low", "close")}
    return Candles.concatenate([before, replace(after, **prices)])


@pytest.fixture(scope="module")
async def history(data_service: "MarketDataServiceAsyncStub") -> AsyncIterator[History]:
    candles = relisted()
    imported = await import_candles(data_service, RELISTED, candles)
    yield History(candles, tuple(map(break_from, imported.breaks)))
    await data_service.DeleteCrypto(DeleteCryptoRequest(symbol=RELISTED))


@pytest.fixture(scope="module")
async def long_history(data_service: "MarketDataServiceAsyncStub") -> AsyncIterator[History]:
    candles = random_candles(5, FIVE_YEARS, START_S - 3600 * FIVE_YEARS)
    await import_candles(data_service, LONG, candles)
    yield History(candles)
    await data_service.DeleteCrypto(DeleteCryptoRequest(symbol=LONG))


def request(
    strategy: Strategy,
    symbol: str = RELISTED,
    interval: Interval = Interval.HOUR_1,
    window: Window = WINDOW,
    **fields: Any,
) -> pb.StreamSeriesRequest:
    return pb.StreamSeriesRequest(
        symbol=symbol, spec=spec_to(strategy, interval, window, Execution()), **fields
    )


@dataclass
class Drawn:
    """What a client makes of the responses of StreamSeries."""

    request: pb.StreamSeriesRequest = field(default_factory=pb.StreamSeriesRequest)
    series: list[rules_description_pb2.ComparedSeries] = field(default_factory=list)
    open_time_s: bytes = b""
    values: list[bytes] = field(default_factory=list)
    lengths: list[int] = field(default_factory=list)

    def add(self, response: pb.StreamSeriesResponse) -> None:
        if response.HasField("request"):
            assert not self.lengths
            self.request, self.series = response.request, list(response.series)
            self.values = [b""] * len(self.series)
        self.lengths.append(response.ByteSize())
        self.open_time_s += response.block.open_time_s
        self.values = [before + more for before, more in zip(self.values, response.block.values, strict=True)]


async def drawn(gateway: "BacktestServiceAsyncStub", request: pb.StreamSeriesRequest) -> Drawn:
    drawn = Drawn()
    async for response in gateway.StreamSeries(request):
        drawn.add(response)
    return drawn


def same(drawn: Drawn, expected: WindowSeries) -> bool:
    return drawn.open_time_s == expected.open_time_s.tobytes() and drawn.values == [
        row.tobytes() for row in expected.values
    ]


@pytest.mark.parametrize("name", sorted(STRATEGIES.keys() - {"rules"}))
@pytest.mark.parametrize("interval", [Interval.HOUR_1, Interval.HOUR_4])
async def test_series_are_those_of_the_engine_to_the_bit(
    gateway: "BacktestServiceAsyncStub", history: History, name: str, interval: Interval
) -> None:
    (relisting,) = history.breaks
    assert WINDOW.start_s < relisting.before_s < relisting.after_s < WINDOW.end_s
    if interval is not Interval.HOUR_1:
        history = History(longer_candles(history.candles, interval), history.breaks)
    strategy = STRATEGIES[name]()
    answer = await drawn(gateway, request(strategy, interval=interval))
    assert same(answer, backtest_series(history, Backtest(strategy, interval, WINDOW, Execution())))
    described = await gateway.DescribeStrategy(pb.DescribeStrategyRequest(strategy=strategy_to(strategy)))
    assert answer.series == list(described.description.series)


async def test_trades_are_where_the_series_say(gateway: "BacktestServiceAsyncStub", history: History) -> None:
    asked = request(Rsi(period=5))
    answer = await drawn(gateway, asked)
    single = pb.RunBacktestRequest(symbol=asked.symbol, spec=asked.spec, detail=result_pb2.DETAIL_TRADES)
    result = (await gateway.RunBacktest(single)).result
    times = np.frombuffer(answer.open_time_s, "<i8")
    rsi = np.frombuffer(answer.values[0], "<f8")
    # The fill is at the open of the candle after the signal.
    bought = np.searchsorted(times, [trade.entry_time.seconds for trade in result.trades]) - 1
    assert len(bought) > 10
    assert (rsi[bought] < 30).all()
    assert (rsi[bought - 1] >= 30).any()


async def test_the_first_response_has_the_request_with_every_default(
    gateway: "BacktestServiceAsyncStub", history: History
) -> None:
    asked = pb.StreamSeriesRequest(symbol="series-usdt", run_id="drawn")
    asked.spec.strategy.rsi.SetInParent()
    answer = await drawn(gateway, asked)
    assert (answer.request.symbol, answer.request.run_id) == (RELISTED, "drawn")
    spec = answer.request.spec
    assert spec.strategy.rsi.period == 14
    assert spec.end_time.seconds == history.candles.open_time_s[-1] + 3600
    assert spec.end_time.seconds - spec.start_time.seconds == 365 * 86_400
    assert len(answer.open_time_s) == 8 * len(history.candles)
    assert (await drawn(gateway, answer.request)).values == answer.values


async def test_prices_alone_have_times_and_no_series(
    gateway: "BacktestServiceAsyncStub", history: History
) -> None:
    answer = await drawn(gateway, request(BuyAndHold()))
    assert answer.series == []
    assert len(answer.open_time_s) == 8 * np.count_nonzero(history.candles.open_time_s >= WINDOW.start_s)


def many_series() -> CustomRules:
    """Return rules that compare 52 series."""
    entry, exit_ = (
        " and ".join(f"rsi({period}) < 30" for period in periods) for periods in (range(2, 28), range(28, 54))
    )
    return CustomRules(parse(entry, "entry"), parse(exit_, "exit"))


@pytest.mark.parametrize("strategy", [STRATEGIES["stochastic"](), many_series()], ids=["two", "many"])
async def test_five_years_of_hours_come_in_blocks_below_one_mib(
    stack: LocalStack, long_history: History, strategy: Strategy
) -> None:
    window = Window(START_S - 3600 * FIVE_YEARS, START_S)
    # A client that knows nothing of options takes 4 MiB at most.
    async with grpc.aio.insecure_channel(stack.gateway_address) as channel:
        answer = await drawn(BacktestServiceStub(channel), request(strategy, LONG, window=window))
    assert same(
        answer, backtest_series(long_history, Backtest(strategy, Interval.HOUR_1, window, Execution()))
    )
    assert max(answer.lengths) < MIB
    assert len(answer.lengths) == 1 + sum(map(len, [answer.open_time_s, *answer.values])) // 1_000_000


@pytest.mark.parametrize(
    ("asked", "fields"),
    [
        (pb.StreamSeriesRequest(), ["symbol", "spec.strategy"]),
        (request(Rsi(), "NOSUCHUSDT"), ["symbol"]),
        (request(Rsi(period=1)), ["spec.strategy.rsi.period"]),
        (request(Rsi(), window=Window(START_S, START_S)), ["spec.start_time"]),
        (request(Rsi(), run_id="no id"), ["run_id"]),
    ],
)
async def test_the_error_of_a_bad_request_names_its_fields(
    gateway: "BacktestServiceAsyncStub", history: History, asked: pb.StreamSeriesRequest, fields: list[str]
) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await drawn(gateway, asked)
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert [violation.field for violation in violations_of(caught.value)] == fields


@pytest.mark.parametrize(
    ("window", "reason"),
    [
        (Window(START_S - 7_200, START_S), ErrorReason.NO_CANDLES_IN_WINDOW),
        (Window(START_S, START_S + 36_000), ErrorReason.TOO_FEW_CANDLES),
    ],
)
async def test_what_has_no_backtest_fails_as_the_backtest_does(
    gateway: "BacktestServiceAsyncStub", history: History, window: Window, reason: ErrorReason
) -> None:
    asked = request(Rsi(), window=window)
    with pytest.raises(grpc.aio.AioRpcError) as series:
        await drawn(gateway, asked)
    with pytest.raises(grpc.aio.AioRpcError) as single:
        await gateway.RunBacktest(pb.RunBacktestRequest(symbol=asked.symbol, spec=asked.spec))
    assert error_info(series.value) == error_info(single.value)
    assert error_info(series.value).reason == reason


@pytest.fixture
async def narrow_channel(stack: LocalStack) -> AsyncIterator[grpc.aio.Channel]:
    """A channel that takes 64 KiB in advance at most: a long answer waits for its reader."""
    options = [("grpc.http2.bdp_probe", 0)]
    async with grpc.aio.insecure_channel(stack.gateway_address, options=options) as channel:
        yield channel


async def test_series_under_way_are_listed_and_cancelled_as_runs_are(
    narrow_channel: grpc.aio.Channel, long_history: History
) -> None:
    asked = request(
        many_series(), LONG, window=Window(START_S - 3600 * FIVE_YEARS, START_S), run_id="drawing"
    )
    runs = RunServiceStub(narrow_channel)
    call = BacktestServiceStub(narrow_channel).StreamSeries(asked)
    await call.read()
    run = await known_run(runs, "drawing")
    assert (run.method, run.strategy, run.backtest_count) == ("StreamSeries", "rules", 1)
    await runs.CancelRun(CancelRunRequest(run_id="drawing"))
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        while await call.read() is not grpc.aio.EOF:
            pass
    assert caught.value.code() is grpc.StatusCode.CANCELLED
    assert "drawing" not in {run.run_id for run in await known_runs(runs)}
