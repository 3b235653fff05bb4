"""What is equal on paper is equal: comparisons of series of few price levels, against exact fractions.

A price is the decimal that somebody wrote. Square roots are taken to 150 digits.
"""

from decimal import Decimal, localcontext
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from backcast_engine.candles import Candles
from backcast_engine.rules import Evaluation
from backcast_engine.rules.exact import ExactValues
from backcast_engine.rules.nodes import CLOSE, HIGH, LOW, OPEN, VOLUME, Number, call
from backcast_engine.strategies.ma_cross import MaCross

from . import exact_indicators as exact
from .inputs import run

pytestmark = pytest.mark.slow

# Closes like those of the seen case, which went from 0.00002871 to 0.00003345, in steps of 1e-8. The last 20
# and all 50 have a mean of 3,096.4 steps.
# fmt: off
SEEN = [
    3100, 3101, 3100, 3099, 3100, 3099, 3099, 3099, 3098, 3098, 3097, 3096, 3095, 3095, 3096, 3097, 3096,
    3097, 3096, 3095, 3094, 3095, 3095, 3094, 3093, 3093, 3094, 3093, 3094, 3094, 3097, 3096, 3095, 3095,
    3096, 3096, 3096, 3096, 3097, 3098, 3099, 3098, 3098, 3098, 3097, 3096, 3096, 3095, 3095, 3094,
]
# fmt: on


def candles_at(opens, highs, lows, closes, volumes=None) -> Candles:
    columns = [np.array(column, np.float64) for column in (opens, highs, lows, closes, volumes or closes)]
    return Candles(3_600 * np.arange(len(closes), dtype=np.int64), *columns)


def closes_at(closes) -> Candles:
    return candles_at(closes, closes, closes, closes)


def written(column):
    """Return the decimals that were written for float64 values."""
    return [Fraction(repr(value)) for value in column.tolist()]


def holds(condition, candles):
    return Evaluation(candles).condition(condition).tolist()


# The definitions, of columns of fractions with None where they are undefined


def defined(of, *columns):
    """Apply a definition behind the last undefined value at the beginning of the columns."""
    start = max(next((t for t, x in enumerate(column) if x is not None), len(column)) for column in columns)
    return [None] * start + of(*(column[start:] for column in columns))


def pointwise(of, *columns):
    return [None if None in row else of(*row) for row in zip(*columns, strict=True)]


def deviation(values, period):
    found: list[Any] = []
    for window in exact.windows(values, period):
        if window is None:
            found.append(None)
            continue
        mean = Fraction(sum(window)) / period
        variance = sum((value - mean) ** 2 for value in window) / period
        with localcontext(prec=150):
            root = (Decimal(variance.numerator) / variance.denominator).sqrt()
        found.append(Fraction(root))
    return found


def band(close, period, width):
    return pointwise(
        lambda m, d: m + width * d, defined(lambda c: exact.sma(c, period), close), deviation(close, period)
    )


def true_range(high, low, close):
    return [
        None,
        *(
            max(high[t] - low[t], abs(high[t] - close[t - 1]), abs(low[t] - close[t - 1]))
            for t in range(1, len(close))
        ),
    ]


def shift(values, n):
    return ([None] * n + values)[: len(values)]


P = st.integers(1, 12)
WIDTHS = st.sampled_from([0.01, 0.5, 1.0, 2.0])


