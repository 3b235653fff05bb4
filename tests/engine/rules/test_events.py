"""Functions of conditions, of the time, and of one candle, the z-score and the weighted average, by hand."""

import math
from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backcast_engine.candles import VALUE_COLUMNS
from backcast_engine.interval import Interval
from backcast_engine.rules import Evaluation
from backcast_engine.rules.parse import parse
from backcast_engine.rules.signature import ValueKind
from tests.engine.inputs import make_candles, real_candles
from tests.engine.random_inputs import histories

CLOSES = make_candles([1.0, 2, 3, 2, 1, 4])
CANDLES = real_candles("BTCUSDT")[:2_000]


def values(line, candles=CLOSES):
    found = Evaluation(candles).series(parse(line, "it", ValueKind.SERIES))
    return [None if np.isnan(value) else value for value in found.tolist()]


def holds(line, candles=CLOSES):
    return Evaluation(candles).condition(parse(line, "it")).tolist()


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("bars_since(close == 3)", [None, None, 0, 1, 2, 3]),
        ("bars_since(close < 2)", [0, 1, 2, 3, 0, 1]),
        ("bars_since(close > 9)", [None] * 6),
        ("value_when(close > 2, close * 10)", [None, None, 30, 30, 30, 40]),
        ("value_when(close == 3, close[3])", [None] * 6),
        ("count(close > 1, 3)", [None, None, 2, 3, 2, 2]),
        ("count(close[1] > 1, 2)", [None, None, 1, 2, 2, 1]),
        ("count(close > 1, 7)", [None] * 6),
        ("abs(close - 3)", [2, 1, 0, 1, 2, 1]),
        ("min(close, 2)", [1, 2, 2, 2, 1, 2]),
        ("max(close, close[1])", [None, 2, 3, 3, 2, 4]),
        ("sign(close - 2)", [-1, 0, 1, 0, -1, 1]),
        ("log(close - 1)", [None, 0, math.log(2), 0, None, math.log(3)]),
        ("sqrt(close - 2)", [None, 0, 1, 0, None, math.sqrt(2)]),
        ("exp(close * 0)", [1] * 6),
        ("exp(close * 1000)", [None] * 6),
        ("round(close / 2)", [0, 1, 2, 1, 0, 2]),
        ("zscore(2)", [None, 1, 1, -1, -1, 1]),
        ("zscore(close * 0, 2)", [None] * 6),
        ("vwap(2)", [None, 1.5, 2.5, 2.5, 1.5, 2.5]),
        ("vwap(close, close, close, volume * 0, 2)", [None] * 6),
    ],
)
def test_a_function_has_the_values_that_it_says(line, expected):
    assert values(line) == expected


def test_equal_and_unequal_are_opposites_where_both_sides_are_defined():
    assert holds("close == 2") == [False, True, False, True, False, False]
    assert holds("close != 2") == holds("not close == 2") == [True, False, True, False, True, True]
    for line in ("close == 1 / 0", "close != 1 / 0", "not close == 1 / 0", "not close != 1 / 0"):
        assert holds(line) == [False] * 6


def test_equality_is_that_on_paper():
    candles = make_candles([0.3, 0.1 + 0.2, 0.7])
    assert holds("close * 3 == 0.9", make_candles([0.3, 0.4])) == [True, False]
    assert holds("abs(close - 0.4) == 0.1", make_candles([0.3, 0.5, 0.6])) == [True, True, False]
    assert holds("max(close - 0.2, 0) == 0.1", make_candles([0.3, 0.5])) == [True, False]
    assert values("sign(close * 3 - 0.9)", make_candles([0.3, 0.4])) == [0, 1]
    assert len(candles) == 3


def test_the_time_is_that_of_the_opening_in_utc():
    times = [datetime.fromtimestamp(second, UTC) for second in CANDLES.open_time_s.tolist()]
    assert values("hour", CANDLES) == [time.hour for time in times]
    assert values("weekday", CANDLES) == [time.isoweekday() for time in times]
    assert values("day_of_month", CANDLES) == [time.day for time in times]


def test_the_time_varies_and_reads_no_column():
    node = parse("sma(hour, 3) > 2 and value_when(weekday == 1, close) > 1", "it")
    assert Evaluation(CANDLES).condition(node).any()
    assert VALUE_COLUMNS


@pytest.mark.parametrize(
    "line",
    [
        "bars_since(close > sma(3))",
        "value_when(rsi(3) < 40, high)",
        "count(close > open, 4)",
        "zscore(5)",
        "vwap(4)",
        "sign(close - open) * hour + weekday - day_of_month",
        "log(close) + sqrt(volume) + round(close) + exp(0 - close) + abs(open) + min(high, 3) + max(low, 2)",
    ],
)
@settings(max_examples=40)
@given(candles=histories(Interval.HOUR_1), data=st.data())
def test_the_future_changes_nothing(line, candles, data):
    node = parse(line, "it", ValueKind.SERIES)
    length = data.draw(st.integers(1, len(candles)))
    whole, beginning = (Evaluation(part).series(node) for part in (candles, candles[:length]))
    assert whole[:length].tobytes() == beginning.tobytes()
    assert not np.isinf(whole).any()
