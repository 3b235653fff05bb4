"""Ticks are the numbers that they stand for, to the bit, and as few digits as can be."""

import math
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from services.domain.ticks import MAX_SCALE, MAX_TICKS, exact_sums, from_ticks, scale_for, to_ticks

_doubles = st.floats(0, 1e300, allow_subnormal=True)
_quotes = st.builds(
    lambda digits, decimals: float(Decimal(digits).scaleb(-decimals)),
    st.integers(0, 10**15 - 1),
    st.integers(0, 12),
)
_values = st.lists(st.one_of(_quotes, _doubles), min_size=1, max_size=30).map(np.array)


def _decimals(value: float) -> int:
    return max(0, -int(Decimal(repr(value)).normalize().as_tuple().exponent))


@given(values=_values, scale=st.integers(0, MAX_SCALE))
@example(values=np.array([5e-324, 2.2250738585072014e-308, 1.7976931348623157e308, 0.0]), scale=0)
@example(values=np.array([0.17600000000000002, 303.61]), scale=2)
def test_every_double_comes_back_at_any_scale(values, scale):
    assert from_ticks(to_ticks(values, scale), scale).tobytes() == values.tobytes()


@given(values=_values, scale=st.integers(0, 4))
def test_ticks_are_the_decimal_as_an_integer(values, scale):
    for value, ticks in zip(values.tolist(), to_ticks(values, scale).tolist(), strict=True):
        if ticks >= 0:
            assert ticks <= MAX_TICKS
            # The double that the decimal text of the ticks reads as is the value.
            assert float(Fraction(ticks, 10**scale)) == value


@given(
    digits=st.lists(st.integers(0, 10**9), min_size=1, max_size=600),
    decimals=st.integers(0, 6),
)
def test_quotes_of_a_market_are_all_ticks(digits, decimals):
    values = np.array([float(Decimal(each).scaleb(-decimals)) for each in digits])
    scale = scale_for(values)
    assert scale == max(map(_decimals, values.tolist()))
    assert (to_ticks(values, scale) >= 0).all()


def test_one_noisy_value_leaves_the_others_their_ticks():
    values = np.array([303.61, 0.17600000000000002, 1023.4])
    scale = scale_for(values)
    assert scale == 2
    assert (to_ticks(values, scale) >= 0).tolist() == [True, False, True]


def test_a_scale_never_shrinks_nor_outgrows_what_is_stored():
    assert scale_for(np.array([1.0]), 5) == 5
    assert scale_for(np.array([1.2345]), 2, largest_ticks=10**6) == 4
    # The stored 9·10^13 can have two decimals more, not three.
    assert scale_for(np.array([0.12345]), 0, largest_ticks=90 * 10**12) == 0
    assert scale_for(np.array([0.12]), 0, largest_ticks=90 * 10**12) == 2


def test_a_negative_zero_is_zero():
    assert to_ticks(np.array([-0.0]), 3).tolist() == [0]


@given(values=_values, data=st.data())
def test_sums_are_of_decimals_and_rounded_once(values, data):
    cuts = data.draw(st.sets(st.integers(1, len(values)), max_size=5)) - {len(values)}
    starts = np.array(sorted({0, *cuts}))
    expected = [
        float(sum(Fraction(repr(value)) for value in group.tolist()))
        for group in np.split(values, starts[1:])
    ]
    assert exact_sums(values, starts).tolist() == expected


@pytest.mark.parametrize("count", [1, 168, 5000])
def test_sums_have_no_noise(count):
    assert exact_sums(np.full(count, 0.1), np.array([0])).tolist() == [count / 10]
    assert math.isclose(exact_sums(np.full(count, 1e300), np.array([0]))[0], count * 1e300)


def test_sums_of_decimals_are_exact_beside_noise() -> None:
    # The noise asks for 14 decimals, at which 41.26483 can be read as 4126483000000001 ticks too.
    values = np.array([0.12345678901234, 41.26483, 32.09537, 13.4988])
    assert exact_sums(values, np.array([0, 1])).tolist() == [0.12345678901234, 86.859]
