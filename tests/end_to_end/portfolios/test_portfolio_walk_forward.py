"""Walk-forwards of sweeps over portfolios, held against the engine in this process."""

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import grpc
import numpy as np
import pytest

from backcast.backtest.v1 import result_pb2
from backcast.gateway.v1 import sweep_pb2
from backcast.gateway.v1.backtest_service_pb2 import CACHE_MODE_DEFAULT, CACHE_MODE_ONLY
from backcast_engine import Detail
from backcast_engine.candles import Candles
from backcast_engine.portfolio import Portfolio, WeightedStrategy
from backcast_engine.sweep import walk_forward
from backcast_engine.sweep.deflated_sharpe import deflated_sharpe_ratio, expected_maximum, shape_of
from services.rpc.status import violations_of
from tests.end_to_end.portfolios.accounts import costing
from tests.end_to_end.portfolios.sweeps import metrics, parameter, result_of, setting, sweep_request, swept

if TYPE_CHECKING:
    from backcast.gateway.v1.portfolio_service_pb2_grpc import PortfolioServiceAsyncStub

FOLDS = 3
PERIODS, PLACES = (3, 5, 9, 14, 30), (2, 4)


def combination(base: Portfolio, value_indexes: Any) -> Portfolio:
    period, places = value_indexes
    strategy = base.strategies[0].strategy.with_values({"period": PERIODS[period]})
    return replace(base, strategies=(WeightedStrategy(strategy),), max_positions=PLACES[places])


def asked(base: Portfolio, **fields: Any) -> Any:
    ranges = [parameter("period", *PERIODS)]
    own = [setting("max_positions", *({"max_positions": places} for places in PLACES))]
    return sweep_request(base, ranges=ranges, portfolio_ranges=own, **{"fold_count": FOLDS, **fields})


async def test_each_fold_trades_what_was_best_before_it(
    portfolios: "PortfolioServiceAsyncStub", market: dict[str, Candles]
) -> None:
    base = costing(3.125)
    answer = await swept(portfolios, asked(base, curve_points=0))
    folds = walk_forward(base.window, base.interval, FOLDS)
    assert (answer.started.combination_count, answer.started.portfolio_count) == (10, 60)
    of_rows = [combination(base, row.value_indexes) for row in answer.rows]
    trained = [[metrics(replace(one, window=fold.train), market) for one in of_rows] for fold in folds]
    # Rows are means over the folds.
    for row, parts in zip(answer.rows, zip(*trained, strict=True), strict=True):
        mean = sum(part.sharpe_ratio for part in parts) / FOLDS
        assert row.train.sharpe_ratio == pytest.approx(mean, rel=1e-12)
    ranked = sorted(answer.rows, key=lambda row: (-row.train.sharpe_ratio, row.combination))
    assert [row.combination for row in answer.best] == [row.combination for row in ranked]
    walk = answer.summary.walk_forward
    capital = base.execution.initial_capital
    times: list[int] = []
    equities: list[float] = []
    figures: list[result_pb2.Metrics] = []
    growth = 1.0
    for fold, accounts, reported in zip(folds, trained, walk.folds, strict=True):
        best = max(range(10), key=[one.sharpe_ratio for one in accounts].__getitem__)
        assert reported.combination == best
        assert reported.value_indexes == answer.rows[best].value_indexes
        assert reported.train == accounts[best]
        assert fold.test
        assert (
            reported.train_window.end_time.seconds
            == reported.test_window.start_time.seconds
            == fold.test.start_s
        )
        alone = result_of(replace(of_rows[best], window=fold.test, detail=Detail.EQUITY), market)
        assert reported.test == alone.metrics
        times += alone.curve.open_time_s
        equities += [growth * equity for equity in alone.curve.equity]
        growth *= alone.curve.equity[-1] / capital
        figures.append(alone.metrics)
    assert len({fold.combination for fold in walk.folds}) > 1
    out = walk.out_of_sample
    assert (out.symbol, list(out.equity_curve.open_time_s)) == ("", times)
    np.testing.assert_allclose(out.equity_curve.equity, equities, rtol=1e-12)
    assert out.metrics.total_return == pytest.approx(growth - 1, rel=1e-12)
    assert out.metrics.trade_count == sum(one.trade_count for one in figures)
    assert out.metrics.fees_paid == pytest.approx(sum(one.fees_paid for one in figures), rel=1e-12)
    assert walk.mean_test.max_drawdown == pytest.approx(
        sum(one.max_drawdown for one in figures) / FOLDS, rel=1e-12
    )
    ratios = np.array([row.train.sharpe_ratio for row in answer.rows])
    expected = expected_maximum(10, ratios.var(ddof=1))
    shape = shape_of(np.array(equities), capital)
    assert expected is not None
    assert shape is not None
    deflated = deflated_sharpe_ratio(shape, expected / math.sqrt(365 * 24))
    assert walk.deflated_sharpe_ratio == pytest.approx(deflated, rel=1e-9)
    # The choice comes before the tests: there is no winner of the whole window to be judged.
    assert not answer.summary.HasField("selection_bias")
    assert not answer.summary.HasField("winner_spec")


