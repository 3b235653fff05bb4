"""Rules that look at longer candles and at other cryptos, through the services."""

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import grpc
import numpy as np
import pytest

from backcast.backtest.v1 import result_pb2
from backcast.backtest.v1.expression_pb2 import Expression
from backcast.gateway.v1 import backtest_service_pb2 as pb
from backcast.marketdata.v1 import market_data_service_pb2 as md
from backcast_engine import Backtest, Detail, Execution, Window, backtest_series, run_backtest
from backcast_engine.candles import Candles
from backcast_engine.history import History, PartialCandles
from backcast_engine.interval import Interval
from backcast_engine.rules.parse import parse
from backcast_engine.strategies.custom_rules import CustomRules
from services.domain.aggregation import aggregate
from services.rpc.status import violations_of
from services.wire.backtests import spec_to
from services.wire.breaks import break_from
from services.wire.candles import candles_from, interval_to
from tests.candle_making import START_S, import_candles, longer_candles, random_candles
from tests.cli.conftest import Cli
from tests.end_to_end.runs.test_rules import refused
from tests.engine_results import message_of

if TYPE_CHECKING:
    from backcast.gateway.v1.backtest_service_pb2_grpc import BacktestServiceAsyncStub
    from backcast.marketdata.v1.market_data_service_pb2_grpc import MarketDataServiceAsyncStub

HOURS = 3_000
OWN, LEADER, LATE = "FOLLOWERUSDT", "LEADERUSDT", "LATELEADERUSDT"
WINDOW = Window(START_S + 3600 * 2_000, START_S + 3600 * 2_901)
RULES = CustomRules(
    parse(f"close > sma(9)@1d and roc(24)@{LEADER} > 0", "entry"),
    parse(f"close < sma(9)@1d or rsi(5)@{LEADER}@1d > 70", "exit"),
)


def relisted(seed: int) -> Candles:
    """Return hours with gaps, and with a relisting before the window's end."""
    before, after = random_candles(seed, 2_300), random_candles(seed + 1, HOURS, START_S + 3600 * 2_350)
    prices = {name: 1_000 * getattr(after, name) for name in ("open", "high", "low", "close")}
    hours = Candles.concatenate([before, replace(after, **prices)])
    there = np.ones(len(hours), np.bool_)
    there[[5, 30, 31, 32, *range(900, 1_000), 2_100, 2_400]] = False
    return hours.at(there)


@pytest.fixture(scope="module")
async def histories(data_service: "MarketDataServiceAsyncStub") -> dict[str, History]:
    found = {}
    late = random_candles(7, 100, WINDOW.end_s + 5 * 3_600)
    for symbol, candles in ((OWN, relisted(70)), (LEADER, relisted(80)), (LATE, late)):
        imported = await import_candles(data_service, symbol, candles)
        found[symbol] = History(candles, tuple(map(break_from, imported.breaks)))
    return found


def longer(history: History, interval: Interval) -> History:
    if interval is Interval.HOUR_1:
        return history
    _, hours = aggregate(history.candles, interval)
    candles = longer_candles(history.candles, interval)
    few = hours[: len(candles)] < interval.seconds // 3_600
    partial = PartialCandles(candles.open_time_s[few], hours[: len(candles)][few])
    return replace(history, candles=candles, partial=partial)


def request(
    rules: CustomRules = RULES, interval: Interval = Interval.HOUR_1, **fields: Any
) -> pb.RunBacktestRequest:
    return pb.RunBacktestRequest(
        symbol=OWN,
        spec=spec_to(rules, interval, WINDOW, Execution()),
        detail=result_pb2.DETAIL_EQUITY,
        **fields,
    )


async def result_of(
    gateway: "BacktestServiceAsyncStub", asked: pb.RunBacktestRequest
) -> result_pb2.BacktestResult:
    return (await gateway.RunBacktest(asked)).result


def expected(
    result: result_pb2.BacktestResult,
    own: History,
    leader: History,
    rules: CustomRules = RULES,
    interval: Interval = Interval.HOUR_1,
) -> result_pb2.BacktestResult:
    """Return the message of the engine's result."""
    history = replace(longer(own, interval), others={LEADER: longer(leader, interval)})
    computed = run_backtest(history, Backtest(rules, interval, WINDOW, Execution(), Detail.EQUITY))
    return message_of(OWN, result.data_fingerprint, computed, from_cache=result.from_cache)


