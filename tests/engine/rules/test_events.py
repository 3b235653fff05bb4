"""Functions of conditions, of the time, and of one candle, the z-score and the weighted average, by hand."""

import itertools
import math
from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backcast_engine.candles import VALUE_COLUMNS
from backcast_engine.errors import InvalidInput
from backcast_engine.interval import Interval
from backcast_engine.rules import Evaluation
from backcast_engine.rules.check import lookback, warmup
from backcast_engine.rules.parse import parse
from backcast_engine.rules.signature import ValueKind
from backcast_engine.rules.text import text
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
        ("vwap_since(close == 2)", [None, 2, 2.5, 2, 1.5, 7 / 3]),
        ("vwap_since(close > 9)", [None] * 6),
        ("vwap_since(close == 3, close, close, close, volume * 0)", [None] * 6),
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
        "tenkan(3) + kijun(5) + senkou_a(3, 5, 4) + senkou_b(8, 4)",
        "vwap(4)",
        "vwap_session()",
        "vwap_since(close > high[1])",
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


def typical_since(candles, begins):
    """The weighted averages in plain Python; `begins` is where one begins, None where it is not known yet."""
    rows, seen, averages = zip(*(column.tolist() for column in candles.columns()), strict=True), None, []
    for starts, (_, _, high, low, close, volume) in zip(begins, rows, strict=True):
        price = (high + low + close) / 3
        seen = [] if starts else seen
        if seen is not None:
            seen.append((price, volume))
        total = sum(weight for _, weight in seen or ())
        averages.append(sum(one * weight for one, weight in seen) / total if total else None)
    return averages


def weighted(candles, data):
    """The candles with volumes that differ, some without any."""
    volumes = data.draw(st.lists(st.sampled_from([0.0, 1.0, 2.5, 100.0]), min_size=1, max_size=7))
    np.copyto(candles.volume, np.resize(volumes, len(candles)))
    return candles


def assert_near(found, expected):
    assert [one is None for one in found] == [one is None for one in expected]
    pairs = zip(found, expected, strict=True)
    assert all(one is None or math.isclose(one, other, rel_tol=1e-9) for one, other in pairs)


@settings(max_examples=60)
@given(candles=histories(Interval.HOUR_1), data=st.data())
def test_the_average_price_of_a_session_begins_with_the_day_in_utc(candles, data):
    candles = weighted(candles, data)[data.draw(st.integers(0, min(30, len(candles) - 1))) :]
    times = [datetime.fromtimestamp(second, UTC) for second in candles.open_time_s.tolist()]
    begins = [times[0].hour == 0]
    begins += [now.date() != before.date() for before, now in itertools.pairwise(times)]
    assert_near(values("vwap_session()", candles), typical_since(candles, begins))


@settings(max_examples=60)
@given(candles=histories(Interval.HOUR_1), data=st.data())
def test_the_average_price_since_an_event_begins_where_it_holds(candles, data):
    candles = weighted(candles, data)
    begins = holds("close > high[1]", candles)
    assert_near(values("vwap_since(close > high[1])", candles), typical_since(candles, begins))


@settings(max_examples=60)
@given(candles=histories(Interval.HOUR_1), data=st.data())
def test_a_session_does_not_depend_on_what_came_before_its_warmup(candles, data):
    node = parse("vwap_session()", "it", ValueKind.SERIES)
    start = data.draw(st.integers(0, len(candles) - 1))
    later = Evaluation(candles[start:]).series(node)
    assert warmup(node) == 23
    assert Evaluation(candles).series(node)[start + 23 :].tobytes() == later[23:].tobytes()


def test_an_undefined_price_ends_an_average_until_it_begins_again():
    line = "vwap_since({}, 1 / (close - 3), close, close, volume)"
    candles = make_candles([1.0, 2, 3, 2, 1, 4])
    third = [(1 / (close - 3) + 2 * close) / 3 for close in (1, 2)]
    undefined_on = values(line.format("close == 1"), candles)
    assert undefined_on == pytest.approx([third[0], sum(third) / 2, None, None, third[0], (third[0] + 3) / 2])


@pytest.mark.parametrize(
    ("line", "same"),
    [
        ("tenkan()", "midprice(9)"),
        ("kijun()", "midprice(26)"),
        ("senkou_a()", "((midprice(9) + midprice(26)) / 2)[26]"),
        ("senkou_b()", "midprice(52)[26]"),
        ("senkou_a(base=7, displacement=3)", "((midprice(9) + midprice(7)) / 2)[3]"),
        ("senkou_b(displacement=5)", "midprice(52)[5]"),
    ],
)
def test_the_lines_of_ichimoku_lie_where_charts_draw_them(line, same):
    found = values(line, CANDLES)
    assert_near(found, values(same, CANDLES))
    node = parse(line, "it", ValueKind.SERIES)
    first = next(t for t, value in enumerate(found) if value is not None)
    assert lookback(node) == warmup(node) == first


def test_the_lines_of_ichimoku_are_equal_where_they_are_on_paper():
    candles = make_candles([0.1, 0.2, 0.6, 0.2])
    assert holds("tenkan(2) == 0.15", candles) == [False, True, False, False]
    assert holds("senkou_a(1, 2, 1) == 0.175", candles) == [False, False, True, False]


def test_long_candles_are_sessions_of_their_own():
    candles = make_candles([1.0, 2, 3], [2.0, 2, 5], interval=Interval.DAY_1)
    assert values("vwap_session()", candles) == values("typprice()", candles)


def test_series_that_are_usually_the_same_are_omitted_after_those_that_are_not():
    short, all_written = "vwap_since(hour == 8)", "vwap_since(hour == 8, high, low, close, volume)"
    node = parse(short, "it", ValueKind.SERIES)
    assert node == parse(all_written, "it", ValueKind.SERIES)
    assert text(node) == short
    other = "vwap_since(hour == 8, high, low, open, volume)"
    assert text(parse(other, "it", ValueKind.SERIES)) == other
    for line in ("vwap_since()", "vwap_since(hour == 8, high)"):
        with pytest.raises(InvalidInput, match="cannot be called with"):
            parse(line, "it", ValueKind.SERIES)
