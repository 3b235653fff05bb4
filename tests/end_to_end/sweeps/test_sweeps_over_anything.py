"""Sweeps over numbers in rules and over settings of the execution, held against single backtests."""

from itertools import product
from typing import TYPE_CHECKING, Any

import grpc
import pytest
from google.protobuf.json_format import MessageToDict, ParseDict

from backcast.backtest.v1.backtest_spec_pb2 import BacktestSpec
from backcast.gateway.v1 import backtest_service_pb2 as pb
from backcast_engine.candles import Candles
from services.rpc.status import violations_of
from tests.end_to_end.sweeps.sweeping import sweep_request, swept

if TYPE_CHECKING:
    from backcast.gateway.v1.backtest_service_pb2_grpc import BacktestServiceAsyncStub

SYMBOLS = ["RUN01USDT", "RUN03USDT"]
NUMBERS: dict[str, list[float]] = {"n": [5, 9], "low": [25.5, 40]}
SETTINGS: dict[str, list[Any]] = {
    "stop_loss": [{"stopLoss": {"fraction": 0.03}}, {"stopLoss": {"atrMultiple": 2}}, {}],
    "direction": [{"direction": "DIRECTION_LONG_ONLY"}, {"direction": "DIRECTION_LONG_SHORT"}],
    "size": [{"equityFraction": 0.5}, {"quoteAmount": 900}, {"volatilityTarget": {"annualVolatility": 0.4}}],
    "fee_rate": [{"feeRate": 0}, {"feeRate": 0.003}],
}


async def rules_of(gateway: "BacktestServiceAsyncStub", entry: str, exit_: str = "") -> dict[str, Any]:
    answer = await gateway.ParseRules(pb.ParseRulesRequest(entry=entry, exit=exit_))
    return MessageToDict(answer.description.rules)


def ranges_of(values: dict[str, list[float]]) -> list[dict[str, Any]]:
    return [{"name": name, "values": numbers} for name, numbers in values.items()]


def settings_of(*names: str) -> list[dict[str, Any]]:
    return [{"name": name, "values": SETTINGS[name]} for name in names]


async def asked(gateway: "BacktestServiceAsyncStub", **fields: Any) -> pb.SweepBacktestsRequest:
    rules = await rules_of(gateway, "rsi({n}) < {low}", "rsi({n}) > 60")
    return sweep_request(
        **{
            "symbols": SYMBOLS,
            "strategy": {"rules": rules},
            "ranges": ranges_of(NUMBERS),
            "startTime": "2024-01-31T00:00:00Z",
            "cacheMode": "CACHE_MODE_BYPASS",
            "bestTrialCount": 1_000,
            "minTrades": 0,
            **fields,
        }
    )


async def test_every_trial_is_the_single_backtest_of_its_values(
    gateway: "BacktestServiceAsyncStub", market: dict[str, Candles]
) -> None:
    names = ["stop_loss", "size"]
    request = await asked(gateway, executionRanges=settings_of(*names), execution={"slippageBps": 4.0})
    sweep = await swept(gateway, request)
    combinations = [
        *product(*(range(len(values)) for values in (*NUMBERS.values(), *map(SETTINGS.get, names))))
    ]
    assert [tuple(row.value_indexes) for row in sweep.rows] == combinations
    assert not any(row.HasField("strategy") for row in sweep.rows)
    assert len(sweep.best) == 2 * len(combinations)
    for trial in sweep.best[::7]:
        n, low, *chosen = trial.value_indexes
        line = f"rsi({NUMBERS['n'][n]}) < {NUMBERS['low'][low]}"
        rules = await rules_of(gateway, line, f"rsi({NUMBERS['n'][n]}) > 60")
        assert MessageToDict(trial.strategy.rules) == rules
        execution = {"slippageBps": 4.0}
        for name, index in zip(names, chosen, strict=True):
            execution |= SETTINGS[name][index]
        spec = {
            "strategy": {"rules": rules},
            "execution": execution,
            "startTime": "2024-01-31T00:00:00Z",
            "endTime": sweep.started.request.spec.end_time.ToJsonString(),
        }
        single = await gateway.RunBacktest(
            pb.RunBacktestRequest(symbol=trial.symbol, spec=ParseDict(spec, BacktestSpec()))
        )
        assert single.result.metrics == trial.train


