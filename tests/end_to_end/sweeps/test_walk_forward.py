"""Walk forwards through all services, against a second implementation from docs/backtests.md.

The second implementation uses only single backtests, as RunBacktest returns them.
"""

import math
from dataclasses import dataclass
from itertools import pairwise
from statistics import fmean, median, stdev
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from backcast.backtest.v1.backtest_spec_pb2 import BacktestSpec
from backcast.backtest.v1.result_pb2 import DETAIL_EQUITY, BacktestResult
from backcast.backtest.v1.strategy_pb2 import Strategy
from backcast.gateway.v1 import backtest_service_pb2 as pb
from backcast.gateway.v1 import sweep_pb2
from backcast_engine.candles import Candles
from backcast_engine.sweep.deflated_sharpe import deflated_sharpe_ratio, expected_maximum, shape_of
from tests.candle_making import START_S
from tests.end_to_end.conftest import HOURS
from tests.end_to_end.sweeps.sweeping import Swept, sweep_request, swept, utc

if TYPE_CHECKING:
    from backcast.gateway.v1.backtest_service_pb2_grpc import BacktestServiceAsyncStub

SYMBOLS = ["RUN01USDT", "RUN02USDT", "RUN05USDT"]
# The first ones hardly ever trade, and never in some parts.
RANGES = [{"name": "oversold", "values": [16, 23, 27, 30, 40]}, {"name": "overbought", "values": [55, 70]}]
CAPITAL = 10_000.0
END_S = START_S + 3600 * HOURS
FOLDS = 4
# Equal parts of the 80 days from the 20th on.
EDGES = [END_S - 3600 * 24 * 16 * part for part in reversed(range(FOLDS + 2))]


def asked(**fields: Any) -> pb.SweepBacktestsRequest:
    return sweep_request(
        **{
            **{"symbols": SYMBOLS, "strategy": {"rsi": {}}, "ranges": RANGES, "foldCount": FOLDS},
            **{"startTime": "2024-01-21T00:00:00Z", "cacheMode": "CACHE_MODE_BYPASS", "bestTrialCount": 100},
            **fields,
        }
    )


@dataclass
class Singles:
    """Single backtests by number of the combination, part of the window and symbol."""

    strategies: list[Strategy]
    results: dict[tuple[int, int, str], BacktestResult]

    def trades(self, combination: int, part: int, symbol: str) -> float:
        metrics = self.results[combination, part, symbol].metrics
        return metrics.trade_count + metrics.open_trade_count

    def counted(self, combination: int, part: int, symbol: str, name: str) -> float | None:
        """Return a figure as it counts among many."""
        metrics = self.results[combination, part, symbol].metrics
        if self.trades(combination, part, symbol) == 0 and name in (
            *("sharpe_ratio", "sortino_ratio", "calmar_ratio"),
        ):
            return 0.0
        return getattr(metrics, name) if metrics.HasField(name) else None  # type: ignore[arg-type]  # a field's name

    def choice(self, part: int, name: str, min_trades: int, smallest: bool = False) -> int | None:
        """Return the combination that the docs choose on a part."""
        medians: dict[int, tuple[float, int]] = {}
        with_any = set()
        for combination in range(len(self.strategies)):
            values = {symbol: self.counted(combination, part, symbol, name) for symbol in SYMBOLS}
            there = {symbol: value for symbol, value in values.items() if value is not None}
            with_any |= set(there)
            if median(self.trades(combination, part, symbol) for symbol in SYMBOLS) >= min_trades and there:
                medians[combination] = median(there.values()), len(there)
        enough = {one: value for one, (value, count) in medians.items() if 2 * count >= len(with_any)}
        if not enough:
            return None
        best = min(enough.values()) if smallest else max(enough.values())
        return min(one for one, value in enough.items() if value == best)