@pytest.mark.parametrize(
    ("entry", "exit_", "interval"),
    [
        (f"close > sma(9)@1d and roc(24)@{LEADER} > 0", "close < sma(9)@1d", Interval.HOUR_1),
        (f"(rsi(5) > 50)@{LEADER}@4h", "close@1w < close[1]@1w", Interval.HOUR_1),
        (f"volume@1d > sma(volume, 3)@{LEADER}@1d", f"close@{LEADER} < ema(5)@{LEADER}", Interval.HOUR_4),
        (f"close > close@1w and roc(1)@{LEADER} > 0", f"close < close@{LEADER}@1w", Interval.DAY_1),
    ],
)
async def test_results_are_those_of_the_engine(
    gateway: "BacktestServiceAsyncStub",
    histories: dict[str, History],
    entry: str,
    exit_: str,
    interval: Interval,
) -> None:
    rules = CustomRules(parse(entry, "entry"), parse(exit_, "exit"))
    result = await result_of(gateway, request(rules, interval))
    assert result.trades
    assert result == expected(result, histories[OWN], histories[LEADER], rules, interval)


async def test_series_of_other_candles_are_those_of_the_engine(
    gateway: "BacktestServiceAsyncStub", histories: dict[str, History]
) -> None:
    asked = pb.StreamSeriesRequest(symbol=OWN, spec=request().spec)
    responses = [response async for response in gateway.StreamSeries(asked)]
    assert [(each.expression, each.label) for each in responses[0].series] == [
        ("sma(9)@1d", "SMA 9, 1d"),
        (f"roc(24)@{LEADER}", f"ROC 24, {LEADER}"),
        (f"rsi(5)@{LEADER}@1d", f"RSI 5, {LEADER} 1d"),
    ]
    history = replace(histories[OWN], others={LEADER: histories[LEADER]})
    computed = backtest_series(history, Backtest(RULES, Interval.HOUR_1, WINDOW, Execution()))
    for row, values in enumerate(computed.values):
        assert b"".join(response.block.values[row] for response in responses) == values.tobytes()


async def test_a_longer_candle_that_rules_see_is_the_one_that_is_stored(
    gateway: "BacktestServiceAsyncStub",
    data_service: "MarketDataServiceAsyncStub",
    histories: dict[str, History],
) -> None:
    columns = ("open", "high", "low", "close", "volume")
    rules = CustomRules(parse(" and ".join(f"{name}@1d > 0" for name in columns), "entry"))
    stream = gateway.StreamSeries(pb.StreamSeriesRequest(symbol=OWN, spec=request(rules).spec))
    blocks = [response.block async for response in stream]
    times = np.frombuffer(b"".join(block.open_time_s for block in blocks), "<i8")
    stored = md.StreamCandlesRequest(symbols=[OWN], interval=interval_to(Interval.DAY_1))
    responses = [response async for response in data_service.StreamCandles(stored)]
    days = Candles.concatenate(
        [candles_from(block.columns) for response in responses for block in response.blocks]
    )
    # Each day is seen first at the hour with which it ends.
    ends = np.flatnonzero((times + 3_600) % 86_400 == 0)
    assert len(ends) > 30
    for row, name in enumerate(columns):
        seen = np.frombuffer(b"".join(block.values[row] for block in blocks), "<f8")[ends]
        places = np.searchsorted(days.open_time_s, times[ends] + 3_600 - 86_400)
        is_there = ~np.isnan(seen)
        assert is_there.sum() > 30
        assert seen[is_there].tobytes() == getattr(days, name)[places][is_there].tobytes()


async def test_a_candle_of_another_crypto_that_is_corrected_makes_another_result(
    gateway: "BacktestServiceAsyncStub",
    data_service: "MarketDataServiceAsyncStub",
    histories: dict[str, History],
) -> None:
    own, leader = histories[OWN], histories[LEADER]
    await result_of(gateway, request())
    cached = await result_of(gateway, request())
    assert cached.from_cache
    at = int(np.searchsorted(leader.candles.open_time_s, START_S + 3600 * 2_050))
    prices = {name: getattr(leader.candles, name).copy() for name in ("open", "high", "low", "close")}
    for column in prices.values():
        column[at:] *= 1.5
    corrected = replace(leader.candles, **prices)
    counts = await import_candles(data_service, LEADER, corrected)
    assert counts.corrected
    result = await result_of(gateway, request())
    assert not result.from_cache
    computed = replace(leader, candles=corrected, breaks=tuple(map(break_from, counts.breaks)))
    assert result == expected(result, own, computed)
    assert result.trades != cached.trades
    # What changes after the window changes nothing.
    prices["close"][-1:] = prices["high"][-1:]
    await import_candles(data_service, LEADER, replace(corrected, **prices))
    assert (await result_of(gateway, request())).from_cache
    await import_candles(data_service, LEADER, leader.candles)
    assert (await result_of(gateway, request())).trades == cached.trades


async def refusal(
    gateway: "BacktestServiceAsyncStub", entry: str, interval: Interval = Interval.HOUR_1
) -> list[str]:
    """Return the violations of a run, which has not begun."""
    rules = CustomRules(parse(entry, "entry"))
    spec = spec_to(rules, interval, WINDOW, Execution())
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        _ = [event async for event in gateway.RunBacktests(pb.RunBacktestsRequest(symbols=[OWN], spec=spec))]
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    return [str(violation) for violation in violations_of(caught.value)]


