"""Runs through all three services, held against the engine run here on the same candles."""

from typing import TYPE_CHECKING

import pytest
from google.protobuf.json_format import MessageToDict
from google.protobuf.timestamp_pb2 import Timestamp

from backcast.backtest.v1 import result_pb2
from backcast.backtest.v1.backtest_spec_pb2 import BacktestSpec
from backcast.backtest.v1.execution_pb2 import Execution as ExecutionMessage
from backcast.backtest.v1.strategy_pb2 import Strategy as StrategyMessage
from backcast.gateway.v1 import backtest_service_pb2 as pb
from backcast.gateway.v1 import run_events_pb2
from backcast.marketdata.v1 import interval_pb2
from backcast_engine import Backtest, Detail, Execution, Strategy, Window, run_backtest
from backcast_engine.candles import Candles
from backcast_engine.history import History
from backcast_engine.interval import Interval
from backcast_engine.strategies.bollinger import Bollinger, ExitBand
from backcast_engine.strategies.buy_and_hold import BuyAndHold
from backcast_engine.strategies.ma_cross import MaCross, MovingAverageKind
from backcast_engine.strategies.rsi import Rsi
from services.wire.backtests import strategy_to
from tests.candle_making import START_S, events_of
from tests.end_to_end.conftest import HOURS
from tests.engine_results import message_of
from tests.requests import with_spec

if TYPE_CHECKING:
    from backcast.gateway.v1.backtest_service_pb2_grpc import BacktestServiceAsyncStub

DAY_S = 86_400
END_S = START_S + 3600 * HOURS
SYMBOLS = [f"RUN{number:02}USDT" for number in range(12)]


def request_for(strategy: Strategy, **fields: object) -> pb.RunBacktestsRequest:
    fields = {"symbols": SYMBOLS, "cache_mode": pb.CACHE_MODE_BYPASS, **fields}
    return pb.RunBacktestsRequest(**with_spec(strategy=strategy_to(strategy), **fields))  # type: ignore[arg-type]


async def results_of(
    gateway: "BacktestServiceAsyncStub", request: pb.RunBacktestsRequest
) -> dict[str, result_pb2.BacktestResult]:
    return {
        event.result.symbol: event.result
        async for event in events_of(gateway, request)
        if event.HasField("result")
    }


@pytest.mark.parametrize(
    "strategy",
    [
        Rsi(),
        Rsi(period=5, oversold=40, overbought=55.5),
        MaCross(),
        MaCross(fast=3, slow=9, kind=MovingAverageKind.EMA),
        Bollinger(),
        Bollinger(period=10, width=1.5, exit_band=ExitBand.MIDDLE),
        BuyAndHold(),
    ],
    ids=str,
)
async def test_results_are_the_engines_bit_by_bit(
    gateway: "BacktestServiceAsyncStub", market: dict[str, Candles], strategy: Strategy
) -> None:
    window = Window(START_S + 30 * DAY_S, START_S + 90 * DAY_S)
    execution = Execution(
        fee_rate=0.03, slippage_bps=7, initial_capital=5_000, funding_rate=0.2, allow_high_costs=True
    )
    request = request_for(
        strategy,
        start_time=Timestamp(seconds=window.start_s),
        end_time=Timestamp(seconds=window.end_s),
        execution=ExecutionMessage(
            fee_rate=0.03, slippage_bps=7, initial_capital=5_000, funding_rate=0.2, allow_high_costs=True
        ),
        detail=result_pb2.DETAIL_EQUITY,
        symbols=SYMBOLS[:11],
    )
    results = await results_of(gateway, request)
    assert sorted(results) == SYMBOLS[:11]
    for symbol, result in results.items():
        expected = run_backtest(
            History(market[symbol]), Backtest(strategy, Interval.HOUR_1, window, execution, Detail.EQUITY)
        )
        assert result == message_of(symbol, result.data_fingerprint, expected)
        assert (
            len(result.equity_curve.equity)
            == expected.coverage.expected_candles - expected.coverage.missing_candles
        )


async def test_events_come_in_order_with_progress(
    gateway: "BacktestServiceAsyncStub", market: dict[str, Candles]
) -> None:
    events = [event async for event in events_of(gateway, request_for(Rsi()))]
    kinds = [event.WhichOneof("event") for event in events]
    assert kinds == ["started"] + ["result"] * 12 + ["summary"]
    assert [event.progress.completed for event in events] == [0, *range(1, 13), 12]
    assert {event.progress.total for event in events} == {12}
    assert events[0].started.crypto_count == 12
    summary = events[-1].summary
    assert summary.progress == events[-1].progress
    assert summary.cache_state == run_events_pb2.CACHE_STATE_BYPASSED
    assert summary.elapsed.ToTimedelta().total_seconds() > 0


