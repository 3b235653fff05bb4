"""Walk-forward optimization: a fold chooses among what an optimizer proposes by its train part alone."""

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from backcast.gateway.v1 import backtest_service_pb2 as pb
from backcast.gateway.v1 import sweep_pb2
from backcast_engine.candles import Candles
from backcast_engine.sweep.deflated_sharpe import deflated_sharpe_ratio, expected_maximum, shape_of
from tests.candle_making import START_S
from tests.end_to_end.conftest import HOURS
from tests.end_to_end.sweeps.sweeping import Swept, sweep_request, swept, utc

if TYPE_CHECKING:
    from backcast.gateway.v1.backtest_service_pb2_grpc import BacktestServiceAsyncStub

SYMBOLS = ["RUN05USDT", "RUN02USDT", "RUN06USDT"]
# 84,000 combinations, most of which trade on every part.
RANGES = [
    {"name": "period", "values": list(range(2, 16))},
    {"name": "oversold", "values": [30 + number / 5 for number in range(60)]},
    {"name": "overbought", "values": [55 + number / 10 for number in range(100)]},
]
# Of 60 combinations, folds propose the same ones in different rounds.
SMALL = [
    {"name": "period", "values": list(range(2, 8))},
    {"name": "overbought", "values": list(range(55, 65))},
]
# 18 combinations, of which 12 do not conflict.
FEW = [{"name": "fast", "values": [3, 5, 9, 12, 20, 30]}, {"name": "slow", "values": [10, 20, 25]}]
FOLDS, PROPOSED = 3, 40
END_S = START_S + 3600 * HOURS
# Equal parts of the last 80 days.
EDGES = [END_S - 86_400 * 20 * part for part in reversed(range(FOLDS + 2))]
CAPITAL = 10_000.0


def asked(count: int = PROPOSED, seed: int = 3, **fields: Any) -> pb.SweepBacktestsRequest:
    return sweep_request(
        **{
            **{"symbols": SYMBOLS, "strategy": {"rsi": {}}, "ranges": RANGES, "foldCount": FOLDS},
            **{"startTime": utc(EDGES[0]), "endTime": utc(END_S), "cacheMode": "CACHE_MODE_BYPASS"},
            "search": {"method": "SEARCH_METHOD_TPE", "combinationCount": count, "seed": seed},
            **{"curvePoints": 0, **fields},
        }
    )


def values_of(sweep: Swept) -> list[tuple[int, ...]]:
    return [tuple(row.value_indexes) for row in sweep.rows]


def best_row(sweep: Swept) -> sweep_pb2.SweepRow:
    """Return the row that the docs choose in a sweep without folds; of equal ones the first."""
    most = max(row.crypto_count for row in sweep.rows)
    ranked = [row for row in sweep.rows if row.median_trades >= 1 and 2 * row.crypto_count >= most]
    return max(ranked, key=lambda row: (row.train.median.sharpe_ratio, -row.combination))


@pytest.mark.parametrize(
    "fields",
    [{}, {"ranges": SMALL}, {"intervals": ["INTERVAL_1H", "INTERVAL_4H"]}],
    ids=["many", "few", "intervals"],
)
async def test_a_fold_chooses_what_an_optimization_of_its_train_part_alone_finds(
    gateway: "BacktestServiceAsyncStub", market: dict[str, Candles], fields: dict[str, Any]
) -> None:
    sweep = await swept(gateway, asked(**fields))
    alone = [
        await swept(
            gateway,
            asked(foldCount=None, startTime=utc(start_s), endTime=utc(end_s), **fields),
        )
        for start_s, end_s in pairwise(EDGES[:-1])
    ]
    folds = sweep.summary.walk_forward.folds
    assert len(folds) == len(alone) == FOLDS
    for fold, one in zip(folds, alone, strict=True):
        best = best_row(one)
        assert tuple(fold.value_indexes) == tuple(best.value_indexes)
        assert tuple(sweep.rows[fold.combination].value_indexes) == tuple(best.value_indexes)
        assert fold.train == best.train.median
    # The table has what any of them proposes, once.
    assert len(set(values_of(sweep))) == len(sweep.rows)
    assert set(values_of(sweep)) == {values for one in alone for values in values_of(one)}
    # Parts differ, and so does what is proposed for them.
    assert len({frozenset(values_of(one)) for one in alone}) == FOLDS


async def test_combinations_that_several_folds_propose_are_backtested_and_counted_once(
    gateway: "BacktestServiceAsyncStub", market: dict[str, Candles]
) -> None:
    sweep = await swept(gateway, asked())
    count = len(sweep.rows)
    # At first, all propose the same: with one seed, and nothing to learn from.
    assert PROPOSED < count <= FOLDS * PROPOSED - 2 * 16
    started, progress = sweep.started, sweep.summary.progress
    assert (started.combination_count, started.skipped_combination_count) == (FOLDS * PROPOSED, 0)
    assert started.backtest_count == FOLDS * PROPOSED * len(SYMBOLS) * 2 * FOLDS
    assert progress.completed == progress.total == count * len(SYMBOLS) * 2 * FOLDS
    totals = [one.total for one in sweep.progress]
    assert totals == sorted(totals, reverse=True)
    assert [row.combination for row in sweep.rows] == list(range(count))
    assert sweep.summary.overfitting.combination_count == count


async def test_the_deflated_sharpe_ratio_counts_what_any_fold_proposed(
    gateway: "BacktestServiceAsyncStub", market: dict[str, Candles]
) -> None:
    sweep = await swept(gateway, asked(minTrades=0))
    walk = sweep.summary.walk_forward
    ratios = [row.train.mean.sharpe_ratio for row in sweep.rows]
    expected_best = expected_maximum(len(ratios), float(np.var(ratios, ddof=1)) / (365 * 24))
    shape = shape_of(np.array(walk.out_of_sample.equity_curve.equity), CAPITAL)
    assert shape is not None
    assert expected_best is not None
    assert walk.deflated_sharpe_ratio == pytest.approx(deflated_sharpe_ratio(shape, expected_best), rel=1e-6)


async def test_a_seed_decides_and_the_cache_does_not(
    gateway: "BacktestServiceAsyncStub", market: dict[str, Candles]
) -> None:
    fields: dict[str, Any] = {"execution": {"slippageBps": 5.0625}}
    cached = {**fields, "cacheMode": "CACHE_MODE_DEFAULT"}
    first = await swept(gateway, asked(**fields))
    computed, again = [await swept(gateway, asked(**cached)) for _ in range(2)]
    assert first.outcome == computed.outcome == again.outcome
    assert again.summary.progress.from_cache == again.summary.progress.total
    other = await swept(gateway, asked(seed=4, **fields))
    assert values_of(other) != values_of(first)
    assert (await swept(gateway, again.started.request)).outcome == first.outcome


@pytest.mark.parametrize("count", [12, 13, 500])
async def test_where_there_are_no_more_than_a_fold_may_propose_all_are_backtested(
    gateway: "BacktestServiceAsyncStub", market: dict[str, Candles], count: int
) -> None:
    fields: dict[str, Any] = {"strategy": {"maCross": {}}, "ranges": FEW}
    sweep = await swept(gateway, asked(count, **fields))
    every = await swept(gateway, asked(**fields, search=None))
    assert sorted(values_of(sweep)) == sorted(values_of(every))
    assert len(sweep.rows) == 12
    chosen, of_all = (
        [tuple(fold.value_indexes) for fold in one.summary.walk_forward.folds] for one in (sweep, every)
    )
    assert chosen == of_all