async def test_a_fold_without_enough_trades_holds_the_account(
    portfolios: "PortfolioServiceAsyncStub", market: dict[str, Candles]
) -> None:
    answer = await swept(portfolios, asked(costing(3.25), min_trades=10_000))
    walk = answer.summary.walk_forward
    assert len(walk.folds) == FOLDS
    assert not any(fold.HasField("combination") for fold in walk.folds)
    assert not walk.HasField("out_of_sample")
    assert not answer.best


async def test_the_cache_changes_nothing_and_alone_has_no_curve(
    portfolios: "PortfolioServiceAsyncStub", market: dict[str, Candles]
) -> None:
    request = asked(costing(3.375), cache_mode=CACHE_MODE_DEFAULT)
    first, again = [await swept(portfolios, request) for _ in range(2)]
    assert again.summary.progress.from_cache == 60
    assert (first.rows, first.summary.walk_forward) == (again.rows, again.summary.walk_forward)
    points = first.summary.walk_forward.out_of_sample.equity_curve.equity
    assert 100 < len(points) <= first.started.request.curve_points == 500
    request.cache_mode = CACHE_MODE_ONLY
    only = (await swept(portfolios, request)).summary.walk_forward
    assert only.folds == first.summary.walk_forward.folds
    assert not only.HasField("out_of_sample")


async def test_a_random_search_has_folds(
    portfolios: "PortfolioServiceAsyncStub", market: dict[str, Candles]
) -> None:
    search = sweep_pb2.SweepSearch(combination_count=4)
    answer = await swept(portfolios, asked(costing(3.0), search=search, fold_count=2))
    assert len(answer.rows) == 4
    for fold in answer.summary.walk_forward.folds:
        assert fold.value_indexes == answer.rows[fold.combination].value_indexes


BAD: dict[str, tuple[dict[str, Any], list[str]]] = {
    "no folds": ({"fold_count": 0}, ["fold_count"]),
    "too many folds": ({"fold_count": 101}, ["fold_count"]),
    "too many proposals": (
        {"search": sweep_pb2.SweepSearch(method=2, combination_count=667)},
        ["search.combination_count"],
    ),
    "points": ({"curve_points": 3}, ["curve_points"]),
}


@pytest.mark.parametrize(("changes", "fields"), BAD.values(), ids=BAD)
async def test_a_walk_forward_that_cannot_be_is_refused(
    portfolios: "PortfolioServiceAsyncStub",
    market: dict[str, Candles],
    changes: dict[str, Any],
    fields: list[str],
) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await swept(portfolios, asked(costing(3.0), **changes))
    assert [violation.field for violation in violations_of(caught.value)] == fields