@pytest.fixture(scope="module")
async def singles(gateway: "BacktestServiceAsyncStub", market: dict[str, Candles]) -> Singles:
    strategies = []
    for oversold in RANGES[0]["values"]:
        for overbought in RANGES[1]["values"]:
            strategies.append(Strategy())
            strategies[-1].rsi.oversold, strategies[-1].rsi.overbought = oversold, overbought  # type: ignore[assignment]  # numbers
    results = {}
    for combination, strategy in enumerate(strategies):
        for part in range(FOLDS + 1):
            for symbol in SYMBOLS:
                answer = await gateway.RunBacktest(
                    pb.RunBacktestRequest(
                        symbol=symbol,
                        spec=BacktestSpec(
                            strategy=strategy,
                            start_time=Timestamp(seconds=EDGES[part]),
                            end_time=Timestamp(seconds=EDGES[part + 1]),
                        ),
                        detail=DETAIL_EQUITY,
                    )
                )
                results[combination, part, symbol] = answer.result
    return Singles(strategies, results)


def by_the_docs(singles: Singles, chosen: list[int | None], symbol: str) -> dict[int, float]:
    """Return one crypto's stitched equity by time."""
    equity = CAPITAL
    curve: dict[int, float] = {}
    for fold, combination in enumerate(chosen):
        if combination is None:
            curve |= dict.fromkeys(range(EDGES[fold + 1], EDGES[fold + 2], 3600), equity)
            continue
        found = singles.results[combination, fold + 1, symbol].equity_curve
        curve |= {
            time_s: equity * value / CAPITAL
            for time_s, value in zip(found.open_time_s, found.equity, strict=True)
        }
        equity = equity * found.equity[-1] / CAPITAL
    return curve


def held(curve: dict[int, float], times: list[int]) -> list[float]:
    values, last = [], CAPITAL
    for time_s in times:
        last = curve.get(time_s, last)
        values.append(last)
    return values


def assert_curve(found: sweep_pb2.OutOfSample, expected: dict[int, float]) -> None:
    assert list(found.equity_curve.open_time_s) == list(expected)
    np.testing.assert_allclose(found.equity_curve.equity, list(expected.values()), rtol=1e-12)
    values = [CAPITAL, *expected.values()]
    returns = [now / then - 1 for then, now in pairwise(values)]
    metrics = found.metrics
    assert metrics.total_return == pytest.approx(values[-1] / CAPITAL - 1, rel=1e-9)
    assert metrics.final_equity == pytest.approx(values[-1], rel=1e-12)
    peaks = np.maximum.accumulate(values)
    assert metrics.max_drawdown == pytest.approx(((peaks - values) / peaks).max(), rel=1e-9)
    days = (max(expected) + 3600 - min(expected)) / 86_400
    assert metrics.cagr == pytest.approx((values[-1] / CAPITAL) ** (365.25 / days) - 1, rel=1e-9)
    assert metrics.sharpe_ratio == pytest.approx(
        fmean(returns) / stdev(returns) * math.sqrt(365 * 24), rel=1e-9
    )
    assert not metrics.HasField("win_rate")


@pytest.mark.parametrize(
    ("fields", "name", "min_trades"),
    [
        ({}, "sharpe_ratio", 1),
        ({"minTrades": 0}, "sharpe_ratio", 0),
        ({"minTrades": 4, "metric": "METRIC_TOTAL_RETURN"}, "total_return", 4),
        ({"metric": "METRIC_MAX_DRAWDOWN"}, "max_drawdown", 1),
        # In all folds but one nothing has so many.
        ({"minTrades": 7}, "sharpe_ratio", 7),
    ],
)
async def test_choices_and_curves_are_those_of_the_docs(
    gateway: "BacktestServiceAsyncStub", singles: Singles, fields: dict[str, Any], name: str, min_trades: int
) -> None:
    sweep = await swept(gateway, asked(**fields, curvePoints=0))
    walk = sweep.summary.walk_forward
    smallest = name == "max_drawdown"
    chosen = [singles.choice(part, name, min_trades, smallest) for part in range(FOLDS)]
    assert [fold.combination if fold.HasField("combination") else None for fold in walk.folds] == chosen
    for part, (fold, combination) in enumerate(zip(walk.folds, chosen, strict=True)):
        if combination is not None:
            values = [singles.counted(combination, part + 1, one, "sharpe_ratio") for one in SYMBOLS]
            assert fold.test.sharpe_ratio == median(value for value in values if value is not None)
    assert [curve.symbol for curve in sweep.curves] == SYMBOLS
    curves = [by_the_docs(singles, chosen, symbol) for symbol in SYMBOLS]
    for found, expected in zip(sweep.curves, curves, strict=True):
        assert_curve(found, expected)
        folds = [
            singles.results[one, fold + 1, found.symbol].metrics
            for fold, one in enumerate(chosen)
            if one is not None
        ]
        assert found.metrics.trade_count == sum(each.trade_count for each in folds)
        assert found.metrics.fees_paid == pytest.approx(sum(each.fees_paid for each in folds), rel=1e-12)
        assert found.metrics.exposure == pytest.approx(sum(each.exposure for each in folds) / FOLDS)
    times = sorted(set().union(*curves))
    means = [fmean(values) for values in zip(*(held(curve, times) for curve in curves), strict=True)]
    assert_curve(walk.out_of_sample, dict(zip(times, means, strict=True)))
    total = sum(curve.metrics.trade_count for curve in sweep.curves)
    assert walk.out_of_sample.metrics.trade_count == total
    ratios = [row.train.mean.sharpe_ratio for row in sweep.rows]
    expected_best = expected_maximum(len(ratios), float(np.var(ratios, ddof=1)) / (365 * 24))
    shape = shape_of(np.array(means), CAPITAL)
    assert shape is not None
    assert expected_best is not None
    assert walk.deflated_sharpe_ratio == pytest.approx(deflated_sharpe_ratio(shape, expected_best), rel=1e-6)


