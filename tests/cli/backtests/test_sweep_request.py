"""The request of a sweep, made of the arguments of `backcast sweep`."""

from typing import Any

import pytest
from google.protobuf.json_format import ParseDict

from backcast.backtest.v1.execution_pb2 import Execution
from backcast.backtest.v1.strategy_pb2 import MaCross, Rsi, Strategy
from backcast.backtest.v1.sweep_pb2 import ExecutionRange
from backcast.gateway.v1 import backtest_service_pb2 as pb
from backcast.gateway.v1.sweep_pb2 import (
    SEARCH_METHOD_RANDOM,
    SEARCH_METHOD_TPE,
    SearchMethod,
    SweepSearch,
)
from backcast.marketdata.v1.interval_pb2 import INTERVAL_1H, INTERVAL_4H
from backcast_engine.errors import InvalidInput
from services.cli.options.parameter_ranges import parameter_range
from services.cli.options.requests import sweep_request
from services.cli.options.run_options import (
    CandleOptions,
    ExecutionOptions,
    RunOptions,
    SearchOptions,
    StrategyOptions,
)

RSI, MA_CROSS = Strategy(rsi=Rsi()), Strategy(ma_cross=MaCross())


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("5..8", [5, 6, 7, 8]),
        ("20..40:5", [20, 25, 30, 35, 40]),
        ("20..41:5", [20, 25, 30, 35, 40]),
        ("0..1:0.1", [0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1]),
        ("-2.5..-1:0.75", [-2.5, -1.75, -1]),
        ("5..5", [5]),
        ("5,9,14.5", [5, 9, 14.5]),
    ],
)
def test_values_are_lists_or_steps(text: str, values: list[float]) -> None:
    read = parameter_range(f"period={text}", RSI)
    assert (read.name, [value.number_value for value in read.values]) == ("period", values)


def test_choices_are_listed_by_their_names() -> None:
    read = parameter_range("kind=sma, EMA", MA_CROSS)
    assert [value.string_value for value in read.values] == ["SMA", "EMA"]


