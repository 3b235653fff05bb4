"""Sweeps over portfolios through all three services, held against the engine in this process."""

import asyncio
import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import grpc
import numpy as np
import pytest

from backcast.backtest.v1 import portfolio_pb2, result_pb2
from backcast.gateway.v1 import run_events_pb2, run_service_pb2
from backcast.gateway.v1.backtest_service_pb2 import (
    CACHE_MODE_BYPASS,
    CACHE_MODE_DEFAULT,
    CACHE_MODE_ONLY,
)
from backcast.gateway.v1.portfolio_service_pb2 import RunPortfolioRequest
from backcast.gateway.v1.portfolio_service_pb2_grpc import PortfolioServiceStub
from backcast.gateway.v1.run_service_pb2_grpc import RunServiceStub
from backcast_engine import Detail, Distance, Execution
from backcast_engine.candles import Candles
from backcast_engine.interval import Interval
from backcast_engine.portfolio import PortfolioSize, Rebalancing, WeightedStrategy
from backcast_engine.rules.parse import parse
from backcast_engine.rules.signature import ValueKind
from backcast_engine.strategies.custom_rules import CustomRules
from backcast_engine.strategies.rsi import Rsi
from backcast_engine.strategies.supertrend import Supertrend
from backcast_engine.sweep import split_window
from backcast_engine.sweep.deflated_sharpe import deflated_sharpe_ratio, expected_maximum, shape_of
from services.local.stack import LocalStack
from services.rpc.channel import open_channel
from services.rpc.status import violations_of
from tests.end_to_end.operations.observed import Observed
from tests.end_to_end.portfolios.accounts import (
    PORTFOLIO,
    SYMBOLS,
    costing,
    portfolio_request,
    traded,
)
from tests.end_to_end.portfolios.sweeps import Swept, metrics, parameter, setting, sweep_request, swept
from tests.end_to_end.processes import workers_held
from tests.known_runs import known_run

if TYPE_CHECKING:
    from backcast.gateway.v1.portfolio_service_pb2_grpc import PortfolioServiceAsyncStub

ENTRY = "rsi({n}) < {low} and roc(24)@RUN03USDT > -5"

RULES = CustomRules(parse(ENTRY, "entry"), parse("rsi({n}) > 60", "exit"))

RANK = parse("roc({n} * 4)", "rank", ValueKind.SERIES)


async def test_each_row_is_the_engines_portfolio_of_its_values(
    portfolios: "PortfolioServiceAsyncStub", market: dict[str, Candles]
) -> None:
    base = replace(PORTFOLIO, strategies=(WeightedStrategy(RULES),), rank=RANK)
    request = sweep_request(
        base,
        ranges=[parameter("n", 6, 9), parameter("low", 35, 45)],
        execution_ranges=[
            setting("stop_loss", {"stop_loss": {"atr_multiple": 3}}, {}),
            setting("size", {}, {"equity_fraction": 0.2}),
        ],
        portfolio_ranges=[
            setting("max_positions", {"max_positions": 2}, {"max_positions": 5}),
            setting("rebalancing", {}, {"rebalancing": {"every": 24, "threshold": 0.1}}),
        ],
    )
    # Equal shares, but where the execution names a size.
    request.spec.ClearField("size")
    answer = await swept(portfolios, request)
    assert (answer.started.combination_count, answer.started.portfolio_count) == (64, 64)
    values: list[list[Any]] = [
        [6, 9],
        [35, 45],
        [Distance(atr_multiple=3.0), None],
        [1.0, 0.2],
        [2, 5],
        [None, Rebalancing(24, 0.1)],
    ]
    seen = set()
    for row in answer.rows:
        chosen = [each[index] for each, index in zip(values, row.value_indexes, strict=True)]
        n, low, stop, share, places, rebalancing = chosen
        rules = RULES.with_values({"n": n, "low": low})
        portfolio = replace(
            base,
            strategies=(WeightedStrategy(rules),),
            rank=parse(f"roc({4 * n})", "rank", ValueKind.SERIES),
            execution=Execution(stop_loss=stop, equity_fraction=share),
            size=PortfolioSize.EQUAL if share == 1 else PortfolioSize.EXECUTION,
            max_positions=places,
            rebalancing=rebalancing,
        )
        assert row.train == metrics(portfolio, market), chosen
        assert not row.HasField("test")
        seen.add(row.train.total_return)
    assert len(seen) > 40
    assert [*answer.rows[1].value_indexes] == [0, 0, 0, 0, 0, 1]
    last = answer.progress[-1]
    assert (last.completed, last.failed, last.from_cache, last.total) == (64, 0, 0, 64)
    assert answer.summary.cache_state == run_events_pb2.CACHE_STATE_BYPASSED


