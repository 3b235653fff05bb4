"""Arguments of the Python client become the request that they mean, or an error that names them."""

import math
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import numpy as np
import pytest
from google.protobuf.json_format import ParseDict

import backcast
from backcast.backtest.v1 import execution_pb2, result_pb2
from backcast.backtest.v1.result_pb2 import Metrics as MetricsMessage
from backcast.backtest.v1.strategy_pb2 import MOVING_AVERAGE_KIND_EMA
from backcast.backtest.v1.sweep_pb2 import ExecutionRange
from backcast.errors import InvalidRequestError
from backcast.gateway.v1.sweep_pb2 import SEARCH_METHOD_RANDOM, SweepSearch
from backcast.marketdata.v1.interval_pb2 import INTERVAL_1H, INTERVAL_4H
from backcast.options import RUN_OPTIONS
from backcast.requests import candles_request, rules_request, run_request, series_request
from backcast.result import METRICS
from backcast.sweep_request import sweep_request
from backcast_engine.high_costs import HIGH_FEE_RATE, HIGH_SLIPPAGE_BPS


def request(**options: Any) -> Any:
    return run_request(backcast.Rsi(period=7), options)


def execution(**options: Any) -> execution_pb2.Execution:
    return request(**options).spec.execution


def refusal(**options: Any) -> InvalidRequestError:
    with pytest.raises(InvalidRequestError) as refused:
        request(**options)
    return refused.value


def test_metrics_are_those_of_the_api_in_its_order() -> None:
    assert tuple(field.name for field in MetricsMessage.DESCRIPTOR.fields) == METRICS


@pytest.mark.parametrize("fee", ["0.1%", "10bps", "10 bp", "0.001", 0.001, np.float64(0.001)])
def test_a_fee_can_be_written_in_many_ways(fee: Any) -> None:
    assert execution(fee=fee).fee_rate == 0.001


def test_slippage_is_sent_in_basis_points() -> None:
    assert execution(slippage="5bps").slippage_bps == pytest.approx(5)


@pytest.mark.parametrize(
    ("name", "limit"), [("fee", HIGH_FEE_RATE), ("slippage", HIGH_SLIPPAGE_BPS / 10_000)]
)
def test_a_high_cost_needs_a_unit(name: str, limit: float) -> None:
    assert not execution(**{name: limit}).allow_high_costs
    assert refusal(**{name: limit * 1.01}).field == name
    assert execution(**{name: f"{limit * 101:.6f}%"}).allow_high_costs


@pytest.mark.parametrize(
    ("time", "seconds"),
    [
        ("2024-01-01", 1_704_067_200),
        ("2024-01-01T01:00", 1_704_070_800),
        ("2024-01-01T01:00+01:00", 1_704_067_200),
        (date(2024, 1, 1), 1_704_067_200),
        (datetime(2024, 1, 1), 1_704_067_200),
        (datetime(2024, 1, 1, tzinfo=UTC), 1_704_067_200),
        (datetime(2024, 1, 1, 5, tzinfo=timezone(timedelta(hours=5))), 1_704_067_200),
        (np.datetime64("2024-01-01"), 1_704_067_200),
        (np.datetime64("2024-01-01T00:00:00.000000000"), 1_704_067_200),
    ],
)
def test_a_time_can_be_of_many_types_and_is_utc_without_a_zone(time: Any, seconds: int) -> None:
    assert request(start=time).spec.start_time.seconds == seconds


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("fee", "0,1%"),
        ("fee", math.nan),
        ("fee", True),
        ("start", "yesterday"),
        ("start", 20240101),
        ("end", np.datetime64("NaT")),
        ("symbols", []),
        ("symbols", [1]),
        ("symbols", 5),
        ("interval", "2h"),
        ("detail", "everything"),
        ("direction", "up"),
        ("stop_loss", "2 atrs"),
        ("curve_points", 1.5),
        ("curve_points", 2**40),
        ("initial_capital", "much"),
        ("volatility_period", 5),
        pytest.param("initial_capital", 10**400, id="a number too large for a float"),
        ("run_id", 5),
        ("run_id", None),
        ("run_id", "\ud800"),
        ("symbols", ""),
        ("symbols", ["\ud800"]),
        ("exclude", 5),
    ],
)
def test_an_argument_that_is_no_value_of_its_kind_is_named(name: str, value: Any) -> None:
    assert refusal(**{name: value}).field == name


def test_an_unknown_argument_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(TypeError, match=r"unexpected argument 'fees': did you mean fee\?"):
        request(fees="0.1%")


def test_symbols_are_a_list_or_text() -> None:
    assert request(symbols="all").symbols == []
    assert request(symbols="AUSDT, BUSDT").symbols == ["AUSDT", "BUSDT"]
    assert request(symbols=np.array(["AUSDT", "BUSDT"])).symbols == ["AUSDT", "BUSDT"]