async def test_the_summary_is_made_of_the_results(
    gateway: "BacktestServiceAsyncStub", market: dict[str, Candles]
) -> None:
    events = [event async for event in events_of(gateway, request_for(Rsi()))]
    summary = events[-1].summary
    results = [event.result for event in events if event.HasField("result")]
    returns = sorted((result.metrics.total_return, result.symbol) for result in results)
    assert (summary.worst.total_return, summary.worst.symbol) == returns[0]
    assert (summary.best.total_return, summary.best.symbol) == returns[-1]
    for name in ("total_return", "sharpe_ratio", "max_drawdown", "trade_count"):
        values = sorted(getattr(result.metrics, name) for result in results)
        assert getattr(summary.mean, name) == pytest.approx(sum(values) / 12, rel=1e-12)
        assert getattr(summary.median, name) == pytest.approx((values[5] + values[6]) / 2, rel=1e-12)


async def test_the_summary_is_the_same_whatever_came_first(
    gateway: "BacktestServiceAsyncStub", market: dict[str, Candles]
) -> None:
    # Nothing is ever bought, so all are equally good; hold has a mean that rounds.
    request = pb.RunBacktestsRequest(
        spec=BacktestSpec(strategy=StrategyMessage()), cache_mode=pb.CACHE_MODE_BYPASS
    )
    request.spec.strategy.rsi.oversold = 0
    orders, summaries = set(), set()
    for symbols in (sorted(market), sorted(market, reverse=True)):
        request.symbols[:] = symbols
        events = [event async for event in events_of(gateway, request)]
        orders.add(tuple(event.result.symbol for event in events if event.HasField("result")))
        summary = events[-1].summary
        parts = (summary.mean, summary.median, summary.best, summary.worst)
        summaries.add(tuple(part.SerializeToString(deterministic=True) for part in parts))
    assert len(orders) == 2
    assert len(summaries) == 1


async def test_a_metric_that_is_undefined_for_all_is_absent_in_the_summary(
    gateway: "BacktestServiceAsyncStub", market: dict[str, Candles]
) -> None:
    events = [event async for event in events_of(gateway, request_for(BuyAndHold()))]
    assert not events[-1].summary.mean.HasField("win_rate")
    assert not events[-1].summary.median.HasField("profit_factor")


async def test_defaults_are_filled_in_and_returned(
    gateway: "BacktestServiceAsyncStub", market: dict[str, Candles]
) -> None:
    request = pb.RunBacktestsRequest(
        symbols=["run00usdt", "RUN00/USDT"], spec=BacktestSpec(strategy=StrategyMessage())
    )
    request.spec.strategy.rsi.SetInParent()
    started = (await anext(events_of(gateway, request))).started
    assert len(started.run_id) == 32
    assert MessageToDict(started.request) == {
        "runId": started.run_id,
        "symbols": ["RUN00USDT"],
        "spec": {
            "strategy": {"rsi": {"period": 14, "oversold": 30.0, "overbought": 70.0}},
            "interval": "INTERVAL_1H",
            "startTime": "2023-04-11T00:00:00Z",
            "endTime": "2024-04-10T00:00:00Z",
            "execution": {
                "feeRate": 0.001,
                "slippageBps": 0.0,
                "initialCapital": 10000.0,
                "fillTime": "FILL_TIME_NEXT_OPEN",
                "direction": "DIRECTION_LONG_ONLY",
                "equityFraction": 1.0,
                "atrPeriod": 14,
                "borrowRate": 0.0,
                "fundingRate": 0.0,
                "breakRule": "BREAK_RULE_CLOSE",
            },
        },
        "detail": "DETAIL_METRICS",
        "cacheMode": "CACHE_MODE_DEFAULT",
        "maxResultsPerEvent": 1,
    }


async def test_coverage_and_warm_up_are_returned(
    gateway: "BacktestServiceAsyncStub", market: dict[str, Candles]
) -> None:
    start_s = START_S + 10 * DAY_S
    request = request_for(
        Rsi(), start_time=Timestamp(seconds=start_s), end_time=Timestamp(seconds=END_S), symbols=SYMBOLS
    )
    results = await results_of(gateway, request)
    expected = HOURS - 240
    whole, gaps, late = results["RUN00USDT"], results["RUN02USDT"], results["RUN11USDT"]
    assert (whole.warmup_candles, gaps.warmup_candles, late.warmup_candles) == (240, 240, 0)
    assert {result.coverage.expected_candles for result in results.values()} == {expected}
    assert (whole.coverage.missing_candles, whole.coverage.longest_gap_candles) == (0, 0)
    assert (gaps.coverage.missing_candles, gaps.coverage.longest_gap_candles) == (8, 7)
    assert (late.coverage.missing_candles, late.coverage.longest_gap_candles) == (expected - 240,) * 2
    assert late.coverage.first_candle_time.seconds == END_S - 240 * 3600


