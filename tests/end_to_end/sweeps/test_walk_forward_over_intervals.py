"""Walk-forwards whose folds choose among intervals, against a second implementation from docs/sweeps.md.

The second implementation uses only single backtests, as RunBacktest returns them.
"""

import math
from dataclasses import dataclass
from itertools import pairwise
from statistics import fmean, median, stdev
from typing import TYPE_CHECKING, Any

import grpc
import numpy as np
import pytest
from google.protobuf.json_format import ParseDict

from backcast.backtest.v1.backtest_spec_pb2 import BacktestSpec
from backcast.backtest.v1.result_pb2 import DETAIL_EQUITY, BacktestResult
from backcast.gateway.v1 import backtest_service_pb2 as pb
from backcast.gateway.v1 import sweep_pb2
from backcast_engine.candles import Candles
from backcast_engine.sweep.deflated_sharpe import deflated_sharpe_ratio, expected_maximum, shape_of
from tests.candle_making import START_S
from tests.end_to_end.conftest import HOURS
from tests.end_to_end.sweeps.sweeping import Swept, sweep_request, swept, utc

if TYPE_CHECKING:
    from backcast.gateway.v1.backtest_service_pb2_grpc import BacktestServiceAsyncStub

# The second one has gaps, and the last one is listed in the last part.
SYMBOLS = ["RUN01USDT", "RUN02USDT", "RUN04USDT", "RUN11USDT"]
INTERVALS = {"INTERVAL_4H": 4, "INTERVAL_1H": 1, "INTERVAL_1D": 24}
LONGEST = 24
PERIODS = [3, 7, 12]
COMBINATIONS = [(interval, period) for interval in INTERVALS for period in PERIODS]
CAPITAL = 10_000.0
FOLDS = 4
# The window begins in the middle of a day, and its parts are of some 18 days: all cuts are at days.
FIRST_S, END_S = START_S + 3600 * (24 * 8 + 7), START_S + 3600 * HOURS
CUTS = [FIRST_S + (END_S - FIRST_S) * part // (FOLDS + 1) for part in range(1, FOLDS + 1)]
EDGES = [FIRST_S, *(-(-cut // 86_400) * 86_400 for cut in CUTS), END_S]


def asked(**fields: Any) -> pb.SweepBacktestsRequest:
    return sweep_request(
        **{
            "symbols": SYMBOLS,
            "strategy": {"rsi": {"oversold": 40, "overbought": 60}},
            "intervals": [*INTERVALS],
            "ranges": [{"name": "period", "values": PERIODS}],
            "foldCount": FOLDS,
            "startTime": utc(FIRST_S),
            "endTime": utc(END_S),
            "curvePoints": 0,
            **fields,
        }
    )


@dataclass
class Singles:
    """Single backtests by number of the combination, part of the window and symbol, as far as possible."""

    results: dict[tuple[int, int, str], BacktestResult]

    def ratio(self, combination: int, part: int, symbol: str) -> float | None:
        """Return a Sharpe ratio as it counts among many."""
        result = self.results.get((combination, part, symbol))
        if result is None:
            return None
        metrics = result.metrics
        return metrics.sharpe_ratio if metrics.trade_count + metrics.open_trade_count else 0.0

    def choice(self, part: int) -> int:
        """Return the combination with the best median Sharpe ratio on a part; all of them trade there."""
        medians = []
        for combination in range(len(COMBINATIONS)):
            ratios = [self.ratio(combination, part, symbol) for symbol in SYMBOLS]
            medians.append(median(ratio for ratio in ratios if ratio is not None))
        return medians.index(max(medians))


@pytest.fixture(scope="module")
async def singles(gateway: "BacktestServiceAsyncStub", market: dict[str, Candles]) -> Singles:
    results = {}
    for number, (interval, period) in enumerate(COMBINATIONS):
        for part, (start_s, end_s) in enumerate(pairwise(EDGES)):
            spec = {
                "strategy": {"rsi": {"period": period, "oversold": 40, "overbought": 60}},
                "interval": interval,
                "startTime": utc(start_s),
                "endTime": utc(end_s),
            }
            for symbol in SYMBOLS:
                request = pb.RunBacktestRequest(
                    symbol=symbol, spec=ParseDict(spec, BacktestSpec()), detail=DETAIL_EQUITY
                )
                try:
                    results[number, part, symbol] = (await gateway.RunBacktest(request)).result
                except grpc.aio.AioRpcError:
                    # It has no candles, or too few days.
                    assert symbol == SYMBOLS[-1]
    return Singles(results)


def by_the_docs(singles: Singles, chosen: list[int], symbol: str) -> dict[int, float]:
    """Return one crypto's joined equity by the opening time of days."""
    equity = CAPITAL
    curve: dict[int, float] = {}
    for part, combination in enumerate(chosen, 1):
        result = singles.results.get((combination, part, symbol))
        if result is None:
            curve |= dict.fromkeys(range(EDGES[part], EDGES[part + 1], 86_400), equity)
            continue
        found = result.equity_curve
        for time_s, value in zip(found.open_time_s, found.equity, strict=True):
            # Later ones of the day take the place of earlier ones.
            curve[time_s - time_s % 86_400] = equity * value / CAPITAL
        equity *= found.equity[-1] / CAPITAL
    return curve


def assert_curve(found: sweep_pb2.OutOfSample, expected: dict[int, float]) -> None:
    assert list(found.equity_curve.open_time_s) == list(expected)
    np.testing.assert_allclose(found.equity_curve.equity, list(expected.values()), rtol=1e-12)
    values = [CAPITAL, *expected.values()]
    returns = [now / then - 1 for then, now in pairwise(values)]
    assert found.metrics.total_return == pytest.approx(values[-1] / CAPITAL - 1, rel=1e-9)
    peaks = np.maximum.accumulate(values)
    assert found.metrics.max_drawdown == pytest.approx(((peaks - values) / peaks).max(), rel=1e-9)
    days = (max(expected) - min(expected)) / 86_400 + 1
    assert found.metrics.cagr == pytest.approx((values[-1] / CAPITAL) ** (365.25 / days) - 1, rel=1e-9)
    sharpe = fmean(returns) / stdev(returns) * math.sqrt(365)
    assert found.metrics.sharpe_ratio == pytest.approx(sharpe, rel=1e-9)


async def test_each_fold_chooses_among_all_intervals_and_the_curve_has_the_longest(
    gateway: "BacktestServiceAsyncStub", singles: Singles
) -> None:
    sweep = await swept(gateway, asked())
    walk = sweep.summary.walk_forward
    windows = [
        (fold.train_window.start_time.seconds, fold.test_window.end_time.seconds) for fold in walk.folds
    ]
    assert windows == [(EDGES[part], EDGES[part + 2]) for part in range(FOLDS)]
    assert {fold.test_window.start_time.seconds % 86_400 for fold in walk.folds} == {0}
    chosen = [singles.choice(part) for part in range(FOLDS)]
    assert [fold.combination for fold in walk.folds] == chosen
    # Or else nothing would be shown: folds choose different intervals.
    assert len({COMBINATIONS[one][0] for one in chosen}) > 1
    for part, (fold, combination) in enumerate(zip(walk.folds, chosen, strict=True)):
        interval, period = COMBINATIONS[combination]
        assert list(fold.value_indexes) == [[*INTERVALS].index(interval), PERIODS.index(period)]
        ratios = [singles.ratio(combination, part + 1, symbol) for symbol in SYMBOLS]
        assert fold.test.sharpe_ratio == median(ratio for ratio in ratios if ratio is not None)
    assert [curve.symbol for curve in sweep.curves] == SYMBOLS
    curves = [by_the_docs(singles, chosen, symbol) for symbol in SYMBOLS]
    for found, expected in zip(sweep.curves[:3], curves, strict=False):
        assert_curve(found, expected)
    late = sweep.curves[3].equity_curve
    assert dict(zip(late.open_time_s, late.equity, strict=True)) == pytest.approx(curves[3], rel=1e-12)
    times = sorted(set().union(*curves))
    means = [fmean(values) for values in zip(*(_held(curve, times) for curve in curves), strict=True)]
    assert_curve(walk.out_of_sample, dict(zip(times, means, strict=True)))
    assert walk.deflated_sharpe_ratio == pytest.approx(_deflated(sweep, means), rel=1e-6)


def _held(curve: dict[int, float], times: list[int]) -> list[float]:
    values, last = [], CAPITAL
    for time_s in times:
        last = curve.get(time_s, last)
        values.append(last)
    return values


def _deflated(sweep: Swept, equity: list[float]) -> float | None:
    """Return the deflated Sharpe ratio of a curve of days, by the combinations of all intervals."""
    ratios = [row.train.mean.sharpe_ratio for row in sweep.rows if row.train.mean.HasField("sharpe_ratio")]
    assert len(ratios) == len(COMBINATIONS)
    expected_best = expected_maximum(len(ratios), float(np.var(ratios, ddof=1)) / 365)
    shape = shape_of(np.array(equity), CAPITAL)
    assert shape is not None
    assert expected_best is not None
    return deflated_sharpe_ratio(shape, expected_best)


async def test_the_outcome_is_the_same_from_the_cache(
    gateway: "BacktestServiceAsyncStub", market: dict[str, Candles]
) -> None:
    fields: dict[str, Any] = {"execution": {"slippageBps": 7.0625}}
    first = await swept(gateway, asked(**fields, cacheMode="CACHE_MODE_BYPASS"))
    computed, cached = [await swept(gateway, asked(**fields)) for _ in range(2)]
    assert first.outcome == computed.outcome == cached.outcome
    assert cached.summary.progress.from_cache == cached.started.backtest_count
    assert (await swept(gateway, cached.started.request)).outcome == first.outcome
