"""Indicators give TA-Lib's values, at the same indices, to 1e-9 relative."""

import numpy as np
import pytest
import talib
from hypothesis import given, settings
from hypothesis import strategies as st

from backcast_engine import indicators
from backcast_engine.candles import Candles

from .indicator_cases import walk
from .inputs import real_candles

SYMBOLS = ["BTCUSDT", "ETHUSDT", "DOGEUSDT", "MATICUSDT"]


def assert_close(ours, expected, scale=0.0):
    """Equal to 1e-9 relative, with values at the same indices.

    `scale`: the size of what TA-Lib subtracts from each other, where a difference may be far smaller.
    """
    np.testing.assert_allclose(ours, expected, rtol=1e-9, atol=1e-14 * scale, equal_nan=True)


def assert_windows_as_talib(candles, period):
    close, level = candles.close, candles.close.max()
    assert_close(indicators.wma(close, period), talib.WMA(close, period))
    assert_close(indicators.momentum(close, period), talib.MOM(close, period))
    # TA-Lib subtracts 1 from a quotient.
    assert_close(indicators.roc(close, period), talib.ROC(close, period), scale=1e4)
    assert indicators.highest(close, period).tobytes() == talib.MAX(close, period).tobytes()
    assert indicators.lowest(close, period).tobytes() == talib.MIN(close, period).tobytes()
    lower, upper = indicators.donchian_channel(candles.high, candles.low, period)
    assert lower.tobytes() == talib.MIN(candles.low, period).tobytes()
    assert upper.tobytes() == talib.MAX(candles.high, period).tobytes()
    # The variance of TA-Lib is the difference of two running sums of squares: of the size of the price.
    ours, theirs = indicators.stddev(close, period), talib.STDDEV(close, period)
    np.testing.assert_allclose(ours**2, theirs**2, rtol=1e-9, atol=1e-10 * level**2)


def assert_ranges_as_talib(candles, period):
    prices = candles.high, candles.low, candles.close
    assert_close(indicators.true_range(*prices), talib.TRANGE(*prices))
    atr = talib.ATR(*prices, period)
    assert_close(indicators.atr(*prices, period), atr)
    middle = talib.EMA(candles.close, period + 3)
    lower, ours, upper = indicators.keltner_channel(*prices, period + 3, period, 2.5)
    assert_close(ours, middle)
    assert_close(lower, middle - 2.5 * atr, scale=candles.close.max())
    assert_close(upper, middle + 2.5 * atr)


def assert_macd_as_talib(close, fast, slow, signal):
    ours = indicators.macd(close, fast, slow, signal)
    begins = slow + signal - 2
    for column, theirs in zip(ours, talib.MACD(close, fast, slow, signal), strict=True):
        assert_close(column[begins:], theirs[begins:], scale=100 * close.max())
        assert np.isnan(theirs[:begins]).all()
    line, average, histogram = ours
    # TA-Lib hides the line until the signal begins; ours begins with the slow average.
    assert np.isnan(line[: slow - 1]).all()
    assert not np.isnan(line[slow - 1 :]).any()
    assert np.isnan(average[:begins]).all()
    assert histogram.tobytes() == (line - average).tobytes()


def assert_stochastic_as_talib(candles, period, smoothing, d_period):
    prices = candles.high, candles.low, candles.close
    k = indicators.stochastic_k(*prices, period, smoothing)
    ours = k, indicators.sma(k, d_period)
    begins = period + smoothing + d_period - 3
    for column, theirs in zip(ours, talib.STOCH(*prices, period, smoothing, 0, d_period, 0), strict=True):
        # TA-Lib's running sums leave some 1e-13 of what was up to 100.
        assert_close(column[begins:], theirs[begins:], scale=1_000)


@pytest.mark.parametrize("symbol", SYMBOLS)
@pytest.mark.parametrize("period", [2, 14, 50, 200])
def test_averages_of_real_candles_are_those_of_talib(symbol, period):
    assert_windows_as_talib(real_candles(symbol), period)


@pytest.mark.parametrize("symbol", SYMBOLS)
@pytest.mark.parametrize("period", [2, 14, 50, 200])
def test_ranges_of_real_candles_are_those_of_talib(symbol, period):
    assert_ranges_as_talib(real_candles(symbol), period)


@pytest.mark.parametrize("symbol", SYMBOLS)
@pytest.mark.parametrize("parameters", [(12, 26, 9), (2, 3, 2), (50, 200, 30)], ids=str)
def test_macd_of_real_candles_is_that_of_talib(symbol, parameters):
    assert_macd_as_talib(real_candles(symbol).close, *parameters)


@pytest.mark.parametrize("symbol", SYMBOLS)
@pytest.mark.parametrize("parameters", [(14, 3, 3), (5, 1, 2), (100, 10, 20)], ids=str)
def test_stochastic_of_real_candles_is_that_of_talib(symbol, parameters):
    candles = real_candles(symbol)
    room = indicators.highest(candles.high, parameters[0]) - indicators.lowest(candles.low, parameters[0])
    assert not (room == 0).any(), "TA-Lib's 0 and our 50 differ there"
    assert_stochastic_as_talib(candles, *parameters)


def random_candles(seed, length, level):
    rng = np.random.default_rng(seed)
    close = walk(seed, length, level)
    opened = close * np.exp(rng.normal(0, 0.01, length))
    high = np.maximum(opened, close) * np.exp(rng.exponential(0.005, length))
    low = np.minimum(opened, close) * np.exp(-rng.exponential(0.005, length))
    return Candles(3_600 * np.arange(length), opened, high, low, close, np.ones(length))


@settings(max_examples=60)
@given(
    seed=st.integers(0, 2**32),
    length=st.integers(2, 400),
    period=st.integers(2, 60),
    others=st.tuples(st.integers(1, 20), st.integers(1, 20)),
    level=st.sampled_from([1e-3, 1.0, 3e4, 1e9]),
)
def test_indicators_of_any_random_candles_are_those_of_talib(seed, length, period, others, level):
    candles = random_candles(seed, length, level)
    assert_windows_as_talib(candles, period)
    assert_ranges_as_talib(candles, period)
    assert_macd_as_talib(candles.close, period, period + others[0], others[1])
    assert_stochastic_as_talib(candles, period, *others)