@pytest.mark.parametrize(
    ("parameter", "reason"),
    [
        ("oversold=0.5..2", "--param oversold: 0.5..2 needs a step, as in 0.5..2:0.5"),
        ("period=9..5", "--param period: 9..5 goes from the greater to the smaller"),
        ("period=5..9:0", "the step must be above 0, not 0"),
        ("period=5..9:-1", "the step must be above 0, not -1"),
        ("period=5..x", "'x' is not a number"),
        ("period=5,,7", "--param period: a value is missing in '5,,7'"),
        ("period=14,", "a value is missing in '14,'"),
        ("period=..", "'..' has no first value"),
        ("period=..5", "--param period: '..5' has no first value"),
        ("period=5..", "'5..' has no last value"),
        ("period= ..5:2", "has no first value"),
        ("period=5..9:", "'5..9:' has no step"),
        ("period=1..2..3", "'2..3' is not a number"),
        ("period=0..nan", "nan is out of range"),
        ("oversold=0..1:0.00001", "has 100,001 values, and at most 10,000"),
        ("period=0..1e300", "1e300 is out of range"),
        ("stop_loss=2%,3%", "--param stop_loss: is an option of its own: write --stop-loss 2%,3%"),
        ("interval=1h,4h", "--param interval: is an option of its own: write --interval 1h,4h"),
        ("kind=sma,wma", "--param kind: 'wma' is not one of SMA, EMA"),
    ],
)
def test_what_cannot_be_read_names_its_option(parameter: str, reason: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        parameter_range(parameter, MA_CROSS if parameter.startswith("kind") else RSI)
    assert reason in str(caught.value)


def request_of(
    *parameters: str, split: str | None = None, search: SearchOptions | None = None, **options: Any
) -> pb.SweepBacktestsRequest:
    strategy, execution = StrategyOptions("rsi", list(parameters)), ExecutionOptions(**options)
    return sweep_request(
        *(strategy, CandleOptions(), execution),
        metric="sharpe_ratio",
        top=20,
        split=split,
        folds=None,
        search=search,
        options=RunOptions(),
    )


@pytest.mark.parametrize("split", ["0.7", "70%", " 70 % ", "7000bps"])
def test_a_split_is_a_fraction(split: str) -> None:
    assert request_of("period=5,7", split=split).split == 0.7


@pytest.mark.parametrize(
    ("parameters", "split", "fault"),
    [
        (["period=5..7"], "x%", "--split: 'x%' is not a fraction like 0.7 or 70%"),
        (["period=5..7", "period=3"], None, "--param period: is given twice"),
        (["period=5..7", "period=8..9"], None, "--param period: is given twice"),
    ],
)
def test_a_sweep_that_cannot_be_names_its_option(
    parameters: list[str], split: str | None, fault: str
) -> None:
    with pytest.raises(InvalidInput) as caught:
        request_of(*parameters, split=split)
    assert str(caught.value) == fault


@pytest.mark.parametrize(
    ("options", "name", "values"),
    [
        (
            {"stop_loss": "1%..3%:1%, 2atr,none"},
            "stop_loss",
            [{"stopLoss": {"fraction": part}} for part in (0.01, 0.02, 0.03)]
            + [{"stopLoss": {"atrMultiple": 2}}, {}],
        ),
        (
            {"trailing_stop": "1..2atr:0.5"},
            "trailing_stop",
            [{"trailingStop": {"atrMultiple": multiple}} for multiple in (1, 1.5, 2)],
        ),
        (
            {"direction": "long,long-short"},
            "direction",
            [{"direction": "DIRECTION_LONG_ONLY"}, {"direction": "DIRECTION_LONG_SHORT"}],
        ),
        (
            {"fill": "next-open,same-close"},
            "fill_time",
            [{"fillTime": "FILL_TIME_NEXT_OPEN"}, {"fillTime": "FILL_TIME_SAME_CLOSE"}],
        ),
        ({"fee": "0,10bps"}, "fee_rate", [{"feeRate": 0}, {"feeRate": 0.001}]),
        ({"slippage_bps": "0..10:5"}, "slippage_bps", [{"slippageBps": bps} for bps in (0, 5, 10)]),
        ({"atr_period": "10,20"}, "atr_period", [{"atrPeriod": 10}, {"atrPeriod": 20}]),
        (
            {"size_fraction": "50%", "size_amount": "500", "size_volatility": "40%", "volatility_period": 20},
            "size",
            [
                {"equityFraction": 0.5},
                {"quoteAmount": 500},
                {"volatilityTarget": {"annualVolatility": 0.4, "period": 20}},
            ],
        ),
    ],
)
def test_an_option_with_several_values_is_a_range(
    options: dict[str, Any], name: str, values: list[dict[str, Any]]
) -> None:
    request = request_of("period=5,7", **options)
    (swept,) = request.execution_ranges
    assert swept == ParseDict({"name": name, "values": values}, ExecutionRange())
    assert request.spec.execution == Execution()


def test_several_intervals_are_a_range() -> None:
    strategy = StrategyOptions("rsi", ["period=5,7"])
    request = sweep_request(
        *(strategy, CandleOptions(interval="1h, 4h"), ExecutionOptions()),
        metric="sharpe_ratio",
        top=20,
        split=None,
        folds=None,
        options=RunOptions(),
    )
    assert list(request.intervals) == [INTERVAL_1H, INTERVAL_4H]
    assert not request_of("period=5,7").intervals


@pytest.mark.parametrize(
    ("search", "method", "count", "seed"),
    [
        (SearchOptions(random=50), SEARCH_METHOD_RANDOM, 50, 0),
        (SearchOptions(optimize=40, seed=7), SEARCH_METHOD_TPE, 40, 7),
    ],
)
def test_a_search_is_in_the_request(
    search: SearchOptions, method: SearchMethod.ValueType, count: int, seed: int
) -> None:
    request = request_of("period=5,7", search=search)
    assert request.search == SweepSearch(method=method, combination_count=count, seed=seed)
    assert not request_of("period=5,7").HasField("search")


@pytest.mark.parametrize(
    ("search", "fault"),
    [
        (SearchOptions(random=5, optimize=5), "--optimize: cannot be combined with --random"),
        (SearchOptions(seed=5), "--seed: needs --random or --optimize"),
        (SearchOptions(random=10**10), "--random: is out of range"),
        (SearchOptions(optimize=5, seed=-(10**10)), "--seed: is out of range"),
    ],
)
def test_a_search_that_cannot_be_names_its_option(search: SearchOptions, fault: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        request_of("period=5,7", search=search)
    assert str(caught.value) == fault


def test_options_with_one_value_are_the_same_for_all_combinations() -> None:
    request = request_of("period=5,7", stop_loss="2%", take_profit="none", fee="0.3%", direction="short")
    assert not request.execution_ranges
    expected = {"stopLoss": {"fraction": 0.02}, "feeRate": 0.003, "direction": "DIRECTION_SHORT_ONLY"}
    assert request.spec.execution == ParseDict(expected, Execution())


def test_a_high_cost_with_a_unit_is_allowed_in_a_range() -> None:
    request = request_of("period=5,7", fee="0.1%,3%")
    assert request.spec.execution.allow_high_costs
    assert not any(value.allow_high_costs for value in request.execution_ranges[0].values)


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        ({"stop_loss": "1%,,2%"}, "--stop-loss: a value is missing in '1%,,2%': commas stand between two"),
        ({"stop_loss": "1%..2atr"}, "--stop-loss: '1%..2atr' has different units: % and atr"),
        ({"stop_loss": "0.01..0.02"}, "--stop-loss: 0.01..0.02 needs a step, as in 0.01..0.02:0.5"),
        ({"stop_loss": "5,x"}, "--stop-loss: 'x' is not a distance like 5%, 0.05 or 2atr"),
        ({"fee": "none,1bps"}, "--fee: cannot be none: only stops can"),
        ({"direction": "long,up"}, "--direction: 'up' is not one of long, short, long-short"),
        ({"size_amount": "5,many"}, "--size-amount: 'many' is not a number"),
        ({"atr_period": "5,5.5"}, "--atr-period: '5.5' is not a whole number"),
    ],
)
def test_a_value_of_an_option_that_cannot_be_read_names_the_option(
    options: dict[str, Any], fault: str
) -> None:
    with pytest.raises(InvalidInput) as caught:
        request_of("period=5,7", **options)
    assert str(caught.value).startswith(fault)


def test_a_placeholder_with_one_value_is_a_range_of_one() -> None:
    strategy = StrategyOptions("rules", ["n=5..7", "low=30"], "rsi({n}) < {low}")
    request = sweep_request(
        *(strategy, CandleOptions(), ExecutionOptions()),
        metric="sharpe_ratio",
        top=20,
        split=None,
        folds=None,
        options=RunOptions(),
    )
    assert {one.name: [value.number_value for value in one.values] for one in request.ranges} == {
        "n": [5, 6, 7],
        "low": [30],
    }