@st.composite
def series(draw):
    """Draw an expression, and a function from columns of fractions (by name) to its exact values."""
    p, q, m = draw(P), draw(P), draw(st.integers(2, 12))
    width = draw(WIDTHS)
    factor = draw(st.sampled_from([0.1, 1.1, 3.0, -0.7]))
    exact_width, exact_factor = Fraction(repr(width)), Fraction(repr(factor))
    difference = call("subtract", CLOSE, OPEN)
    return draw(
        st.sampled_from(
            [
                (CLOSE, lambda c: c["close"]),
                (call("sma", CLOSE, p), lambda c: exact.sma(c["close"], p)),
                (call("sma", VOLUME, p), lambda c: exact.sma(c["volume"], p)),
                (call("wma", CLOSE, p), lambda c: exact.wma(c["close"], p)),
                (OPEN, lambda c: c["open"]),
                (call("highest", HIGH, p), lambda c: exact.highest(c["high"], p)),
                (call("lowest", LOW, p), lambda c: exact.lowest(c["low"], p)),
                (call("shift", call("sma", CLOSE, p), q), lambda c: shift(exact.sma(c["close"], p), q)),
                (
                    call("sma", difference, p),
                    lambda c: exact.sma(pointwise(lambda a, b: a - b, c["close"], c["open"]), p),
                ),
                (
                    call("subtract", CLOSE, call("sma", CLOSE, p)),
                    lambda c: pointwise(lambda a, b: a - b, c["close"], exact.sma(c["close"], p)),
                ),
                (
                    call("negate", call("multiply", factor, call("wma", CLOSE, p))),
                    lambda c: pointwise(lambda a: -exact_factor * a, exact.wma(c["close"], p)),
                ),
                (
                    call("add", call("sma", CLOSE, p), call("multiply", factor, call("sma", CLOSE, q))),
                    lambda c: pointwise(
                        lambda a, b: a + exact_factor * b, exact.sma(c["close"], p), exact.sma(c["close"], q)
                    ),
                ),
                (
                    call("divide", CLOSE, call("sma", CLOSE, p)),
                    lambda c: pointwise(lambda a, b: a / b, c["close"], exact.sma(c["close"], p)),
                ),
                (
                    call("sma", call("wma", CLOSE, p), q),
                    lambda c: defined(lambda x: exact.sma(x, q), exact.wma(c["close"], p)),
                ),
                (
                    call("highest", call("sma", CLOSE, p), q),
                    lambda c: defined(lambda x: exact.highest(x, q), exact.sma(c["close"], p)),
                ),
                (
                    call("lowest", call("sma", CLOSE, p), q),
                    lambda c: defined(lambda x: exact.lowest(x, q), exact.sma(c["close"], p)),
                ),
                (call("momentum", CLOSE, p), lambda c: exact.momentum(c["close"], p)),
                (call("roc", CLOSE, p), lambda c: exact.roc(c["close"], p)),
                (
                    call("sma", call("roc", CLOSE, p), q),
                    lambda c: defined(lambda x: exact.sma(x, q), exact.roc(c["close"], p)),
                ),
                (
                    call("sma", call("true_range", HIGH, LOW, CLOSE), p),
                    lambda c: defined(lambda x: exact.sma(x, p), true_range(c["high"], c["low"], c["close"])),
                ),
                (call("stddev", CLOSE, m), lambda c: deviation(c["close"], m)),
                (
                    call("bollinger_lower", CLOSE, m, width),
                    lambda c: band(c["close"], m, -exact_width),
                ),
                (
                    call("bollinger_upper", CLOSE, m, width),
                    lambda c: band(c["close"], m, exact_width),
                ),
                (
                    call("stochastic_k", HIGH, LOW, CLOSE, p, q),
                    lambda c: exact.stochastic_k(c["high"], c["low"], c["close"], p, q),
                ),
                (
                    call("stochastic_d", HIGH, LOW, CLOSE, p, q, m),
                    lambda c: defined(
                        lambda k: exact.sma(k, m), exact.stochastic_k(c["high"], c["low"], c["close"], p, q)
                    ),
                ),
            ]
        )
    )


@st.composite
def few_levels(draw):
    """Draw 30 to 60 candles of 8 to 12 price levels: of any magnitude, in steps of few digits."""
    decimals = draw(st.integers(0, 12))
    step = draw(st.sampled_from([1, 5, 25]))
    level = draw(st.one_of(st.integers(1, 50), st.integers(1, 10**7), st.integers(1, 10**12)))
    top = draw(st.integers(7, 11))
    prices = st.lists(st.integers(0, top), min_size=4, max_size=4)
    rows = draw(st.lists(prices, min_size=30, max_size=60))
    if draw(st.booleans()):
        # A price that stands still.
        rows[10:25] = [rows[10]] * 15
    values = [[float(f"{level + step * tick}e-{decimals}") for tick in row] for row in rows]
    return candles_at(
        [row[0] for row in values],
        [max(row) for row in values],
        [min(row) for row in values],
        [row[1] for row in values],
        [row[2] for row in values],
    )