async def test_detail_decides_what_is_returned(
    gateway: "BacktestServiceAsyncStub", market: dict[str, Candles]
) -> None:
    sizes = []
    for detail in (result_pb2.DETAIL_METRICS, result_pb2.DETAIL_TRADES, result_pb2.DETAIL_EQUITY):
        result = (await results_of(gateway, request_for(Rsi(), detail=detail)))["RUN00USDT"]
        sizes.append((len(result.trades) > 0, len(result.equity_curve.equity)))
    assert sizes == [(False, 0), (True, 0), (True, HOURS)]


async def test_an_open_position_is_listed_as_open(
    gateway: "BacktestServiceAsyncStub", market: dict[str, Candles]
) -> None:
    request = request_for(BuyAndHold(), detail=result_pb2.DETAIL_TRADES, symbols=["RUN00USDT"])
    result = (await results_of(gateway, request))["RUN00USDT"]
    (trade,) = result.trades
    assert trade.open
    assert not trade.HasField("exit_time")
    assert not trade.HasField("exit_price")
    assert trade.entry_time.seconds == START_S + 3600
    assert (result.metrics.trade_count, result.metrics.open_trade_count) == (0, 1)


@pytest.mark.parametrize(
    ("value", "interval", "hours"),
    [
        (interval_pb2.INTERVAL_4H, Interval.HOUR_4, 4),
        (interval_pb2.INTERVAL_1D, Interval.DAY_1, 24),
        (interval_pb2.INTERVAL_1W, Interval.WEEK_1, 168),
    ],
)
async def test_longer_intervals_are_aggregated(
    gateway: "BacktestServiceAsyncStub",
    market: dict[str, Candles],
    value: interval_pb2.Interval.ValueType,
    interval: Interval,
    hours: int,
) -> None:
    hourly = market["RUN00USDT"]
    # The last week is not over.
    starts = range(0, HOURS - HOURS % hours, hours)
    longer = Candles(
        hourly.open_time_s[starts],
        hourly.open[starts],
        *(hourly.high[starts],) * 2,  # the strategy looks at neither highs nor lows
        close=hourly.close[[start + hours - 1 for start in starts]],
        volume=hourly.volume[starts],
    )
    strategy = MaCross(fast=2, slow=5)
    request = request_for(
        strategy, interval=value, symbols=["RUN00USDT"], start_time=Timestamp(seconds=START_S)
    )
    result = (await results_of(gateway, request))["RUN00USDT"]
    window = Window(START_S, START_S + 3600 * hours * len(starts))
    expected = run_backtest(History(longer), Backtest(strategy, interval, window, Execution()))
    assert result == message_of("RUN00USDT", result.data_fingerprint, expected)


async def test_a_crypto_without_candles_in_the_window_fails_alone(
    gateway: "BacktestServiceAsyncStub", market: dict[str, Candles]
) -> None:
    request = request_for(Rsi(), end_time=Timestamp(seconds=START_S + 50 * DAY_S))
    events = [event async for event in events_of(gateway, request)]
    (failure,) = [event.failure for event in events if event.HasField("failure")]
    assert failure.symbol == "RUN11USDT"
    assert failure.status.code == 5
    assert failure.status.message == (
        "there are no candles in the window: "
        "the first one opens at 2024-03-31 00:00 UTC, the last at 2024-04-09 23:00 UTC"
    )
    assert (events[-1].progress.completed, events[-1].progress.failed) == (11, 1)


async def test_a_crypto_with_fewer_candles_than_its_indicators_need_fails_alone(
    gateway: "BacktestServiceAsyncStub", market: dict[str, Candles]
) -> None:
    # RUN11USDT has 240 candles in all.
    events = [event async for event in events_of(gateway, request_for(Rsi(period=240)))]
    (failure,) = [event.failure for event in events if event.HasField("failure")]
    assert (failure.symbol, failure.status.code) == ("RUN11USDT", 9)
    assert failure.status.message == (
        "its indicators need 241 candles, and there are 240 in the window and before it"
    )
    assert (events[-1].progress.completed, events[-1].progress.failed) == (11, 1)


async def test_one_crypto_is_got_without_a_stream(
    gateway: "BacktestServiceAsyncStub", market: dict[str, Candles]
) -> None:
    request = pb.RunBacktestRequest(symbol="RUN00USDT", spec=BacktestSpec(strategy=strategy_to(Rsi())))
    answer = await gateway.RunBacktest(request)
    results = await results_of(gateway, request_for(Rsi(), symbols=["RUN00USDT"]))
    answer.result.from_cache = False
    assert answer.result == results["RUN00USDT"]
    assert answer.request.symbol == "RUN00USDT"
    assert answer.request.spec.strategy.rsi.period == 14
