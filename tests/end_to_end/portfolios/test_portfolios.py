"""Portfolios through all three services, held against the engine in this process."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import grpc
import pytest

from backcast.backtest.v1 import portfolio_pb2
from backcast.gateway.v1 import run_events_pb2, run_service_pb2
from backcast.gateway.v1.backtest_service_pb2 import (
    CACHE_MODE_DEFAULT,
    CACHE_MODE_ONLY,
    CACHE_MODE_REFRESH,
)
from backcast.gateway.v1.portfolio_service_pb2_grpc import PortfolioServiceStub
from backcast.gateway.v1.run_service_pb2_grpc import RunServiceStub
from backcast_engine import BreakRule, Detail, Direction, Distance, Execution, VolatilityTarget, Window
from backcast_engine.candles import Candles
from backcast_engine.interval import Interval
from backcast_engine.portfolio import Portfolio, PortfolioSize, Rebalancing, WeightedStrategy
from backcast_engine.rules import Expression
from backcast_engine.rules.functions import Kind
from backcast_engine.rules.parse import parse
from backcast_engine.strategies.buy_and_hold import BuyAndHold
from backcast_engine.strategies.custom_rules import CustomRules
from backcast_engine.strategies.rsi import Rsi
from backcast_engine.strategies.supertrend import Supertrend
from services.local.stack import LocalStack, StackSettings
from services.rpc.channel import open_channel
from services.rpc.status import violations_of
from tests.candle_making import START_S, import_candles, longer_candles, random_candles
from tests.changing_crypto import ChangingCrypto
from tests.end_to_end.conftest import HOURS
from tests.end_to_end.operations.observed import Observed
from tests.end_to_end.portfolios.accounts import (
    PORTFOLIO,
    SYMBOLS,
    WEEK_S,
    WINDOW,
    Traded,
    costing,
    in_process,
    portfolio_request,
    traded,
    without_window,
)
from tests.end_to_end.processes import compute_workers, workers_held
from tests.known_runs import known_run

if TYPE_CHECKING:
    from backcast.gateway.v1.portfolio_service_pb2_grpc import PortfolioServiceAsyncStub
    from backcast.gateway.v1.run_service_pb2_grpc import RunServiceAsyncStub
    from backcast.marketdata.v1.market_data_service_pb2_grpc import MarketDataServiceAsyncStub


def series(text: str) -> Expression:
    return parse(text, "rank", Kind.SERIES)


YEARS_AGO_S = START_S - 3 * 365 * 86_400
EVERYTHING = replace(
    PORTFOLIO,
    strategies=(
        WeightedStrategy(Rsi(oversold=40.0, overbought=60.0), 0.25),
        WeightedStrategy(Supertrend(), 0.75),
    ),
    execution=Execution(
        direction=Direction.LONG_SHORT,
        volatility_target=VolatilityTarget(0.5, 24),
        stop_loss=Distance(atr_multiple=3.0),
        slippage_bps=2.0,
        borrow_rate=0.1,
    ),
    rank=series("roc(168)"),
    size=PortfolioSize.EXECUTION,
)
LOOKING_AT_OTHERS = replace(
    PORTFOLIO,
    strategies=(
        WeightedStrategy(CustomRules(parse("roc(24)@RUN03USDT > 0 and close > sma(5)@1d", "entry")), 0.5),
        WeightedStrategy(
            CustomRules(parse("rsi(7) < 40", "entry"), parse("rsi(7)@RUN01USDT@4h > 60", "exit")), 0.5
        ),
    ),
    rank=series("roc(168) - roc(168)@RUN05USDT"),
)


@pytest.fixture
async def portfolios(stack: LocalStack) -> "AsyncIterator[PortfolioServiceAsyncStub]":
    """A client of the gateway."""
    async with open_channel(stack.gateway_address) as channel:
        yield PortfolioServiceStub(channel)


@pytest.fixture
async def runs(stack: LocalStack) -> "AsyncIterator[RunServiceAsyncStub]":
    """A second client of the gateway, on a connection of its own."""
    async with open_channel(stack.gateway_address) as channel:
        yield RunServiceStub(channel)


@pytest.mark.parametrize(
    "portfolio",
    [
        PORTFOLIO,
        EVERYTHING,
        replace(EVERYTHING, rebalancing=Rebalancing(24, 0.1)),
        replace(PORTFOLIO, rank=series("-stddev(48)"), rebalancing=Rebalancing(50), benchmark=SYMBOLS[3]),
        replace(PORTFOLIO, execution=Execution(direction=Direction.SHORT_ONLY), rank=series("rsi(7)")),
        replace(PORTFOLIO, curve_points=50, max_positions=12),
        replace(
            PORTFOLIO,
            strategies=(WeightedStrategy(CustomRules(parse("close > sma(5)@1d", "entry"))),),
            rank=series("roc(2)@1d"),
        ),
        LOOKING_AT_OTHERS,
    ],
    ids=[
        *("plain", "everything", "rebalanced volatility", "rebalanced shares", "short", "all places", "days"),
        "other cryptos",
    ],
)
async def test_a_portfolio_is_that_of_the_engine_bit_by_bit(
    portfolios: "PortfolioServiceAsyncStub", market: dict[str, Candles], portfolio: Portfolio
) -> None:
    answer = await traded(portfolios, portfolio_request(portfolio))
    assert answer.result == in_process(portfolio, market)
    assert answer.result.trades
    assert answer.summary.cache_state == run_events_pb2.CACHE_STATE_BYPASSED
    assert [answer.progress[-1].completed, answer.progress[-1].total] == [12, 12]


async def test_a_portfolio_of_longer_candles_is_that_of_the_engine(
    portfolios: "PortfolioServiceAsyncStub", market: dict[str, Candles]
) -> None:
    whole = {symbol: candles for symbol, candles in market.items() if symbol != "RUN02USDT"}
    portfolio = replace(PORTFOLIO, interval=Interval.HOUR_4, rank=series("roc(6)"))
    answer = await traded(portfolios, portfolio_request(portfolio, symbols=whole))
    longer = {symbol: longer_candles(candles, Interval.HOUR_4) for symbol, candles in whole.items()}
    assert answer.result == in_process(portfolio, longer)


async def test_the_order_of_the_cryptos_changes_nothing(
    portfolios: "PortfolioServiceAsyncStub", market: dict[str, Candles]
) -> None:
    answers = [
        await traded(portfolios, portfolio_request(EVERYTHING, symbols=symbols))
        for symbols in (SYMBOLS, SYMBOLS[::-1], SYMBOLS[5:] + SYMBOLS[:5])
    ]
    assert answers[0].outcome == answers[1].outcome == answers[2].outcome
    assert list(answers[1].started.request.symbols) == SYMBOLS


async def test_each_detail_has_its_parts(
    portfolios: "PortfolioServiceAsyncStub", market: dict[str, Candles]
) -> None:
    fields = {
        detail: {field.name for field, _ in (await _result(portfolios, detail)).ListFields()}
        for detail in Detail
    }
    metrics = {"metrics", "cryptos", "hold", "engine_version"}
    assert fields[Detail.METRICS] == metrics
    assert fields[Detail.TRADES] == metrics | {"trades", "correlation"}
    assert fields[Detail.EQUITY] == fields[Detail.TRADES] | {"curve", "monthly_returns"}


async def _result(portfolios: "PortfolioServiceAsyncStub", detail: Detail) -> portfolio_pb2.PortfolioResult:
    return (await traded(portfolios, portfolio_request(replace(PORTFOLIO, detail=detail)))).result


async def test_the_request_is_told_with_its_defaults(
    portfolios: "PortfolioServiceAsyncStub", market: dict[str, Candles]
) -> None:
    request = without_window(portfolio_request(symbols=SYMBOLS[:4]))
    for field in ("execution", "max_positions", "interval", "size"):
        request.spec.ClearField(field)  # type: ignore[arg-type]  # names of its fields
    request.spec.strategies[0].ClearField("weight")
    told = (await traded(portfolios, request)).started.request
    assert told.spec.max_positions == 4
    assert told.spec.size == portfolio_pb2.PORTFOLIO_SIZE_EQUAL
    assert told.spec.strategies[0].weight == 1
    assert told.spec.strategies[0].strategy.rsi.period == 14
    assert told.spec.execution.fee_rate == 0.001
    assert told.spec.end_time.seconds == START_S + 3600 * HOURS
    assert not told.spec.benchmark
    again = await traded(portfolios, told)
    assert again.started.request.spec == told.spec


async def test_a_size_of_the_execution_is_the_size_of_positions(
    portfolios: "PortfolioServiceAsyncStub", market: dict[str, Candles]
) -> None:
    portfolio = replace(PORTFOLIO, execution=Execution(quote_amount=500.0))
    request = portfolio_request(portfolio)
    request.spec.ClearField("size")
    answer = await traded(portfolios, request)
    assert answer.started.request.spec.size == portfolio_pb2.PORTFOLIO_SIZE_EXECUTION
    assert answer.result == in_process(replace(portfolio, size=PortfolioSize.EXECUTION), market)


async def test_bitcoin_is_the_benchmark_where_it_is_one_of_the_cryptos(
    portfolios: "PortfolioServiceAsyncStub",
    market: dict[str, Candles],
    data_service: "MarketDataServiceAsyncStub",
) -> None:
    bitcoin = random_candles(77, HOURS)
    await import_candles(data_service, "BTCUSDT", bitcoin)
    cryptos = {"BTCUSDT": bitcoin, "RUN01USDT": market["RUN01USDT"]}
    portfolio = replace(PORTFOLIO, max_positions=2)
    answer = await traded(portfolios, portfolio_request(portfolio, symbols=cryptos))
    assert answer.started.request.spec.benchmark == answer.result.benchmark.symbol == "BTCUSDT"
    assert answer.result == in_process(portfolio, cryptos)


async def test_a_portfolio_comes_from_the_cache_the_second_time(
    portfolios: "PortfolioServiceAsyncStub", market: dict[str, Candles]
) -> None:
    request = portfolio_request(costing(1.25), cache_mode=CACHE_MODE_DEFAULT)
    first = await traded(portfolios, request)
    assert not first.result.from_cache
    request.symbols[:] = SYMBOLS[::-1]
    second = await traded(portfolios, request)
    assert second.result.from_cache
    assert second.kinds == ["started", "result", "summary"]
    assert second.outcome == first.outcome
    request.cache_mode = CACHE_MODE_ONLY
    assert (await traded(portfolios, request)).outcome == first.outcome
    request.cache_mode = CACHE_MODE_REFRESH
    third = await traded(portfolios, request)
    assert not third.result.from_cache
    assert third.outcome == first.outcome


@pytest.mark.parametrize(
    "other",
    [
        costing(1.5, max_positions=4),
        costing(1.5, rank=series("roc(24)")),
        costing(1.5, strategies=(WeightedStrategy(Rsi(oversold=41.0, overbought=60.0)),)),
        costing(1.5, rebalancing=Rebalancing(24)),
        costing(1.5, benchmark="RUN05USDT"),
        costing(1.5, detail=Detail.TRADES),
        costing(1.5, window=Window(WINDOW.start_s, WINDOW.end_s - 3600)),
    ],
    ids=["places", "rank", "strategy", "rebalancing", "benchmark", "detail", "window"],
)
async def test_another_portfolio_is_not_taken_from_the_cache(
    portfolios: "PortfolioServiceAsyncStub", market: dict[str, Candles], other: Portfolio
) -> None:
    await traded(portfolios, portfolio_request(costing(1.5), cache_mode=CACHE_MODE_DEFAULT))
    answer = await traded(portfolios, portfolio_request(other, cache_mode=CACHE_MODE_REFRESH))
    again = await traded(portfolios, portfolio_request(other, cache_mode=CACHE_MODE_DEFAULT))
    assert again.outcome == answer.outcome
    assert answer.result == in_process(other, market)


async def test_a_result_that_is_not_cached_is_not_computed_with_the_cache_only(
    portfolios: "PortfolioServiceAsyncStub", market: dict[str, Candles]
) -> None:
    request = portfolio_request(costing(1.75), cache_mode=CACHE_MODE_ONLY)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await traded(portfolios, request)
    assert caught.value.code() is grpc.StatusCode.NOT_FOUND
    assert caught.value.details() == "the portfolio's result is not in the cache"


async def test_an_import_into_one_crypto_makes_a_new_result(
    portfolios: "PortfolioServiceAsyncStub",
    market: dict[str, Candles],
    data_service: "MarketDataServiceAsyncStub",
) -> None:
    changing = ChangingCrypto("PFCHANGEUSDT")
    await changing.write(data_service, random_candles(501, HOURS))
    cryptos = {**{symbol: market[symbol] for symbol in SYMBOLS[:3]}, changing.symbol: changing.states[-1]}
    request = portfolio_request(PORTFOLIO, symbols=cryptos, cache_mode=CACHE_MODE_DEFAULT)
    assert (await traded(portfolios, request)).result == in_process(PORTFOLIO, cryptos)
    # In the window, then after it.
    for hour, is_seen in ((HOURS // 2, True), (HOURS - 2, False)):
        await changing.write(data_service, changing.corrected(hour, 1.5))
        cryptos[changing.symbol] = changing.states[-1]
        answer = await traded(portfolios, request)
        assert answer.result.from_cache != is_seen
        answer.result.from_cache = False
        assert answer.result == in_process(PORTFOLIO, cryptos)


async def test_an_import_into_a_crypto_that_is_only_looked_at_makes_a_new_result(
    portfolios: "PortfolioServiceAsyncStub",
    market: dict[str, Candles],
    data_service: "MarketDataServiceAsyncStub",
) -> None:
    leader = ChangingCrypto("PFGUIDEUSDT")
    await leader.write(data_service, random_candles(507, HOURS))
    cryptos = {symbol: market[symbol] for symbol in SYMBOLS[:3]}
    entry = parse(f"rsi(7) < 40 and roc(24)@{leader.symbol} > 0", "entry")
    strategy = CustomRules(entry, parse("rsi(7) > 60", "exit"))
    portfolio = replace(PORTFOLIO, strategies=(WeightedStrategy(strategy),), max_positions=2)
    request = portfolio_request(portfolio, symbols=cryptos, cache_mode=CACHE_MODE_DEFAULT)

    def expected() -> portfolio_pb2.PortfolioResult:
        return in_process(portfolio, cryptos, {leader.symbol: leader.states[-1]})

    first = await traded(portfolios, request)
    assert first.result == expected()
    # In the window, then after it.
    for hour, is_seen in ((HOURS // 2, True), (HOURS - 2, False)):
        await leader.write(data_service, leader.corrected(hour, 1.5))
        answer = await traded(portfolios, request)
        assert answer.result.from_cache != is_seen
        answer.result.from_cache = False
        assert answer.result == expected()
        assert answer.result.trades != first.result.trades


async def test_portfolios_that_are_asked_for_at_the_same_time_are_computed_once(
    stack: LocalStack, market: dict[str, Candles]
) -> None:
    request = portfolio_request(costing(2.25), cache_mode=CACHE_MODE_DEFAULT)

    async def one() -> Traded:
        async with open_channel(stack.gateway_address) as channel:
            return await traded(PortfolioServiceStub(channel), request)

    answers = await asyncio.gather(*(one() for _ in range(20)))
    assert sum(not answer.result.from_cache for answer in answers) == 1
    assert len({answer.outcome for answer in answers}) == 1


async def test_a_crypto_without_candles_in_the_window_is_left_out_and_told(
    portfolios: "PortfolioServiceAsyncStub",
    market: dict[str, Candles],
    data_service: "MarketDataServiceAsyncStub",
) -> None:
    gap = random_candles(502, HOURS)
    outside = (gap.open_time_s < WINDOW.start_s) | (gap.open_time_s >= WINDOW.end_s)
    await import_candles(data_service, "PFGAPUSDT", gap.at(outside))
    cryptos = {symbol: market[symbol] for symbol in SYMBOLS[:3]}
    answer = await traded(portfolios, portfolio_request(symbols=[*cryptos, "PFGAPUSDT"]))
    assert list(answer.result.without_candles) == ["PFGAPUSDT"]
    del answer.result.without_candles[:]
    assert answer.result == in_process(PORTFOLIO, cryptos)
    request = portfolio_request(replace(PORTFOLIO, max_positions=4), symbols=[*cryptos, "PFGAPUSDT"])
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await traded(portfolios, request)
    assert caught.value.code() is grpc.StatusCode.FAILED_PRECONDITION
    assert caught.value.details() == (
        "there are 4 places, and only 3 of 4 cryptos have candles in the window"
    )


async def test_a_long_result_comes_in_parts(
    portfolios: "PortfolioServiceAsyncStub", data_service: "MarketDataServiceAsyncStub"
) -> None:
    hours = 3 * 365 * 24
    cryptos = {f"PFLONG{number}USDT": random_candles(503 + number, hours, YEARS_AGO_S) for number in range(2)}
    for symbol, candles in cryptos.items():
        await import_candles(data_service, symbol, candles)
    window = Window(YEARS_AGO_S + WEEK_S, YEARS_AGO_S + 3600 * hours)
    portfolio = replace(PORTFOLIO, window=window, max_positions=2)
    answer = await traded(portfolios, portfolio_request(portfolio, symbols=cryptos))
    assert answer.result == in_process(portfolio, cryptos)
    assert len(answer.parts) > 1
    assert max(event.ByteSize() for event in answer.parts) < 2**20


BAD: dict[str, tuple[dict[str, Any], list[str]]] = {
    "no place": ({"max_positions": 0}, ["spec.max_positions"]),
    "more places than cryptos": ({"max_positions": 13}, ["spec.max_positions"]),
    "weights": (
        {"strategies": (WeightedStrategy(Rsi(), 0.5), WeightedStrategy(BuyAndHold(), 0.6))},
        ["spec.strategies"],
    ),
    "a weight below 0": (
        {"strategies": (WeightedStrategy(Rsi(), -0.5), WeightedStrategy(BuyAndHold(), 1.5))},
        ["spec.strategies[0].weight"],
    ),
    "a parameter": ({"strategies": (WeightedStrategy(Rsi(1)),)}, ["spec.strategies[0].strategy.rsi.period"]),
    "no strategy": ({"strategies": ()}, ["spec.strategies"]),
    "a rank that is a condition": ({"rank": parse("close > 3", "rank")}, ["spec.rank"]),
    "a rank of a crypto that there is not": (
        {"rank": series("close / close@NOPEUSDT")},
        ["spec.rank.arguments[1].symbol"],
    ),
    "a rule of a crypto that there is not": (
        {"strategies": (WeightedStrategy(CustomRules(parse("close > close@NOPEUSDT", "entry"))),)},
        ["spec.strategies[0].strategy.rules.entry.arguments[1].symbol"],
    ),
    "a rank of candles that are no longer": (
        {"rank": series("roc(5)@RUN00USDT@1h")},
        ["spec.rank.interval"],
    ),
    "a benchmark of others": ({"benchmark": "NOPEUSDT"}, ["spec.benchmark"]),
    "rebalancing without a step": ({"rebalancing": Rebalancing(0)}, ["spec.rebalancing.every"]),
    "rebalancing without a target": (
        {
            "rebalancing": Rebalancing(24),
            "size": PortfolioSize.EXECUTION,
            "execution": Execution(quote_amount=10.0),
        },
        ["spec.rebalancing"],
    ),
    "parts": ({"execution": Execution(break_rule=BreakRule.SPLIT)}, ["spec.execution.break_rule"]),
    "two sizes": ({"execution": Execution(equity_fraction=0.5)}, ["spec.size"]),
    "all at once": (
        {
            "max_positions": 13,
            "benchmark": "NOPEUSDT",
            "rank": parse("close > 3", "rank"),
            "execution": Execution(fee_rate=-1.0),
            "rebalancing": Rebalancing(0, 2.0),
        },
        [
            *("spec.benchmark", "spec.execution.fee_rate", "spec.max_positions", "spec.rank"),
            *("spec.rebalancing.every", "spec.rebalancing.threshold"),
        ],
    ),
}


@pytest.mark.parametrize("named", [True, False], ids=["named cryptos", "all cryptos"])
@pytest.mark.parametrize(("changes", "fields"), BAD.values(), ids=BAD)
async def test_each_bad_field_of_a_portfolio_is_named_before_anything_is_computed(
    portfolios: "PortfolioServiceAsyncStub",
    market: dict[str, Candles],
    changes: dict[str, Any],
    fields: list[str],
    named: bool,
) -> None:
    request = portfolio_request(replace(PORTFOLIO, **changes))
    if not named:
        request.symbols[:] = []
        if changes.get("max_positions") == 13:
            request.spec.max_positions = 10_001
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await traded(portfolios, request)
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    found = sorted(violation.field for violation in violations_of(caught.value))
    if not named and len(fields) > 1:
        # What depends on the cryptos is named when all else is right.
        fields = [field for field in fields if field not in ("spec.benchmark", "spec.max_positions")]
    assert found == fields


async def test_a_portfolio_with_too_many_candles_is_refused(
    portfolios: "PortfolioServiceAsyncStub", market: dict[str, Candles]
) -> None:
    years = Window(START_S - 200 * 365 * 86_400, WINDOW.end_s)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await traded(portfolios, portfolio_request(replace(PORTFOLIO, window=years)))
    assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert [violation.field for violation in violations_of(caught.value)] == ["spec.start_time"]


async def test_a_cancelled_portfolio_ends_for_its_client_and_frees_the_workers(
    observed: Observed, market: dict[str, Candles]
) -> None:
    async with open_channel(observed.stack.gateway_address) as channel, workers_held(observed.stack):
        runs = RunServiceStub(channel)
        call = PortfolioServiceStub(channel).RunPortfolio(
            portfolio_request(EVERYTHING, run_id="cancel-portfolio")
        )
        assert (await anext(aiter(call))).started.crypto_count == 12
        listed = await known_run(runs, "cancel-portfolio")
        assert (listed.method, listed.strategy) == ("RunPortfolio", "rsi, supertrend")
        assert (listed.backtest_count, listed.watcher_count) == (24, 1)
        answer = await runs.CancelRun(run_service_pb2.CancelRunRequest(run_id="cancel-portfolio"))
        assert answer.run.state == run_service_pb2.RUN_STATE_CANCELLED
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            _ = [event async for event in call]
    assert (caught.value.code(), caught.value.details()) == (
        grpc.StatusCode.CANCELLED,
        "the run was cancelled",
    )
    await observed.metrics.until_nobody_works()


async def test_a_portfolio_whose_stream_broke_is_resumed_without_a_gap(
    portfolios: "PortfolioServiceAsyncStub", runs: "RunServiceAsyncStub", market: dict[str, Candles]
) -> None:
    whole = await traded(portfolios, portfolio_request(EVERYTHING))
    for after in (1, 2):
        run_id = f"portfolio-broken-after-{after}"
        call = portfolios.RunPortfolio(portfolio_request(EVERYTHING, run_id=run_id))
        before = []
        async for event in call:
            before.append(event)
            if event.sequence == after:
                break
        call.cancel()
        request = run_service_pb2.WatchRunRequest(run_id=run_id, after_sequence=after)
        rest = [answer.portfolio_event async for answer in runs.WatchRun(request)]
        assert Traded([*before, *rest]).outcome == whole.outcome
        again = runs.WatchRun(run_service_pb2.WatchRunRequest(run_id=run_id))
        assert [answer.portfolio_event async for answer in again] == [*before, *rest]


async def test_a_worker_that_dies_in_a_portfolio_changes_nothing(
    stack: LocalStack, portfolios: "PortfolioServiceAsyncStub", market: dict[str, Candles]
) -> None:
    whole = await traded(portfolios, portfolio_request(EVERYTHING))
    async with workers_held(stack):
        call = portfolios.RunPortfolio(portfolio_request(EVERYTHING))
        started = await anext(aiter(call))
        compute_workers(stack)[0].kill()
    assert Traded([started, *[event async for event in call]]).outcome == whole.outcome


async def test_a_portfolio_depends_neither_on_the_number_of_workers_nor_on_the_cache(
    stack: LocalStack,
    portfolios: "PortfolioServiceAsyncStub",
    market: dict[str, Candles],
    short_folder: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ours = await traded(portfolios, portfolio_request(EVERYTHING))
    monkeypatch.setenv("BACKCAST_COMPUTE_WORKERS", "1")
    settings = StackSettings(
        *(short_folder / "one-for-portfolios", 0, 0, 0),
        database_url=stack.database_url,
        # Nobody listens there.
        redis_url="redis://127.0.0.1:1",
        quiet=True,
    )
    request = portfolio_request(EVERYTHING, cache_mode=CACHE_MODE_DEFAULT)
    async with LocalStack(settings) as other, open_channel(other.gateway_address) as channel:
        theirs = await traded(PortfolioServiceStub(channel), request)
    assert theirs.outcome == ours.outcome
    assert theirs.summary.cache_state == run_events_pb2.CACHE_STATE_UNAVAILABLE