async def test_what_rules_cannot_look_at_is_named_before_anything_is_computed(
    gateway: "BacktestServiceAsyncStub", histories: dict[str, History]
) -> None:
    entry = "spec.strategy.rules.entry"
    assert await refusal(gateway, "close > 1 and close@LEADRUSDT > 1") == [
        f"{entry}.arguments[1].arguments[0].symbol: there is no crypto 'LEADRUSDT': did you mean LEADERUSDT?"
    ]
    assert await refusal(gateway, "close > sma(9)@4h", Interval.DAY_1) == [
        f"{entry}.arguments[1].interval: candles of 4h are shorter than those of the run, which are of 1d: "
        "only longer ones can be looked at"
    ]
    (late,) = await refusal(gateway, f"close > close@{LATE}")
    assert late.startswith(f"{entry}.arguments[1].symbol: {LATE} has candles from 2024-")
    assert late.endswith(", none of which the window sees")


async def test_a_symbol_in_a_message_may_be_spelled_as_elsewhere(
    gateway: "BacktestServiceAsyncStub", histories: dict[str, History]
) -> None:
    asked = request()
    usual = await result_of(gateway, asked)
    part = asked.spec.strategy.rules.entry.arguments[1].arguments[0]
    assert part.symbol == LEADER
    part.symbol = "leader/usdt"
    answer = await gateway.RunBacktest(asked)
    assert answer.result.trades == usual.trades
    assert answer.request.spec == request().spec
    part.symbol = "?"
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await gateway.RunBacktest(asked)
    assert [violation.field for violation in violations_of(caught.value)] == [
        "spec.strategy.rules.entry.arguments[1].arguments[0].symbol"
    ]


async def test_texts_that_look_at_other_candles_are_checked_with_their_places(
    gateway: "BacktestServiceAsyncStub", histories: dict[str, History]
) -> None:
    asked = pb.ParseRulesRequest(
        entry=f"close>sma( 9 )@1d  and close@{LEADER} > 1",
        exit="close@1w < 5",
        interval=interval_to(Interval.HOUR_4),
    )
    described = (await gateway.ParseRules(asked)).description
    assert described.entry == f"close > sma(9)@1d and close@{LEADER} > 1"
    assert described.rules.entry.arguments[0].arguments[1] == Expression(
        function="FUNCTION_SMA",  # type: ignore[arg-type]
        arguments=[Expression(column="COLUMN_CLOSE"), Expression(number=9)],  # type: ignore[arg-type]
        interval="INTERVAL_1D",  # type: ignore[arg-type]
    )
    asked.interval = interval_to(Interval.DAY_1)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await gateway.ParseRules(asked)
    assert [violation.field for violation in violations_of(caught.value)] == ["entry"]
    violations, reason, places = await refused(gateway, "close > open", "close@1d > 1 and 5 < open@LEADRUSDT")
    assert (violations, reason) == (
        {"exit": "there is no crypto 'LEADRUSDT': did you mean LEADERUSDT?"},
        "INVALID_RULES",
    )
    assert places == {"exit_start": "21", "exit_length": "14"}


async def test_the_command_marks_what_rules_cannot_look_at(cli: Cli, histories: dict[str, History]) -> None:
    run = ("run", "rules", "--symbols", OWN, "--entry")
    unknown = await cli(*run, "close > 1 and close@LEADRUSDT > 1")
    assert (unknown.status, unknown.err) == (
        1,
        "backcast: --entry: at character 15: there is no crypto 'LEADRUSDT': did you mean LEADERUSDT?\n"
        "  close > 1 and close@LEADRUSDT > 1\n"
        "                ^^^^^^^^^^^^^^^\n",
    )
    short = await cli(*run, "close > sma(20)@1d", "--interval", "1d")
    assert short.err == (
        "backcast: --entry: at character 9: candles of 1d are as long as those of the run, which are of 1d: "
        "leave @1d out\n"
        "  close > sma(20)@1d\n"
        "          ^^^^^^^^^^\n"
    )


async def test_verify_finds_no_look_ahead_in_other_candles(cli: Cli, histories: dict[str, History]) -> None:
    finished = await cli(
        *("verify", "rules", "--symbols", OWN, "--cuts", 6, "--start", "2024-03-20", "--end", "2024-05-10"),
        *("--entry", f"close > sma(9)@1d and roc(24)@{LEADER} > 0", "--exit", f"rsi(5)@{LEADER}@4h > 70"),
    )
    assert "no look-ahead" in finished.out, finished.out + finished.err
    assert finished.status == 0