async def test_placeholders_can_be_in_parts_on_other_candles(
    gateway: "BacktestServiceAsyncStub", market: dict[str, Candles]
) -> None:
    entry = "rsi({n}) < 40 and close@1d > sma({trend})@1d and roc({n})@RUN02USDT > 0"
    trends: list[float] = [2, 5]
    request = await asked(
        gateway,
        strategy={"rules": await rules_of(gateway, entry)},
        ranges=ranges_of({"n": NUMBERS["n"], "trend": trends}),
    )
    sweep = await swept(gateway, request)
    assert len(sweep.best) == 2 * 4
    for trial in sweep.best:
        n, trend = NUMBERS["n"][trial.value_indexes[0]], trends[trial.value_indexes[1]]
        spec = {
            "strategy": {"rules": await rules_of(gateway, entry.format(n=n, trend=trend))},
            "startTime": "2024-01-31T00:00:00Z",
            "endTime": sweep.started.request.spec.end_time.ToJsonString(),
        }
        single = await gateway.RunBacktest(
            pb.RunBacktestRequest(symbol=trial.symbol, spec=ParseDict(spec, BacktestSpec()))
        )
        assert single.result.metrics == trial.train


async def test_the_request_is_returned_with_its_ranges(
    gateway: "BacktestServiceAsyncStub", market: dict[str, Candles]
) -> None:
    request = await asked(gateway, executionRanges=settings_of(*SETTINGS))
    started = (await swept(gateway, request)).started
    assert started.combination_count == 4 * 3 * 2 * 3 * 2
    assert started.request.spec.strategy == request.spec.strategy
    assert list(started.request.ranges) == list(request.ranges)
    ours, theirs = request.execution_ranges, started.request.execution_ranges
    assert [one.name for one in theirs] == [one.name for one in ours]
    assert theirs[0] == ours[0]
    # The period of a volatility has a default.
    assert theirs[2].values[2].volatility_target.period == 30
    assert (await swept(gateway, started.request)).started.request == started.request


async def test_settings_of_a_built_in_strategy_can_be_all_that_is_swept(
    gateway: "BacktestServiceAsyncStub", market: dict[str, Candles]
) -> None:
    request = await asked(
        gateway, strategy={"supertrend": {}}, ranges=[], executionRanges=settings_of("direction", "stop_loss")
    )
    sweep = await swept(gateway, request)
    assert [tuple(row.value_indexes) for row in sweep.rows] == [*product(range(2), range(3))]
    assert all(row.strategy.supertrend.period == 10 for row in sweep.rows)
    # A stop and a side make a difference.
    assert len({row.train.mean.total_return for row in sweep.rows}) == 6


@pytest.mark.parametrize("cut", [{"split": 0.6}, {"foldCount": 2}], ids=str)
async def test_the_outcome_is_the_same_from_the_cache_and_cut_windows_have_choices(
    gateway: "BacktestServiceAsyncStub", market: dict[str, Candles], cut: dict[str, Any]
) -> None:
    fields = {"executionRanges": settings_of("stop_loss"), "execution": {"slippageBps": 3.0625}, **cut}
    first = await swept(gateway, await asked(gateway, **fields))
    computed = await swept(gateway, await asked(gateway, cacheMode="CACHE_MODE_DEFAULT", **fields))
    cached = await swept(gateway, await asked(gateway, cacheMode="CACHE_MODE_DEFAULT", **fields))
    assert first.outcome == computed.outcome == cached.outcome
    assert cached.summary.progress.from_cache == cached.started.backtest_count
    assert first.summary.overfitting.combination_count == 12
    if "split" in cut:
        assert first.summary.selection_bias.trial_count == 24
        return
    for fold in first.summary.walk_forward.folds:
        (row,) = [row for row in first.rows if row.combination == fold.combination]
        assert list(fold.value_indexes) == list(row.value_indexes)
        assert fold.strategy.HasField("rules")
    assert first.summary.walk_forward.HasField("deflated_sharpe_ratio")