def test_what_is_excluded_is_never_left_in() -> None:
    assert request(exclude="AUSDT, BUSDT").exclude == ["AUSDT", "BUSDT"]
    assert request(exclude=np.array(["AUSDT", "BUSDT"])).exclude == ["AUSDT", "BUSDT"]
    assert request(exclude=[]).exclude == []
    # No crypto has this name, and the server says so.
    assert request(exclude="all").exclude == ["all"]


@pytest.mark.parametrize("rank", ["", "  ", "\ud800"])
def test_a_rank_that_is_no_text_of_a_series_is_named(rank: str) -> None:
    with pytest.raises(InvalidRequestError) as refused:
        series_request(rank)
    assert refused.value.field == "rank"


@pytest.mark.parametrize(
    ("symbols", "field"), [(5, "symbols"), ([5], "symbols"), (b"AUSDT", "symbols"), ("\ud800", "symbols")]
)
def test_candles_are_of_symbols_that_are_text(symbols: Any, field: str) -> None:
    with pytest.raises(InvalidRequestError) as refused:
        candles_request(symbols, "1h", None, None)
    assert refused.value.field == field


@pytest.mark.parametrize("rules", [backcast.Rules(5), backcast.Rules("close > 1", "\ud800")])  # type: ignore[arg-type]
def test_rules_are_text(rules: backcast.Rules) -> None:
    with pytest.raises(InvalidRequestError, match=r"is not text|not Unicode"):
        rules_request(rules)


def test_the_base_of_strategies_is_no_strategy() -> None:
    with pytest.raises(InvalidRequestError, match="is no strategy"):
        run_request(backcast.Strategy(), {})


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        ({"address": 5}, "address"),
        ({"address": b"here:1"}, "address"),
        ({"token": 5}, "token"),
        ({"timeout": "5"}, "timeout"),
        ({"timeout": None}, "timeout"),
        # To gRPC, it is over at once.
        ({"timeout": math.inf}, "timeout"),
        ({"timeout": -1}, "timeout"),
        ({"patience": "long"}, "patience"),
        ({"tls": 1}, "tls"),
        ({"tls": "/no/such/file"}, "tls"),
        # What is no PEM gRPC takes for a server that is away.
        ({"tls": __file__}, "tls"),
        ({"tls": True, "certificate": (__file__, __file__)}, "certificate"),
        ({"tls": True, "certificate": (__file__,)}, "certificate"),
        ({"tls": True, "certificate": __file__}, "certificate"),
    ],
)
def test_an_argument_of_connect_that_is_no_value_of_its_kind_is_named(
    arguments: dict[str, Any], field: str
) -> None:
    with pytest.raises(InvalidRequestError) as refused:
        backcast.connect(**arguments)
    assert refused.value.field == field


@pytest.mark.parametrize("timeout", ["5", math.nan, math.inf, -1])
def test_a_timeout_of_a_run_is_a_number_of_seconds(timeout: Any) -> None:
    with (
        backcast.connect("127.0.0.1:9", frames="numpy") as client,
        pytest.raises(InvalidRequestError) as refused,
    ):
        client.run(backcast.Rsi(), timeout=timeout)
    assert refused.value.field == "timeout"


@pytest.mark.parametrize("run_id", ["", None, 5, "\ud800"])
def test_a_run_to_watch_needs_a_name(run_id: Any) -> None:
    with (
        backcast.connect("127.0.0.1:9", frames="numpy") as client,
        pytest.raises(InvalidRequestError) as refused,
    ):
        client.watch(run_id)
    assert refused.value.field == "run_id"


def test_every_option_of_a_run_reaches_the_request() -> None:
    values: dict[str, Any] = {
        "symbols": "AUSDT", "exclude": "BUSDT", "interval": "1d", "start": "2024-01-01", "end": "2025-01-01",
        "fee": "0.2%", "slippage": "1bps", "initial_capital": 5, "fill": "same-close", "direction": "short",
        "stop_loss": "5%", "take_profit": "2atr", "trailing_stop": 0.1, "atr_period": 7, "borrow_rate": "10%",
        "funding_rate": "5%", "breaks": "split", "cache": "refresh", "run_id": "nightly", "detail": "equity",
        "curve_points": 100,
    }  # fmt: skip
    sizes = {"size_fraction": "50%", "size_amount": 100, "size_volatility": "40%"}
    assert values.keys() | sizes.keys() | {"volatility_period"} == RUN_OPTIONS
    whole = request(**values)
    unset = {"volatility_target", "quote_amount", "equity_fraction", "allow_high_costs"}
    for message, left_out in ((whole, set()), (whole.spec, set()), (whole.spec.execution, unset)):
        missing = {field.name for field in message.DESCRIPTOR.fields} - left_out
        assert missing <= {field.name for field, _ in message.ListFields()}
    assert whole.detail == result_pb2.DETAIL_EQUITY
    assert execution(size_fraction="50%").equity_fraction == 0.5
    assert execution(size_amount=100).quote_amount == 100
    targeted = execution(size_volatility="40%", volatility_period=9).volatility_target
    assert (targeted.annual_volatility, targeted.period) == (0.4, 9)


