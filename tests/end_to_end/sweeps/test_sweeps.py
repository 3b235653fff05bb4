"""Sweeps through all three services, held against single backtests through the same."""

from statistics import fmean, median
from typing import TYPE_CHECKING, Any

import grpc
import numpy as np
import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from backcast.backtest.v1.backtest_spec_pb2 import BacktestSpec
from backcast.backtest.v1.result_pb2 import DETAIL_EQUITY, METRIC_SHARPE_RATIO, Metrics
from backcast.gateway.v1 import backtest_service_pb2 as pb
from backcast.gateway.v1 import run_events_pb2, sweep_pb2
from backcast_engine import METRIC_NAMES
from backcast_engine.candles import Candles
from backcast_engine.sweep.deflated_sharpe import deflated_sharpe_ratio, expected_maximum, shape_of
from services.rpc.status import violations_of
from tests.candle_making import START_S
from tests.end_to_end.conftest import HOURS
from tests.end_to_end.sweeps.sweeping import single_metrics, sweep_request, swept

if TYPE_CHECKING:
    from backcast.gateway.v1.backtest_service_pb2_grpc import BacktestServiceAsyncStub

END_S = START_S + 3600 * HOURS
SYMBOLS = ["RUN03USDT", "RUN01USDT", "RUN02USDT"]
RANGES = [{"name": "period", "values": [5, 9, 14]}, {"name": "oversold", "values": [25, 40, 75]}]


def asked(**fields: Any) -> pb.SweepBacktestsRequest:
    """Six combinations (three conflict) on three cryptos, from 2024-01-31 to the end of the data."""
    return sweep_request(
        **{
            "symbols": SYMBOLS,
            "strategy": {"rsi": {}},
            "ranges": RANGES,
            "startTime": "2024-01-31T00:00:00Z",
            "execution": {"slippageBps": 5.0},
            "cacheMode": "CACHE_MODE_BYPASS",
            "bestTrialCount": 100,
            **fields,
        }
    )


def metric_of(metrics: Metrics, name: str) -> float | None:
    return getattr(metrics, name) if metrics.HasField(name) else None  # type: ignore[arg-type]  # a field's name


async def test_every_trial_is_its_single_backtest(
    gateway: "BacktestServiceAsyncStub", market: dict[str, Candles]
) -> None:
    request = asked()
    sweep = await swept(gateway, request)
    started = sweep.started
    assert (
        started.combination_count,
        started.skipped_combination_count,
        started.trial_count,
        started.backtest_count,
    ) == (6, 3, 18, 18)
    assert len(sweep.best) == 18
    assert len({(trial.symbol, trial.combination) for trial in sweep.best}) == 18
    for trial in sweep.best:
        window = (started.request.spec.start_time, started.request.spec.end_time)
        assert trial.train == await single_metrics(gateway, trial, request, window)
        assert not trial.HasField("test")
    sharpes = [trial.train.sharpe_ratio for trial in sweep.best]
    assert sharpes == sorted(sharpes, reverse=True)
    assert sweep.summary.winner == sweep.best[0]
    assert [sweep.progress[-1].completed, sweep.progress[-1].total] == [18, 18]
    assert sweep.summary.progress == sweep.progress[-1]
    assert sweep.summary.cache_state == run_events_pb2.CACHE_STATE_BYPASSED


async def test_the_request_is_returned_with_its_defaults(
    gateway: "BacktestServiceAsyncStub", market: dict[str, Candles]
) -> None:
    request = sweep_request(strategy={"rsi": {}}, ranges=RANGES, symbols=["RUN00USDT"])
    returned = (await swept(gateway, request)).started.request
    assert (returned.metric, returned.best_trial_count) == (METRIC_SHARPE_RATIO, 20)
    assert (returned.spec.strategy.rsi.period, returned.spec.strategy.rsi.overbought) == (14, 70)
    assert returned.spec.execution.fee_rate == 0.001
    assert returned.spec.end_time.seconds == END_S
    assert returned.spec.start_time.seconds == END_S - 365 * 86_400
    assert not returned.WhichOneof("cut")
    again = await swept(gateway, returned)
    assert again.started.request == returned


