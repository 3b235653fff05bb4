"""Indicators give TA-Lib's values, stay exact where prices are hostile, and never drift."""

import random
import statistics

import numpy as np
import pytest
import talib
from hypothesis import given, settings
from hypothesis import strategies as st

from backcast_engine.indicators import ema, rsi, sma, stddev

from .indicator_cases import HOSTILE, bollinger_bands, walk
from .inputs import real_candles

SYMBOLS = ["BTCUSDT", "ETHUSDT", "DOGEUSDT", "MATICUSDT"]


def assert_close(ours, expected):
    """Equal to 1e-9 relative, with values at the same indices."""
    np.testing.assert_allclose(ours, expected, rtol=1e-9, atol=0, equal_nan=True)


def assert_as_talib(close, period):
    assert_close(rsi(close, period), talib.RSI(close, period))
    assert_close(sma(close, period), talib.SMA(close, period))
    assert_close(ema(close, period), talib.EMA(close, period))
    for width in (2.0, 0.5):
        lower, middle, upper = bollinger_bands(close, period, width)
        talib_upper, talib_middle, talib_lower = talib.BBANDS(close, period, width, width)
        assert_close(lower, talib_lower)
        assert_close(middle, talib_middle)
        assert_close(upper, talib_upper)


@pytest.mark.parametrize("symbol", SYMBOLS)
@pytest.mark.parametrize("period", [2, 14, 20, 50, 200])
def test_indicators_of_real_candles_are_those_of_talib(symbol, period):
    assert_as_talib(real_candles(symbol).close, period)


@settings(max_examples=100)
@given(
    seed=st.integers(0, 2**32),
    length=st.integers(2, 400),
    period=st.integers(2, 60),
    level=st.sampled_from([1e-3, 1.0, 3e4, 1e9]),
)
def test_indicators_of_random_candles_are_those_of_talib(seed, length, period, level):
    assert_as_talib(walk(seed, length, level), period)


# Lengths


@pytest.mark.parametrize("length", [0, 1, 2, 13])
def test_series_shorter_than_the_period_have_no_value(length):
    close = walk(1, length)
    columns = [rsi(close, 14), sma(close, 14), ema(close, 14), *bollinger_bands(close, 14, 2.0)]
    for column in columns:
        assert column.shape == (length,)
        assert np.isnan(column).all()


def test_the_first_value_is_as_early_as_it_can_be():
    close = walk(2, 15)
    assert np.flatnonzero(~np.isnan(rsi(close, 14))).tolist() == [14]
    for column in (sma(close, 14), ema(close, 14), *bollinger_bands(close, 14, 2.0)):
        assert np.flatnonzero(~np.isnan(column)).tolist() == [13, 14]


def test_an_average_of_one_candle_is_that_candle():
    close = walk(3, 50)
    assert sma(close, 1).tolist() == close.tolist()
    assert ema(close, 1) == pytest.approx(close, rel=1e-15)


def test_indicators_are_what_a_hand_calculation_gives():
    # EMA of 3: weight 1/2, seed (1 + 2 + 6) / 3 = 3, then (3 + 5) / 2 = 4, then (4 + 10) / 2 = 7.
    assert ema(np.array([1.0, 2, 6, 5, 10]), 3)[2:] == pytest.approx([3, 4, 7], rel=1e-15)
    # RSI of 2: changes +3, -1, +2. Averages: gain 3/2, loss 1/2: 75. Then gain (3/2 + 2) / 2 = 7/4,
    # loss 1/4: 100 * 7/8 = 87.5.
    assert rsi(np.array([10.0, 13, 12, 14]), 2)[2:] == pytest.approx([75, 87.5], rel=1e-15)
    # Mean of 2, 4, 4, 4, 5, 5, 7, 9 is 5, their population standard deviation 2.
    lower, middle, upper = bollinger_bands(np.array([2.0, 4, 4, 4, 5, 5, 7, 9]), 8, 1.5)
    assert (lower[-1], middle[-1], upper[-1]) == pytest.approx((2, 5, 8), rel=1e-15)


# Edges of the RSI


@pytest.mark.parametrize("price", [0.1, 1.0, 1e-9, 43_210.98])
def test_rsi_without_movement_is_neutral(price):
    values = rsi(np.full(100, price), 14)
    assert np.isnan(values[:14]).all()
    assert values[14:].tolist() == [50.0] * 86


def test_rsi_of_a_rise_is_100_and_of_a_fall_0():
    # Not 100.00000000000001: that is above an `overbought` of 100.
    rise = 100 + np.cumsum(np.random.default_rng(4).random(1_000))
    assert set(rsi(rise, 14)[14:].tolist()) == {100.0}
    assert set(rsi(rise[::-1].copy(), 14)[14:].tolist()) == {0.0}


def test_an_rsi_that_begins_without_movement_is_neutral_first():
    values = rsi(np.array([5.0] * 20 + [6.0] + [6.0] * 5), 14)
    assert set(values[14:20].tolist()) == {50.0}
    assert set(values[20:].tolist()) == {100.0}


# Exactness, and no drift


def assert_exact(values, period, ends):
    """Compare with exact sums; `statistics` computes with fractions."""
    mean, std = sma(values, period), stddev(values, period)
    for end in ends:
        window = values[end - period + 1 : end + 1].tolist()
        assert mean[end] == pytest.approx(statistics.mean(window), rel=1e-12, abs=0), end
        assert std[end] == pytest.approx(statistics.pstdev(window), rel=1e-9, abs=0), end


@pytest.mark.parametrize("period", [2, 3, 20, 137, 300])
@pytest.mark.parametrize("name", [name for name, values in HOSTILE.items() if len(values) == 300])
def test_rolling_mean_and_deviation_are_exact(name, period):
    values = HOSTILE[name]
    # Around every jump, and each third window: exact sums are slow.
    ends = [end for end in range(period - 1, 300) if end % 3 == 0 or 98 < end < 160]
    assert_exact(values, period, ends if period < 100 else ends[::8])


@pytest.mark.parametrize("price", [0.1, 1.1, 8.622530988331503, 1e15 / 3])
def test_averages_of_a_constant_are_that_constant(price):
    # To the last bit: otherwise two averages of a price that stands still would cross.
    close = np.full(300, price)
    assert set(sma(close, 50)[49:].tolist()) == {price}
    assert set(ema(close, 50)[49:].tolist()) == {price}
    lower, middle, upper = bollinger_bands(close, 20, 2.0)
    assert lower[19:].tolist() == middle[19:].tolist() == upper[19:].tolist() == [price] * 281


def test_no_drift_over_a_million_candles():
    # A running sum would keep the rounding errors of the first half: there, prices are 1e12 times higher.
    values = np.concatenate([walk(9, 500_000, 1e12, 1e-4), walk(10, 500_000, 1.0, 1e-4)])
    rng = random.Random(11)
    for period in (20, 1_000):
        ends = [999_999, *(rng.randrange(501_000, 1_000_000) for _ in range(2_000 // period))]
        assert_exact(values, period, ends)


def test_smoothing_forgets_within_a_million_candles():
    values = walk(12, 1_000_000, 1.0, 1e-4)
    assert_close(ema(values, 20)[-1_000:], ema(values[-3_000:], 20)[-1_000:])
    assert_close(rsi(values, 14)[-1_000:], rsi(values[-3_000:], 14)[-1_000:])