async def test_a_split_ranks_by_train_and_reports_the_test(
    portfolios: "PortfolioServiceAsyncStub", market: dict[str, Candles]
) -> None:
    base = replace(
        PORTFOLIO,
        strategies=(WeightedStrategy(Rsi(), 0.25), WeightedStrategy(Supertrend(), 0.75)),
        interval=Interval.HOUR_1,
    )
    # Both strategies have a period.
    request = sweep_request(
        base, ranges=[parameter("period", 5, 9, 14, 30)], split=0.7, metric=result_pb2.METRIC_TOTAL_RETURN
    )
    answer = await swept(portfolios, request)
    fold = split_window(base.window, base.interval, 0.7)
    for row, period in zip(answer.rows, (5, 9, 14, 30), strict=True):
        strategies = (WeightedStrategy(Rsi(period), 0.25), WeightedStrategy(Supertrend(period), 0.75))
        for part, window in zip((row.train, row.test), fold.windows(), strict=True):
            assert part == metrics(replace(base, strategies=strategies, window=window), market)
    by_return = sorted(answer.rows, key=lambda row: -row.train.total_return)
    assert [row.combination for row in answer.best] == [row.combination for row in by_return]
    assert answer.summary.winner == by_return[0]
    assert answer.started.portfolio_count == 8


async def test_the_luck_of_the_winner_is_that_of_all_accounts(
    portfolios: "PortfolioServiceAsyncStub", market: dict[str, Candles]
) -> None:
    request = sweep_request(ranges=[parameter("period", 4, 7, 12, 20, 30)])
    answer = await swept(portfolios, request)
    ratios = np.array([row.train.sharpe_ratio for row in answer.rows])
    bias = answer.summary.selection_bias
    assert bias.trial_count == 5
    expected = expected_maximum(5, ratios.var(ddof=1))
    assert expected is not None
    assert bias.expected_maximum_sharpe_ratio == pytest.approx(expected, rel=1e-12)
    # The winner is a portfolio that can be run.
    winner = await traded(
        portfolios,
        RunPortfolioRequest(
            symbols=SYMBOLS,
            spec=answer.summary.winner_spec,
            detail=result_pb2.DETAIL_EQUITY,
            cache_mode=CACHE_MODE_BYPASS,
        ),
    )
    assert winner.result.metrics == answer.summary.winner.train
    shape = shape_of(np.array(winner.result.curve.equity), 10_000.0)
    assert shape is not None
    deflated = deflated_sharpe_ratio(shape, expected / math.sqrt(365 * 24))
    assert bias.deflated_sharpe_ratio == pytest.approx(deflated, rel=1e-12)


async def test_figures_are_cached_as_those_of_single_portfolios(
    portfolios: "PortfolioServiceAsyncStub", market: dict[str, Candles]
) -> None:
    cached = {"cache_mode": CACHE_MODE_DEFAULT}
    base = costing(3.25)
    one = await traded(
        portfolios, portfolio_request(replace(base, max_positions=4, detail=Detail.METRICS), **cached)
    )
    # Equal shares are the default: two combinations are the same portfolio.
    ranges = [
        setting("max_positions", {"max_positions": 4}, {"max_positions": 6}),
        setting("size", {}, {"size": portfolio_pb2.PORTFOLIO_SIZE_EQUAL}),
    ]
    request = sweep_request(base, portfolio_ranges=ranges, **cached)
    request.spec.ClearField("size")
    first = await swept(portfolios, request)
    assert [row.train == one.result.metrics for row in first.rows] == [True, True, False, False]
    assert first.rows[2].train == first.rows[3].train
    assert first.progress[-1].from_cache == 2
    request.portfolio_ranges[0].values.add(max_positions=8)
    second = await swept(portfolios, request)
    assert second.progress[-1].from_cache == 4
    assert second.rows[:4] == first.rows
    request.cache_mode, request.spec.max_positions = CACHE_MODE_ONLY, 1
    request.portfolio_ranges[0].values.add(max_positions=9)
    third = await swept(portfolios, request)
    assert third.rows[:6] == second.rows
    assert {row.failure.message for row in third.rows[6:]} == {"its result is not in the cache"}
    assert third.progress[-1].failed == 2
    assert not third.summary.selection_bias.HasField("deflated_sharpe_ratio")