def idle_in(sweep: Swept, singles: Singles, part: int) -> list[int]:
    """Return the combinations that trade on one of the cryptos of a part only, with a Sharpe above 0."""
    found = []
    for row in sweep.rows:
        traded = [one for one in SYMBOLS if singles.trades(row.combination, part, one)]
        ratios = [singles.results[row.combination, part, one].metrics.sharpe_ratio for one in traded]
        found += [row.combination] if len(traded) == 1 and ratios[0] > 0 else []
    return found


async def test_a_combination_that_hardly_trades_is_not_ranked_by_the_one_crypto_that_did(
    gateway: "BacktestServiceAsyncStub", singles: Singles
) -> None:
    sweep = await swept(
        gateway, asked(split=0.5, foldCount=None, startTime=utc(EDGES[0]), endTime=utc(EDGES[2]))
    )
    (number, *_) = idle_in(sweep, singles, part=1)
    row = sweep.rows[number]
    assert row.test.median.trade_count == row.test.median.sharpe_ratio == 0
    assert row.cryptos_traded_test == 1
    assert row.test.mean.sharpe_ratio > 0
    # By itself, its trial has no Sharpe ratio.
    assert all(
        trial.test.HasField("sharpe_ratio") == bool(trial.test.trade_count + trial.test.open_trade_count)
        for trial in sweep.best
    )


async def test_rows_and_trials_report_how_much_was_traded(
    gateway: "BacktestServiceAsyncStub", singles: Singles
) -> None:
    sweep, all_of_them = [await swept(gateway, asked(minTrades=number)) for number in (2, 0)]
    fewest = {
        (row.combination, symbol): min(singles.trades(row.combination, part, symbol) for part in range(FOLDS))
        for row in sweep.rows
        for symbol in SYMBOLS
    }
    for row in sweep.rows:
        number = row.combination
        assert row.cryptos_traded == sum(fewest[number, symbol] > 0 for symbol in SYMBOLS)
        assert row.median_trades == min(
            median(singles.trades(number, part, symbol) for symbol in SYMBOLS) for part in range(FOLDS)
        )
    ranked = {(trial.combination, trial.symbol) for trial in sweep.best}
    assert ranked == {key for key, trades in fewest.items() if trades >= 2}
    assert 0 < len(ranked) < len(fewest)
    assert len(all_of_them.best) == len(fewest)