def order(left, right):
    """Return -1, 0, 1 or None at each candle; roots of 150 digits are equal where 100 of them are."""
    signs: list[int | None] = []
    for a, b in zip(left, right, strict=True):
        if a is None or b is None:
            signs.append(None)
        elif abs(a - b) * 10**100 <= max(abs(a), abs(b)):
            signs.append(0)
        else:
            signs.append(1 if a > b else -1)
    return signs


COMPARISONS = {
    "less": lambda sign: sign < 0,
    "less_equal": lambda sign: sign <= 0,
    "greater": lambda sign: sign > 0,
    "greater_equal": lambda sign: sign >= 0,
}


def truths(name, signs):
    """Return what a comparison is at each candle: true, false or None."""
    return [None if sign is None else COMPARISONS[name](sign) for sign in signs]


def crossings(signs, above):
    now = truths("greater" if above else "less", signs)
    before = [None, *truths("less_equal" if above else "greater_equal", signs)[:-1]]
    both = []
    for first, second in zip(now, before, strict=True):
        if first is False or second is False:
            both.append(False)
        else:
            both.append(None if None in (first, second) else True)
    return both


def assert_compares_as(candles, left, right, signs):
    expected = {name: truths(name, signs) for name in COMPARISONS}
    expected |= {"crosses_above": crossings(signs, True), "crosses_below": crossings(signs, False)}
    evaluation = Evaluation(candles)
    for name, truth in expected.items():
        condition = call(name, left, right)
        assert evaluation.condition(condition).tolist() == [value is True for value in truth], name
        opposite = evaluation.condition(call("not", condition)).tolist()
        assert opposite == [value is False for value in truth], f"not {name}"


@settings(max_examples=500)
@given(candles=few_levels(), left=series(), right=series(), number=st.integers(0, 59))
def test_comparisons_are_those_of_fractions(candles, left, right, number):
    columns = {name: written(getattr(candles, name)) for name in ("open", "high", "low", "close", "volume")}
    (first, first_values), (second, second_values) = left, right
    ours, theirs = first_values(columns), second_values(columns)
    signs = order(ours, theirs)
    assert_compares_as(candles, first, second, signs)
    # And with a number: one that a series has somewhere, as far as a float64 can be it.
    value = ours[number % len(ours)]
    if value is not None and Fraction(repr(float(value))) == value:
        level = Number(float(value))
        signs = order(ours, [value] * len(ours))
        assert_compares_as(candles, first, level, signs)
    event(f"ties: {0 in signs}")


def test_the_averages_of_the_seen_case_are_equal_where_they_are_on_paper():
    candles = closes_at([float(f"{ticks}e-8") for ticks in SEEN])
    assert 5 * sum(SEEN[-20:]) == 2 * sum(SEEN)
    fast, slow = call("sma", CLOSE, 20), call("sma", CLOSE, 50)
    for condition in (fast > slow, fast < slow):
        assert not holds(condition, candles)[-1]
    for name in ("less_equal", "greater_equal"):
        assert holds(call(name, fast, slow), candles)[-1]


def test_a_tie_trades_nothing():
    closes = [float(f"{ticks}e-8") for ticks in [*SEEN, SEEN[-1], SEEN[-1]]]
    # One tick more, and the faster average is above.
    for last, trades in ((closes[49], 0), (float(f"{SEEN[49] + 1}e-8"), 1)):
        closes[49] = last
        result = run(closes_at(closes[:51]), MaCross(20, 50))
        assert len(result.trades) == trades


# True differences