async def test_sweeps_that_are_asked_for_at_the_same_time_are_computed_once(
    stack: LocalStack, market: dict[str, Candles]
) -> None:
    request = sweep_request(
        costing(3.5), ranges=[parameter("period", *range(4, 12))], cache_mode=CACHE_MODE_DEFAULT
    )

    async def one() -> Swept:
        async with open_channel(stack.gateway_address) as channel:
            return await swept(PortfolioServiceStub(channel), request)

    answers = await asyncio.gather(*(one() for _ in range(5)))
    assert sum(8 - answer.progress[-1].from_cache for answer in answers) == 8
    assert all(answer.rows == answers[0].rows for answer in answers)


async def test_combinations_that_conflict_are_skipped(
    portfolios: "PortfolioServiceAsyncStub", market: dict[str, Candles]
) -> None:
    request = sweep_request(
        replace(PORTFOLIO, rebalancing=Rebalancing(24)),
        execution_ranges=[setting("size", {"equity_fraction": 0.1}, {"quote_amount": 500})],
        ranges=[parameter("oversold", 30, 40), parameter("overbought", 35, 70)],
    )
    request.spec.ClearField("size")
    answer = await swept(portfolios, request)
    assert answer.started.combination_count + answer.started.skipped_combination_count == 8
    assert {row.value_indexes[2] for row in answer.rows} == {0}
    request.execution_ranges[0].values.pop(0)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await swept(portfolios, request)
    (violation,) = violations_of(caught.value)
    assert violation.field == "ranges"
    assert "no combination is possible; of the first one, rebalancing: needs a target" in violation.reason


async def test_a_combination_without_enough_trades_has_no_rank(
    portfolios: "PortfolioServiceAsyncStub", market: dict[str, Candles]
) -> None:
    ranges = [parameter("oversold", 1, 30, 40)]
    answer = await swept(portfolios, sweep_request(ranges=ranges))
    trades = [row.train.trade_count + row.train.open_trade_count for row in answer.rows]
    assert trades[0] == 0
    assert sorted(row.combination for row in answer.best) == [1, 2]
    few = await swept(portfolios, sweep_request(ranges=ranges, min_trades=int(max(trades)) + 1))
    assert not few.best
    assert not few.summary.HasField("winner")
    every = await swept(portfolios, sweep_request(ranges=ranges, min_trades=0, best_count=2))
    assert len(every.best) == 2


async def test_the_request_is_returned_with_its_defaults(
    portfolios: "PortfolioServiceAsyncStub", market: dict[str, Candles]
) -> None:
    base = replace(PORTFOLIO, strategies=(WeightedStrategy(RULES),), rank=RANK)
    request = sweep_request(
        base, ranges=[parameter("n", 7), parameter("low", 40)], execution_ranges=[setting("direction", {})]
    )
    request.spec.ClearField("max_positions")
    answer = await swept(portfolios, request)
    returned = answer.started.request
    assert returned.spec.max_positions == 10
    assert returned.spec.rank == request.spec.rank
    assert returned.ranges == request.ranges
    assert (returned.min_trades, returned.best_count, returned.metric) == (
        1,
        20,
        result_pb2.METRIC_SHARPE_RATIO,
    )
    again = await swept(portfolios, returned)
    assert again.rows == answer.rows


async def test_a_cancelled_sweep_ends_for_its_client_and_frees_the_workers(
    observed: Observed, market: dict[str, Candles]
) -> None:
    request = sweep_request(ranges=[parameter("period", *range(2, 400))], run_id="cancel-portfolio-sweep")
    before = await observed.metrics.backtests()
    async with open_channel(observed.stack.gateway_address) as channel, workers_held(observed.stack):
        runs = RunServiceStub(channel)
        call = PortfolioServiceStub(channel).SweepPortfolios(request)
        assert (await anext(aiter(call))).started.combination_count == 398
        listed = await known_run(runs, "cancel-portfolio-sweep")
        assert (listed.method, listed.backtest_count) == ("SweepPortfolios", 398 * 12)
        await runs.CancelRun(run_service_pb2.CancelRunRequest(run_id="cancel-portfolio-sweep"))
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            _ = [event async for event in call]
        assert caught.value.code() is grpc.StatusCode.CANCELLED
    await observed.metrics.until_nobody_works()
    assert await observed.metrics.backtests() == before