async def test_other_values_of_a_setting_miss_the_cache_and_the_same_ones_elsewhere_do_not(
    gateway: "BacktestServiceAsyncStub", market: dict[str, Candles]
) -> None:
    def fields(*stops: Any) -> dict[str, Any]:
        ranges = [{"name": "stop_loss", "values": [{"stopLoss": {"fraction": stop}} for stop in stops]}]
        return {
            "executionRanges": ranges,
            "execution": {"slippageBps": 2.0625, "stopLoss": {"fraction": 0.5}},
            "cacheMode": "CACHE_MODE_DEFAULT",
        }

    await swept(gateway, await asked(gateway, **fields(0.01, 0.02)))
    other = await swept(gateway, await asked(gateway, **fields(0.01, 0.03)))
    assert other.summary.progress.from_cache == 0
    # The stop that the request has beside the range takes no part.
    same = fields(0.01, 0.02)
    del same["execution"]["stopLoss"]
    again = await swept(gateway, await asked(gateway, **same))
    assert again.summary.progress.from_cache == again.started.backtest_count


async def test_a_placeholder_in_a_run_is_refused(gateway: "BacktestServiceAsyncStub") -> None:
    request = pb.RunBacktestRequest(symbol=SYMBOLS[0])
    ParseDict({"rules": await rules_of(gateway, "rsi({n}) < 30")}, request.spec.strategy)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await gateway.RunBacktest(request)
    (violation,) = violations_of(caught.value)
    assert violation.field == "spec.strategy.rules.entry.arguments[0].arguments[1]"
    assert "placeholder" in violation.reason


STOP = {"name": "stop_loss", "values": [{"stopLoss": {"fraction": 0.03}}, {"feeRate": 0.5}]}


@pytest.mark.parametrize(
    ("fields", "field", "reason"),
    [
        ({"ranges": ranges_of({"n": [5]})}, "spec.strategy.rules.entry", "{low} has no range"),
        ({"ranges": ranges_of({**NUMBERS, "m": [5]})}, "ranges[2].name", "no placeholder {m}"),
        ({"ranges": ranges_of({"n": [5, 1], "low": [3]})}, "ranges[0].values[1]", "n = 1: period of rsi"),
        ({"executionRanges": [STOP]}, "execution_ranges[0].values[1]", "fee_rate cannot be set in it"),
        (
            {"executionRanges": [{"name": "stop_loss", "values": [{"stopLoss": {}}]}]},
            "execution_ranges[0].values[0].stop_loss",
            "needs a fraction or an atr_multiple",
        ),
        (
            {"executionRanges": [{"name": "initial_capital", "values": [{"initialCapital": 1}]}]},
            "execution_ranges[0].name",
            "cannot be swept",
        ),
        (
            {"ranges": ranges_of({"n": list(range(2, 2002)), "low": [number / 10 for number in range(600)]})},
            "ranges",
            "1,200,000 combinations, and at most 1,000,000",
        ),
    ],
    ids=lambda value: str(value)[:50],
)
async def test_a_bad_dimension_is_named_before_anything_is_computed(
    gateway: "BacktestServiceAsyncStub",
    market: dict[str, Candles],
    fields: dict[str, Any],
    field: str,
    reason: str,
) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await swept(gateway, await asked(gateway, **fields))
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    found = {violation.field: violation.reason for violation in violations_of(caught.value)}
    assert reason in found[field]
