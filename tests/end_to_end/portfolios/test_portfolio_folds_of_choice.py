"""Walk-forwards over portfolios whose folds choose among intervals, or have optimizers of their own."""

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from backcast.gateway.v1 import sweep_pb2
from backcast.gateway.v1.backtest_service_pb2 import CACHE_MODE_DEFAULT
from backcast_engine import Detail, Window
from backcast_engine.candles import Candles
from backcast_engine.interval import Interval
from backcast_engine.portfolio import Portfolio, WeightedStrategy
from backcast_engine.sweep import walk_forward
from services.wire.candles import interval_to
from tests.candle_making import longer_candles
from tests.end_to_end.portfolios.accounts import costing
from tests.end_to_end.portfolios.sweeps import (
    Swept,
    metrics,
    parameter,
    result_of,
    setting,
    sweep_request,
    swept,
)

if TYPE_CHECKING:
    from backcast.gateway.v1.portfolio_service_pb2_grpc import PortfolioServiceAsyncStub

FOLDS = 3
INTERVALS = [Interval.HOUR_4, Interval.HOUR_1, Interval.DAY_1]
PERIODS = (3, 6, 14)
# 8,000 combinations.
MANY = {
    "ranges": [parameter("period", *range(2, 42)), parameter("oversold", *range(10, 50))],
    "portfolio_ranges": [setting("max_positions", *({"max_positions": places} for places in range(2, 7)))],
}
PROPOSED = 40


async def test_folds_choose_among_intervals_and_the_curve_has_the_longest(
    portfolios: "PortfolioServiceAsyncStub", market: dict[str, Candles]
) -> None:
    base = costing(5.125)
    whole = {symbol: candles for symbol, candles in market.items() if symbol != "RUN02USDT"}
    answer = await swept(
        portfolios,
        sweep_request(
            base,
            symbols=whole,
            intervals=map(interval_to, INTERVALS),
            ranges=[parameter("period", *PERIODS)],
            fold_count=FOLDS,
            curve_points=0,
        ),
    )
    spec = answer.started.request.spec
    window = Window(spec.start_time.seconds, spec.end_time.seconds)
    folds = walk_forward(window, Interval.DAY_1, FOLDS)
    seen = {
        one: {symbol: longer_candles(candles, one) for symbol, candles in whole.items()} for one in INTERVALS
    } | {Interval.HOUR_1: whole}

    def portfolio(value_indexes: Any) -> Portfolio:
        interval, period = value_indexes
        strategy = base.strategies[0].strategy.with_values({"period": PERIODS[period]})
        return replace(base, strategies=(WeightedStrategy(strategy),), interval=INTERVALS[interval])

    of_rows = [portfolio(row.value_indexes) for row in answer.rows]
    walk, capital = answer.summary.walk_forward, base.execution.initial_capital
    growth = 1.0
    times: list[int] = []
    equities: list[float] = []
    for fold, told in zip(folds, walk.folds, strict=True):
        accounts = [metrics(replace(one, window=fold.train), seen[one.interval]) for one in of_rows]
        best = max(range(len(of_rows)), key=[one.sharpe_ratio for one in accounts].__getitem__)
        assert told.combination == best
        assert fold.test
        chosen = replace(of_rows[best], window=fold.test, detail=Detail.EQUITY)
        curve = result_of(chosen, seen[chosen.interval]).curve
        points = zip(curve.open_time_s, curve.equity, strict=True)
        closes = {time_s // 86_400 * 86_400: equity for time_s, equity in points}
        times += closes
        equities += [growth * equity for equity in closes.values()]
        growth *= curve.equity[-1] / capital
    assert len({INTERVALS[fold.value_indexes[0]] for fold in walk.folds}) > 1
    out = walk.out_of_sample
    assert list(out.equity_curve.open_time_s) == times
    np.testing.assert_allclose(out.equity_curve.equity, equities, rtol=1e-12)
    assert out.metrics.total_return == pytest.approx(growth - 1, rel=1e-12)


def optimized(base: Portfolio, **fields: Any) -> Any:
    search = sweep_pb2.SweepSearch(
        method=sweep_pb2.SEARCH_METHOD_TPE, combination_count=PROPOSED, seed=fields.pop("seed", 3)
    )
    return sweep_request(base, **{**MANY, "search": search, "fold_count": FOLDS, **fields})


def values_of(sweep: Swept) -> list[tuple[int, ...]]:
    return [tuple(row.value_indexes) for row in sweep.rows]


@pytest.mark.parametrize(
    "fields", [{}, {"intervals": [interval_to(one) for one in INTERVALS[:2]]}], ids=["one", "intervals"]
)
async def test_a_fold_chooses_what_an_optimization_of_its_train_part_alone_finds(
    portfolios: "PortfolioServiceAsyncStub", market: dict[str, Candles], fields: dict[str, Any]
) -> None:
    base = costing(5.375)
    sweep = await swept(portfolios, optimized(base, **fields))
    spec = sweep.started.request.spec
    window = Window(spec.start_time.seconds, spec.end_time.seconds)
    cut_at = Interval.HOUR_4 if fields else Interval.HOUR_1
    alone = []
    for fold in walk_forward(window, cut_at, FOLDS):
        request = optimized(replace(base, window=fold.train), **fields)
        request.ClearField("fold_count")
        alone.append(await swept(portfolios, request))
    folds = sweep.summary.walk_forward.folds
    for told, one in zip(folds, alone, strict=True):
        assert list(told.value_indexes) == list(one.best[0].value_indexes)
        assert list(sweep.rows[told.combination].value_indexes) == list(told.value_indexes)
        assert told.train == one.best[0].train
    # The table has what any of them proposes, once; parts differ, and so does what is proposed for them.
    assert set(values_of(sweep)) == {values for one in alone for values in values_of(one)}
    assert len(set(values_of(sweep))) == len(sweep.rows)
    assert len({frozenset(values_of(one)) for one in alone}) == FOLDS
    assert sweep.summary.walk_forward.HasField("deflated_sharpe_ratio")


async def test_what_several_folds_propose_is_traded_and_counted_once(
    portfolios: "PortfolioServiceAsyncStub", market: dict[str, Candles]
) -> None:
    request = optimized(costing(5.625), cache_mode=CACHE_MODE_DEFAULT)
    sweep, again = [await swept(portfolios, request) for _ in range(2)]
    progress = sweep.summary.progress
    assert sweep.started.combination_count == FOLDS * PROPOSED
    assert sweep.started.portfolio_count == FOLDS * PROPOSED * 2 * FOLDS
    # At first, all propose the same: with one seed, and nothing to learn from.
    count = len(sweep.rows)
    assert PROPOSED < count <= FOLDS * PROPOSED - 2 * 16
    assert progress.completed == progress.total == count * 2 * FOLDS
    totals = [one.total for one in sweep.progress]
    assert totals == sorted(totals, reverse=True)
    assert again.summary.progress.from_cache == progress.total
    assert (sweep.rows, sweep.summary.walk_forward) == (again.rows, again.summary.walk_forward)


async def test_where_a_fold_may_propose_all_every_combination_is_traded(
    portfolios: "PortfolioServiceAsyncStub", market: dict[str, Candles]
) -> None:
    few = {"ranges": [parameter("period", 3, 5, 9, 14)]}
    base = costing(5.875)
    sweep = await swept(portfolios, optimized(base, **few))
    request = optimized(base, **few)
    request.ClearField("search")
    every = await swept(portfolios, request)
    assert sorted(values_of(sweep)) == sorted(values_of(every))
    assert len(sweep.rows) == 20