async def test_the_table_has_medians_and_means_over_the_cryptos(
    gateway: "BacktestServiceAsyncStub", market: dict[str, Candles]
) -> None:
    sweep = await swept(gateway, asked(split=0.6))
    assert [row.combination for row in sweep.rows] == list(range(6))
    assert [(row.strategy.rsi.period, row.strategy.rsi.oversold) for row in sweep.rows] == [
        (period, oversold) for period in (5, 9, 14) for oversold in (25, 40)
    ]
    for row in sweep.rows:
        trials = [trial for trial in sweep.best if trial.combination == row.combination]
        assert len(trials) == row.crypto_count == 3
        for across, parts in (
            (row.train, [trial.train for trial in trials]),
            (row.test, [trial.test for trial in trials]),
        ):
            for name in METRIC_NAMES:
                values = [value for part in parts if (value := metric_of(part, name)) is not None]
                assert metric_of(across.median, name) == (median(values) if values else None)
                mean = metric_of(across.mean, name)
                assert mean == (pytest.approx(fmean(values), rel=1e-12) if values else None)


async def test_a_split_ranks_on_the_first_part_and_reports_the_rest(
    gateway: "BacktestServiceAsyncStub", market: dict[str, Candles]
) -> None:
    request = asked(split=0.7)
    sweep = await swept(gateway, request)
    start_s, end_s = sweep.started.request.spec.start_time.seconds, END_S
    cut = Timestamp(seconds=start_s + (end_s - start_s) * 7 // 10)
    assert cut.seconds % 3600 == 0
    assert sweep.started.backtest_count == 36
    for trial in sweep.best:
        edges = (sweep.started.request.spec.start_time, cut, sweep.started.request.spec.end_time)
        assert trial.train == await single_metrics(gateway, trial, request, edges[:2])
        assert trial.test == await single_metrics(gateway, trial, request, edges[1:])
    ranked = [trial.train.sharpe_ratio for trial in sweep.best]
    assert ranked == sorted(ranked, reverse=True)


async def test_a_walk_forward_chooses_on_each_past_and_reports_the_test(
    gateway: "BacktestServiceAsyncStub", market: dict[str, Candles]
) -> None:
    request = asked(foldCount=3, metric="METRIC_TOTAL_RETURN")
    sweep = await swept(gateway, request)
    folds = sweep.summary.walk_forward.folds
    assert len(folds) == 3
    assert folds[0].train_window.start_time == sweep.started.request.spec.start_time
    assert folds[-1].test_window.end_time == sweep.started.request.spec.end_time
    assert [fold.test_window for fold in folds[:-1]] == [fold.train_window for fold in folds[1:]]
    tests = []
    for fold in folds:
        windows = [(part.start_time, part.end_time) for part in (fold.train_window, fold.test_window)]
        train, test = [
            [
                [
                    await single_metrics(
                        gateway, sweep_pb2.SweepTrial(symbol=symbol, strategy=row.strategy), request, window
                    )
                    for symbol in SYMBOLS
                ]
                for row in sweep.rows
            ]
            for window in windows
        ]
        returns = [median(metrics.total_return for metrics in cryptos) for cryptos in train]
        chosen = int(np.argmax(returns))
        assert fold.combination == chosen
        assert fold.strategy == sweep.rows[chosen].strategy
        assert fold.train.total_return == returns[chosen]
        tests.append(median(metrics.total_return for metrics in test[chosen]))
        assert fold.test.total_return == tests[-1]
        assert fold.test.max_drawdown == median(metrics.max_drawdown for metrics in test[chosen])
    assert sweep.summary.walk_forward.mean_test.total_return == pytest.approx(fmean(tests), rel=1e-12)
    assert not sweep.summary.HasField("selection_bias")
    # The table and the best have the means over the folds.
    trial = sweep.best[0]
    singles = [
        await single_metrics(
            gateway, trial, request, (fold.test_window.start_time, fold.test_window.end_time)
        )
        for fold in folds
    ]
    assert trial.test.total_return == pytest.approx(fmean(each.total_return for each in singles), rel=1e-12)


async def test_what_luck_makes_of_the_winner_is_the_papers_formula(
    gateway: "BacktestServiceAsyncStub", market: dict[str, Candles]
) -> None:
    sweep = await swept(gateway, asked())
    bias = sweep.summary.selection_bias
    year = 365 * 24
    sharpes = [trial.train.sharpe_ratio for trial in sweep.best]
    assert bias.trial_count == 18
    expected = expected_maximum(18, float(np.var(sharpes, ddof=1)) / year)
    assert expected is not None
    assert bias.expected_maximum_sharpe_ratio == pytest.approx(expected * year**0.5, rel=1e-9)
    answer = await gateway.RunBacktest(
        pb.RunBacktestRequest(
            symbol=sweep.summary.winner.symbol,
            spec=BacktestSpec(
                strategy=sweep.summary.winner.strategy,
                start_time=sweep.started.request.spec.start_time,
                execution=asked().spec.execution,
            ),
            detail=DETAIL_EQUITY,
        )
    )
    shape = shape_of(np.array(answer.result.equity_curve.equity), 10_000)
    assert shape is not None
    assert shape.sharpe_ratio * year**0.5 == pytest.approx(sharpes[0], rel=1e-9)
    assert bias.deflated_sharpe_ratio == pytest.approx(deflated_sharpe_ratio(shape, expected), rel=1e-9)


@pytest.mark.parametrize(("metric", "best"), [("max_drawdown", min), ("fees_paid", min), ("win_rate", max)])
async def test_any_metric_ranks_in_its_own_direction(
    gateway: "BacktestServiceAsyncStub", market: dict[str, Candles], metric: str, best: Any
) -> None:
    every, three = [
        await swept(gateway, asked(metric=f"METRIC_{metric.upper()}", bestTrialCount=top)) for top in (100, 3)
    ]
    values = [metric_of(trial.train, metric) for trial in every.best]
    assert values[0] == best(values)
    assert values == sorted(values, key=float, reverse=best is max)  # type: ignore[arg-type]  # all defined
    assert three.best == every.best[:3]


async def test_a_second_sweep_is_all_from_the_cache_and_the_same_bit_by_bit(
    gateway: "BacktestServiceAsyncStub", market: dict[str, Candles]
) -> None:
    request = asked(cacheMode="CACHE_MODE_DEFAULT", split=0.5, execution={"slippageBps": 6.25})
    first, second = await swept(gateway, request), await swept(gateway, request)
    request.cache_mode = pb.CACHE_MODE_BYPASS
    request.symbols[:] = reversed(request.symbols)
    anew = await swept(gateway, request)
    assert [sweep.summary.progress.from_cache for sweep in (first, second, anew)] == [0, 36, 0]
    assert second.summary.cache_state == run_events_pb2.CACHE_STATE_USED
    assert first.outcome == second.outcome == anew.outcome


async def test_what_changes_the_figures_misses_the_cache(
    gateway: "BacktestServiceAsyncStub", market: dict[str, Candles]
) -> None:
    fields: dict[str, Any] = {"cacheMode": "CACHE_MODE_DEFAULT", "execution": {"slippageBps": 7.25}}
    await swept(gateway, asked(**fields))
    for change in (
        {"execution": {"slippageBps": 7.26}},
        {"startTime": "2024-01-31T01:00:00Z"},
        {"interval": "INTERVAL_4H"},
        {"split": 0.5},
        {"strategy": {"rsi": {"overbought": 70.5}}},
        {"ranges": [RANGES[0], {"name": "oversold", "values": [25, 40.5]}]},
    ):
        sweep = await swept(gateway, asked(**{**fields, **change}))
        assert sweep.summary.progress.from_cache == 0, change
    for same in ({"metric": "METRIC_TOTAL_RETURN", "bestTrialCount": 1}, {"symbols": SYMBOLS[:2]}):
        sweep = await swept(gateway, asked(**{**fields, **same}))
        assert sweep.summary.progress.from_cache == sweep.started.backtest_count, same


async def test_a_chunk_from_the_cache_stands_where_this_sweep_has_it(
    gateway: "BacktestServiceAsyncStub", market: dict[str, Candles]
) -> None:
    # Two chunks, then the same two the other way round, then the second alone.
    levels = [10 + number / 16 for number in range(512)]
    for values in (levels, levels[256:] + levels[:256], levels[256:]):
        ranges = [{"name": "oversold", "values": values}]
        request = asked(
            ranges=ranges, symbols=SYMBOLS[:2], execution={"slippageBps": 8.5}, cacheMode="CACHE_MODE_DEFAULT"
        )
        cached = await swept(gateway, request)
        request.cache_mode = pb.CACHE_MODE_BYPASS
        assert cached.outcome == (await swept(gateway, request)).outcome
    assert cached.summary.progress.from_cache == cached.summary.progress.total == 512


async def test_a_choice_can_be_swept(gateway: "BacktestServiceAsyncStub", market: dict[str, Candles]) -> None:
    ranges = [{"name": "kind", "values": ["SMA", "EMA"]}, {"name": "fast", "values": [5, 60]}]
    sweep = await swept(gateway, asked(strategy={"maCross": {}}, ranges=ranges))
    assert [(row.strategy.ma_cross.kind, row.strategy.ma_cross.fast) for row in sweep.rows] == [
        (1, 5),
        (2, 5),
    ]
    assert sweep.started.skipped_combination_count == 2
    assert [value.string_value for value in sweep.started.request.ranges[0].values] == ["SMA", "EMA"]


async def test_backtests_that_fail_are_reported_by_crypto_and_the_others_go_on(
    gateway: "BacktestServiceAsyncStub", market: dict[str, Candles]
) -> None:
    # RUN11USDT has candles for the last ten days only: none in the train part, too few in the test part for
    # some of the combinations.
    ranges = [{"name": "slow", "values": [30, 300]}]
    request = asked(strategy={"maCross": {}}, ranges=ranges, split=0.5, symbols=["RUN11USDT", "RUN00USDT"])
    sweep = await swept(gateway, request)
    failure = sweep.failures["RUN11USDT"]
    assert failure.backtest_count == 3
    assert failure.status.code == grpc.StatusCode.NOT_FOUND.value[0]
    assert "there are no candles in the window" in failure.status.message
    assert sweep.summary.progress.failed == 3
    assert sweep.summary.progress.completed == 5
    assert {trial.symbol for trial in sweep.best} == {"RUN00USDT"}
    assert [row.crypto_count for row in sweep.rows] == [1, 1]


async def violation_of(
    gateway: "BacktestServiceAsyncStub", request: pb.SweepBacktestsRequest
) -> tuple[str, str]:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await swept(gateway, request)
    (violation,) = violations_of(caught.value)
    too_many = "backtests, and at most" in violation.reason
    code = grpc.StatusCode.RESOURCE_EXHAUSTED if too_many else grpc.StatusCode.INVALID_ARGUMENT
    assert caught.value.code() is code
    return violation.field, violation.reason


@pytest.mark.parametrize(
    ("fields", "field", "reason"),
    [
        ({"ranges": []}, "ranges", "at least one"),
        ({"strategy": {}}, "spec.strategy", "required"),
        ({"ranges": [{"name": "slow", "values": [1]}]}, "ranges[0].name", "no parameter 'slow'"),
        ({"ranges": [RANGES[1], {"name": "period", "values": [5, 9, 1]}]}, "ranges[1].values[2]", "from 2"),
        ({"ranges": [{"name": "period", "values": [None]}]}, "ranges[0].values[0]", "a number, or"),
        ({"ranges": [{"name": "oversold", "values": [80, 90]}]}, "ranges", "no combination is possible"),
        ({"split": 1.5}, "split", "above 0 and below 1"),
        ({"foldCount": 0}, "fold_count", "from 1 to 100"),
        ({"foldCount": 100, "interval": "INTERVAL_1D"}, "fold_count", "room for 70 candles"),
        ({"metric": 99}, "metric", "no metric 99"),
        ({"bestTrialCount": -1}, "best_trial_count", "from 1 to 1,000"),
        ({"bestTrialCount": 1001}, "best_trial_count", "from 1 to 1,000"),
        ({"execution": {"feeRate": 1.0}}, "spec.execution.fee_rate", "below 1"),
        ({"symbols": ["NOPEUSDT"]}, "symbols[0]", "'NOPEUSDT'"),
        ({"cacheMode": 9}, "cache_mode", "9"),
        (
            {
                "ranges": [
                    {"name": "period", "values": list(range(2, 2002))},
                    {"name": "oversold", "values": [number / 10 for number in range(300)]},
                ],
                "foldCount": 2,
            },
            "ranges",
            "600,000 combinations × 3 cryptos × 4 windows are 7,200,000 backtests, and at most 1,000,000",
        ),
    ],
    ids=lambda value: str(value)[:50],
)
async def test_a_bad_field_is_named(
    gateway: "BacktestServiceAsyncStub",
    market: dict[str, Candles],
    fields: dict[str, Any],
    field: str,
    reason: str,
) -> None:
    named, said = await violation_of(gateway, asked(**fields))
    assert named == field
    assert reason in said