@pytest.mark.parametrize(
    "values",
    [
        # 15 digits, and one tick more in the last candle.
        [123_456_789.012345] * 99 + [123_456_789.012346],
        # Beyond what a float64 distinguishes after a division by 20 or 50.
        [999_999_999_999_998.0] * 99 + [999_999_999_999_999.0],
        # No decimals of few digits: neighbours among the float64 values.
        [0.30000000000000004] * 99 + [0.3000000000000001],
        [1e-310] * 99 + [1.0000000000001e-310],
        [1e300] * 99 + [1.0000000000000002e300],
    ],
)
@pytest.mark.parametrize("average", ["sma", "wma"])
def test_the_smallest_difference_is_one(values, average):
    fast, slow = call(average, CLOSE, 20), call(average, CLOSE, 50)
    rises, falls = closes_at(values), closes_at([values[-1]] * 99 + [values[0]])
    for above, below, candles in ((fast, slow, rises), (slow, fast, falls), (CLOSE, fast, rises)):
        assert holds(above > below, candles) == [False] * 99 + [True]
        assert not any(holds(above < below, candles))
        assert holds(call("crosses_above", above, below), candles) == [False] * 99 + [True]


@settings(max_examples=100)
@given(seed=st.integers(0, 2**32), left=series(), right=series())
def test_noise_compares_as_fractions_do(seed, left, right):
    rng = np.random.default_rng(seed)
    # Some neighbours among the float64 values, and some that stand still.
    closes = 0.1 * (1 + 2.0**-52 * rng.integers(0, 5, 40))
    other = rng.permutation(closes)
    candles = candles_at(other, np.maximum(closes, other), np.minimum(closes, other), closes, other.tolist())
    columns = {name: written(getattr(candles, name)) for name in ("open", "high", "low", "close", "volume")}
    signs = order(left[1](columns), right[1](columns))
    assert_compares_as(candles, left[0], right[0], signs)


def test_differences_and_products_of_decimals_are_those_on_paper():
    candles = candles_at([0.3, 0.3], [0.4, 0.4], [0.2, 0.2], [0.4, 0.4])
    # 0.4 - 0.3 is 0.10000000000000003 in float64, and 3 * 0.1 is 0.30000000000000004.
    assert not any(holds(call("subtract", CLOSE, OPEN) > 0.1, candles))
    assert all(holds(call("greater_equal", call("subtract", CLOSE, OPEN), 0.1), candles))
    assert not any(holds(call("multiply", 3, call("subtract", CLOSE, OPEN)) > OPEN, candles))
    assert not any(holds(call("add", 0.1, 0.2) > 0.3, candles))
    assert holds(call("momentum", CLOSE, 1) > 0, candles) == [False, False]


def test_nothing_is_divided_by_what_is_zero_on_paper():
    candles = candles_at([0.3, 0.3], [0.4, 0.4], [0.2, 0.2], [0.4, 0.4])
    # In float64 it is 2.8e-17, and the ratio 1.4e16.
    ratio = call("divide", CLOSE, call("subtract", call("subtract", CLOSE, OPEN), 0.1))
    for condition in (ratio > 0, ratio < 0, call("greater_equal", ratio, 0)):
        assert not any(holds(condition, candles))
        assert not any(holds(call("not", condition), candles))


# Nothing later has a say


@settings(max_examples=150)
@given(
    candles=few_levels(),
    left=series(),
    right=series(),
    later=st.sampled_from([1e12, 1e-300, 0.30000000000000004, 5e-324, 1e300, 0.0]),
)
def test_later_prices_of_any_kind_change_nothing(candles, left, right, later):
    longer = Candles(
        np.append(candles.open_time_s, candles.open_time_s[-1] + 3_600),
        *(np.append(column, later) for column in candles.columns()[1:]),
    )
    for name in ("less", "less_equal", "crosses_above"):
        condition = call(name, left[0], right[0])
        assert holds(condition, longer)[:-1] == holds(condition, candles)


def test_a_price_that_stands_still_for_years_is_compared_once(monkeypatch):
    compared = []
    plain = ExactValues._order

    def counted(self, left, right, at):
        compared.append(len(at))
        return plain(self, left, right, at)

    monkeypatch.setattr(ExactValues, "_order", counted)
    candles = closes_at([1.1] * 50 + [1.2] * 20_000 + [1.3] * 20_000)
    assert not any(holds(call("sma", CLOSE, 20) < call("sma", CLOSE, 50), candles))
    assert sum(compared) < 200