async def test_curves_are_thinned_out_and_none_is_computed_from_the_cache_alone(
    gateway: "BacktestServiceAsyncStub", singles: Singles
) -> None:
    fields: dict[str, Any] = {"execution": {"slippageBps": 3.5}, "cacheMode": "CACHE_MODE_DEFAULT"}
    whole, thin, default = [
        await swept(gateway, asked(**fields, **points))
        for points in ({"curvePoints": 0}, {"curvePoints": 50}, {})
    ]
    assert (default.started.request.curve_points, default.started.request.min_trades) == (500, 1)
    for one, other, usual in zip(whole.curves, thin.curves, default.curves, strict=True):
        assert len(one.equity_curve.equity) > 1500
        assert 20 < len(other.equity_curve.equity) <= 50 < len(usual.equity_curve.equity) <= 500
        assert one.metrics == other.metrics
        assert max(one.equity_curve.drawdown) == max(other.equity_curve.drawdown)
    alone = await swept(gateway, asked(**fields | {"cacheMode": "CACHE_MODE_ONLY"}))
    assert alone.summary.progress.from_cache == alone.summary.progress.total
    assert alone.curves == []
    walk = alone.summary.walk_forward
    assert not walk.HasField("out_of_sample")
    assert not walk.HasField("deflated_sharpe_ratio")
    assert walk.folds == whole.summary.walk_forward.folds


async def test_where_nothing_is_chosen_there_is_no_curve(
    gateway: "BacktestServiceAsyncStub", singles: Singles
) -> None:
    sweep = await swept(gateway, asked(minTrades=1_000))
    assert (sweep.best, sweep.curves) == ([], [])
    assert not sweep.summary.walk_forward.HasField("out_of_sample")
    assert not sweep.summary.HasField("winner")
    assert len(sweep.rows) == 10


async def test_a_crypto_that_is_listed_late_holds_its_cash_until_then(
    gateway: "BacktestServiceAsyncStub", market: dict[str, Candles]
) -> None:
    # RUN11USDT has the last ten days.
    request = asked(symbols=["RUN00USDT", "RUN11USDT"], minTrades=0, curvePoints=0)
    sweep = await swept(gateway, request)
    late = sweep.curves[1]
    equity = dict(zip(late.equity_curve.open_time_s, late.equity_curve.equity, strict=True))
    before = [value for time_s, value in equity.items() if time_s < END_S - 3600 * 240]
    # Of the last part it has candles: those before its first one are missing.
    assert len(before) == 3 * 16 * 24
    assert set(before) == {CAPITAL}
    assert len(equity) == 3 * 16 * 24 + 240


def block_returns(singles: Singles, count: int) -> np.ndarray:
    """Return the means over the cryptos of the returns over blocks of equal time, by combination."""
    rows = []
    for combination in range(len(singles.strategies)):
        by_crypto = []
        for symbol in SYMBOLS:
            returns = []
            for part in range(FOLDS + 1):
                curve = singles.results[combination, part, symbol].equity_curve
                times, before = np.array(curve.open_time_s), CAPITAL
                length_s = EDGES[part + 1] - EDGES[part]
                for block in range(1, count + 1):
                    last = curve.equity[int((times < EDGES[part] + length_s * block / count).sum()) - 1]
                    returns.append(last / before - 1)
                    before = last
            by_crypto.append(returns)
        rows.append(np.mean(by_crypto, axis=0))
    return np.array(rows)


async def test_the_probability_of_overfitting_is_that_of_the_docs(
    gateway: "BacktestServiceAsyncStub", singles: Singles
) -> None:
    from tests.engine.sweep.test_overfitting import by_the_paper

    overfitting = (await swept(gateway, asked())).summary.overfitting
    # Five parts have three blocks each, and the oldest of the 15 is dropped.
    expected = by_the_paper(block_returns(singles, 3)[:, 1:].astype(np.float32).astype(np.float64))
    assert (overfitting.combination_count, overfitting.block_count, overfitting.split_count) == (10, 14, 3432)
    # Ties of combinations that trade alike are the same in both; returns are float32 on the wire.
    assert overfitting.probability == pytest.approx(expected, abs=0.01)


async def test_below_ten_combinations_nothing_is_reported_about_overfitting(
    gateway: "BacktestServiceAsyncStub", market: dict[str, Candles]
) -> None:
    nine, ten = [
        (await swept(gateway, asked(foldCount=None, ranges=[{"name": "oversold", "values": levels}]))).summary
        for levels in (list(range(20, 29)), list(range(20, 30)))
    ]
    assert not nine.HasField("overfitting")
    assert (ten.overfitting.combination_count, ten.overfitting.block_count, ten.overfitting.split_count) == (
        10,
        16,
        12_870,
    )
    assert 0 <= ten.overfitting.probability <= 1