def test_two_sizes_are_refused() -> None:
    assert refusal(size_fraction=0.5, size_amount=100).field == "size_amount"


def test_choices_of_a_strategy_are_taken_in_any_case() -> None:
    crossing = run_request(backcast.MaCross(kind="ema"), {}).spec.strategy.ma_cross
    assert crossing.kind == MOVING_AVERAGE_KIND_EMA
    with pytest.raises(InvalidRequestError, match="kind: 'wma' is not one of sma, ema"):
        run_request(backcast.MaCross(kind="wma"), {})


def test_ranges_of_a_sweep_are_what_is_no_option() -> None:
    sweep = sweep_request(backcast.Rsi(oversold=25), {"period": range(5, 8), "split": "70%", "fee": 0})
    (swept,) = sweep.ranges
    assert (swept.name, [value.number_value for value in swept.values]) == ("period", [5, 6, 7])
    assert sweep.split == 0.7
    assert sweep.spec.strategy.rsi.oversold == 25


def test_every_option_of_a_sweep_reaches_the_request() -> None:
    values: dict[str, Any] = {
        "symbols": "AUSDT", "exclude": "BUSDT", "cache": "bypass", "run_id": "nightly", "folds": 3, "top": 5,
        "metric": "cagr", "min_trades": 2, "curve_points": 100,
    }  # fmt: skip
    ranges = {"period": [5, 6], "direction": ["long", "short"], "interval": ["1h", "4h"]}
    sweep = sweep_request(backcast.Rsi(), {**values, **ranges, "random": 3, "seed": 4})
    assert list(sweep.intervals) == [INTERVAL_1H, INTERVAL_4H]
    assert sweep.search == SweepSearch(method=SEARCH_METHOD_RANDOM, combination_count=3, seed=4)
    unset = {field.name for field in sweep.DESCRIPTOR.fields} - {
        field.name for field, _ in sweep.ListFields()
    }
    assert unset == {"split"}
    assert sweep.metric == result_pb2.METRIC_CAGR


def test_a_range_of_no_parameter_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(
        InvalidRequestError, match="periods: rsi has no parameter periods: did you mean period"
    ):
        sweep_request(backcast.Rsi(), {"periods": range(5, 8)})


def test_lists_of_options_are_ranges_of_the_execution() -> None:
    arguments = {"stop_loss": ["2%", "1.5atr", None], "fee": [0, "3%"], "fill": ["next-open"], "slippage": 0}
    request = sweep_request(backcast.Rsi(), arguments)
    expected = [
        {
            "name": "stop_loss",
            "values": [{"stopLoss": {"fraction": 0.02}}, {"stopLoss": {"atrMultiple": 1.5}}, {}],
        },
        {"name": "fee_rate", "values": [{"feeRate": 0}, {"feeRate": 0.03}]},
        {"name": "fill_time", "values": [{"fillTime": "FILL_TIME_NEXT_OPEN"}]},
    ]
    assert list(request.execution_ranges) == [ParseDict(one, ExecutionRange()) for one in expected]
    # A cost with a unit is meant.
    assert request.spec.execution == execution_pb2.Execution(slippage_bps=0, allow_high_costs=True)


def test_a_swept_volatility_keeps_its_period() -> None:
    request = sweep_request(backcast.Rsi(), {"size_volatility": ["20%", "40%"], "volatility_period": 10})
    assert [value.volatility_target.period for value in request.execution_ranges[0].values] == [10, 10]


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        ({}, "sweep"),
        ({"period": []}, "period"),
        ({"period": 5}, "period"),
        ({"stop_loss": []}, "stop_loss"),
        ({"stop_loss": ["2%", "x"]}, "stop_loss"),
        ({"fee": [None]}, "fee"),
        ({"size_fraction": [0.5], "size_amount": 100}, "size_amount"),
        ({"period": [5], "top": "many"}, "top"),
        ({"period": [5], "random": 2, "optimize": 2}, "optimize"),
        ({"period": [5], "seed": 2}, "seed"),
        ({"period": [5], "random": "all"}, "random"),
        ({"interval": ["1h", "2h"]}, "interval"),
        ({"interval": []}, "interval"),
        ({"period": [5], "interval": []}, "interval"),
    ],
)
def test_a_sweep_names_the_argument_that_is_wrong(arguments: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidRequestError) as refused:
        sweep_request(backcast.Rsi(), arguments)
    assert refused.value.field == field
