"""Searches among the combinations of a sweep: some of them, at random or by what others have earned."""

from typing import TYPE_CHECKING, Any

import grpc
import pytest

from backcast.gateway.v1 import backtest_service_pb2 as pb
from backcast.gateway.v1 import sweep_pb2
from backcast_engine.candles import Candles
from services.rpc.status import violations_of
from tests.end_to_end.sweeps.sweeping import Swept, sweep_request, swept

if TYPE_CHECKING:
    from backcast.gateway.v1.backtest_service_pb2_grpc import BacktestServiceAsyncStub

SYMBOLS = ["RUN03USDT", "RUN01USDT"]
# 9,000,000 combinations.
MANY = [
    {"name": "period", "values": list(range(2, 302))},
    {"name": "oversold", "values": [number / 10 for number in range(100, 400)]},
    {"name": "overbought", "values": [50 + number / 10 for number in range(100)]},
]
# 18 combinations, of which 12 do not conflict.
FEW = [{"name": "fast", "values": [3, 5, 9, 12, 20, 30]}, {"name": "slow", "values": [10, 20, 25]}]


def asked(method: str, count: int, **fields: Any) -> pb.SweepBacktestsRequest:
    search = {"method": f"SEARCH_METHOD_{method}", "combinationCount": count, "seed": fields.pop("seed", 3)}
    return sweep_request(
        **{
            "symbols": SYMBOLS,
            "strategy": {"rsi": {}},
            "ranges": MANY,
            "startTime": "2024-01-31T00:00:00Z",
            "cacheMode": "CACHE_MODE_BYPASS",
            "bestTrialCount": 1_000,
            "search": search,
            **fields,
        }
    )


def chosen(sweep: Swept) -> list[tuple[int, ...]]:
    return [tuple(row.value_indexes) for row in sweep.rows]


@pytest.mark.parametrize("method", ["RANDOM", "TPE"])
async def test_a_search_backtests_as_many_different_combinations_as_asked_for(
    gateway: "BacktestServiceAsyncStub", market: dict[str, Candles], method: str
) -> None:
    sweep = await swept(gateway, asked(method, 40, split=0.6))
    started = sweep.started
    assert (started.combination_count, started.skipped_combination_count) == (40, 0)
    assert (started.trial_count, started.backtest_count) == (80, 160)
    assert [row.combination for row in sweep.rows] == list(range(40))
    assert len(set(chosen(sweep))) == 40
    for row in sweep.rows:
        rsi = row.strategy.rsi
        values = [rsi.period, rsi.oversold, rsi.overbought]
        assert values == [one["values"][index] for one, index in zip(MANY, row.value_indexes, strict=True)]
    # All of them are trials.
    assert sweep.summary.selection_bias.trial_count == 80
    assert sweep.summary.overfitting.combination_count == 40
    assert sweep.summary.progress.completed == 160


@pytest.mark.parametrize("method", ["RANDOM", "TPE"])
async def test_a_seed_decides_and_the_cache_does_not(
    gateway: "BacktestServiceAsyncStub", market: dict[str, Candles], method: str
) -> None:
    fields: dict[str, Any] = {"execution": {"slippageBps": 6.0625}}
    cached = {**fields, "cacheMode": "CACHE_MODE_DEFAULT"}
    first = await swept(gateway, asked(method, 40, **fields))
    computed = await swept(gateway, asked(method, 40, **cached))
    again = await swept(gateway, asked(method, 40, **cached))
    assert first.outcome == computed.outcome == again.outcome
    assert again.summary.progress.from_cache == 80
    other = await swept(gateway, asked(method, 40, seed=4, **fields))
    assert chosen(other) != chosen(first)
    returned = again.started.request.search
    assert returned == sweep_pb2.SweepSearch(
        method=sweep_pb2.SearchMethod.Value(f"SEARCH_METHOD_{method}"), combination_count=40, seed=3
    )


@pytest.mark.parametrize("method", ["RANDOM", "TPE"])
async def test_a_search_for_more_than_there_are_backtests_all(
    gateway: "BacktestServiceAsyncStub", market: dict[str, Candles], method: str
) -> None:
    sweep = await swept(gateway, asked(method, 1_000, strategy={"maCross": {}}, ranges=FEW))
    every = await swept(gateway, asked(method, 1_000, strategy={"maCross": {}}, ranges=FEW))
    assert sweep.outcome == every.outcome
    assert len(set(chosen(sweep))) == sweep.started.combination_count
    assert all(row.strategy.ma_cross.fast < row.strategy.ma_cross.slow for row in sweep.rows)
    assert sweep.started.combination_count == sum(
        fast < slow for fast in FEW[0]["values"] for slow in FEW[1]["values"]
    )


async def test_a_random_search_has_folds(
    gateway: "BacktestServiceAsyncStub", market: dict[str, Candles]
) -> None:
    sweep = await swept(gateway, asked("RANDOM", 12, foldCount=2))
    for fold in sweep.summary.walk_forward.folds:
        assert tuple(fold.value_indexes) == chosen(sweep)[fold.combination]
    assert len(sweep.curves) == 2


@pytest.mark.parametrize(
    ("request_", "field", "reason"),
    [
        (asked("RANDOM", 0), "search.combination_count", "must be from 1 to 100,000, not 0"),
        (asked("RANDOM", 100_001), "search.combination_count", "must be from 1 to 100,000, not 100,001"),
        (asked("TPE", 1_001), "search.combination_count", "must be from 1 to 1,000, not 1,001"),
        (asked("TPE", 1_001, foldCount=2), "search.combination_count", "from 1 to 1,000, not 1,001"),
        (asked("TPE", 101, foldCount=20), "search.combination_count", "from 1 to 100 with 20 folds, not 101"),
        (asked("RANDOM", 5, seed=-1), "search.seed", "must be at least 0, not -1"),
        (asked("RANDOM", 5, ranges=[]), "ranges", "at least one"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_a_search_that_cannot_be_is_refused(
    gateway: "BacktestServiceAsyncStub",
    market: dict[str, Candles],
    request_: pb.SweepBacktestsRequest,
    field: str,
    reason: str,
) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await swept(gateway, request_)
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    (violation,) = violations_of(caught.value)
    assert violation.field == field
    assert reason in violation.reason
