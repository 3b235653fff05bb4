"""Sweeps over intervals: each combination is the single backtest on candles of its length."""

from typing import TYPE_CHECKING, Any

import grpc
import pytest
from google.protobuf.json_format import ParseDict

from backcast.backtest.v1.backtest_spec_pb2 import BacktestSpec
from backcast.gateway.v1 import backtest_service_pb2 as pb
from backcast_engine.candles import Candles
from services.rpc.status import violations_of
from tests.end_to_end.sweeps.sweeping import sweep_request, swept

if TYPE_CHECKING:
    from backcast.gateway.v1.backtest_service_pb2_grpc import BacktestServiceAsyncStub

SYMBOLS = ["RUN01USDT", "RUN03USDT"]
INTERVALS = ["INTERVAL_4H", "INTERVAL_1H"]
RANGES = [{"name": "period", "values": [5, 9, 14]}]
STOPS = [{"name": "stop_loss", "values": [{"stopLoss": {"fraction": 0.03}}, {}]}]


def asked(**fields: Any) -> pb.SweepBacktestsRequest:
    return sweep_request(
        **{
            "symbols": SYMBOLS,
            "strategy": {"rsi": {}},
            "intervals": INTERVALS,
            "ranges": RANGES,
            "executionRanges": STOPS,
            "startTime": "2024-01-31T00:00:00Z",
            "cacheMode": "CACHE_MODE_BYPASS",
            "bestTrialCount": 1_000,
            "minTrades": 0,
            **fields,
        }
    )


async def test_every_trial_is_the_single_backtest_on_its_candles(
    gateway: "BacktestServiceAsyncStub", market: dict[str, Candles]
) -> None:
    sweep = await swept(gateway, asked())
    assert [tuple(row.value_indexes) for row in sweep.rows] == [
        (interval, period, stop) for interval in range(2) for period in range(3) for stop in range(2)
    ]
    assert len(sweep.best) == 24
    for trial in sweep.best:
        interval, period, stop = trial.value_indexes
        spec = {
            "strategy": {"rsi": {"period": RANGES[0]["values"][period]}},
            "interval": INTERVALS[interval],
            "execution": STOPS[0]["values"][stop],
            "startTime": "2024-01-31T00:00:00Z",
            "endTime": sweep.started.request.spec.end_time.ToJsonString(),
        }
        single = await gateway.RunBacktest(
            pb.RunBacktestRequest(symbol=trial.symbol, spec=ParseDict(spec, BacktestSpec()))
        )
        assert single.result.metrics == trial.train
    # The returned request, sent again, is returned unchanged.
    assert (await swept(gateway, sweep.started.request)).started.request == sweep.started.request


async def test_the_window_is_cut_for_all_at_candles_of_the_longest_interval(
    gateway: "BacktestServiceAsyncStub", market: dict[str, Candles]
) -> None:
    both = await swept(gateway, asked(split=0.61))
    alone = [
        await swept(gateway, asked(split=0.61, intervals=[], interval=interval)) for interval in INTERVALS
    ]
    # The cut at 4 hours is one of hours, too; the one at hours is another.
    four_hours, hours = both.rows[:6], both.rows[6:]
    assert [row.train for row in four_hours] == [row.train for row in alone[0].rows]
    assert [row.train for row in hours] != [row.train for row in alone[1].rows]
    assert both.summary.selection_bias.trial_count == 24
    assert both.summary.selection_bias.HasField("deflated_sharpe_ratio")
    assert both.summary.overfitting.combination_count == 12


@pytest.mark.parametrize("search", [None, "RANDOM", "TPE"])
async def test_the_outcome_is_the_same_from_the_cache(
    gateway: "BacktestServiceAsyncStub", market: dict[str, Candles], search: str | None
) -> None:
    fields: dict[str, Any] = {"execution": {"slippageBps": 9.0625}}
    if search:
        fields["ranges"] = [{"name": "period", "values": list(range(2, 60))}]
        fields["search"] = {"method": f"SEARCH_METHOD_{search}", "combinationCount": 24}
    first = await swept(gateway, asked(**fields))
    computed = await swept(gateway, asked(cacheMode="CACHE_MODE_DEFAULT", **fields))
    cached = await swept(gateway, asked(cacheMode="CACHE_MODE_DEFAULT", **fields))
    assert first.outcome == computed.outcome == cached.outcome
    assert cached.summary.progress.from_cache == cached.started.backtest_count
    assert {row.value_indexes[0] for row in first.rows} == {0, 1}
    assert len({tuple(row.value_indexes) for row in first.rows}) == len(first.rows)


async def test_intervals_can_be_all_that_is_swept(
    gateway: "BacktestServiceAsyncStub", market: dict[str, Candles]
) -> None:
    sweep = await swept(gateway, asked(ranges=[], executionRanges=[]))
    assert [list(row.value_indexes) for row in sweep.rows] == [[0], [1]]


@pytest.mark.parametrize(
    ("fields", "field", "reason"),
    [
        ({"foldCount": 120}, "fold_count", "must be from 1 to 100, not 120"),
        ({"foldCount": 100, "intervals": ["INTERVAL_1H", "INTERVAL_1D"]}, "fold_count", "70 candles"),
        ({"intervals": ["INTERVAL_1H", "INTERVAL_1H"]}, "intervals[1]", "1h occurs twice"),
        ({"intervals": ["INTERVAL_1H", 0]}, "intervals[1]", "must be an interval"),
        ({"intervals": ["INTERVAL_1H", 9]}, "intervals[1]", "9"),
        ({"ranges": [], "executionRanges": [], "intervals": ["INTERVAL_1H"]}, "ranges", "at least one"),
    ],
    ids=lambda value: str(value)[:40],
)
async def test_intervals_that_cannot_be_are_refused(
    gateway: "BacktestServiceAsyncStub",
    market: dict[str, Candles],
    fields: dict[str, Any],
    field: str,
    reason: str,
) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await swept(gateway, asked(**fields))
    found = {violation.field: violation.reason for violation in violations_of(caught.value)}
    assert reason in found[field]
