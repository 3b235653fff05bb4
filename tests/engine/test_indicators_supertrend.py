"""Supertrend, which TA-Lib does not have, against its definition."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from backcast_engine import indicators
from backcast_engine.interval import Interval

from .inputs import real_candles
from .random_inputs import histories, periods

HOUR = Interval.HOUR_1


def supertrend_by_definition(high, low, close, period, multiple):
    """Write out the bands and the trend, candle by candle."""
    atr = indicators.atr(high, low, close, period)
    line, up = np.full(len(close), np.nan), False
    final_lower, final_upper = -np.inf, np.inf
    for t in range(period, len(close)):
        lower = (high[t] + low[t]) / 2 - multiple * atr[t]
        upper = (high[t] + low[t]) / 2 + multiple * atr[t]
        if close[t - 1] >= final_lower:
            lower = max(lower, final_lower)
        if close[t - 1] <= final_upper:
            upper = min(upper, final_upper)
        final_lower, final_upper = lower, upper
        if up and close[t] < final_lower:
            up = False
        elif not up and close[t] > final_upper:
            up = True
        line[t] = final_lower if up else final_upper
    return line


@settings(max_examples=50)
@given(candles=histories(HOUR), period=periods(1), multiple=st.sampled_from([0.0, 0.5, 1.0, 3.0]))
def test_supertrend_is_its_definition(candles, period, multiple):
    prices = candles.high, candles.low, candles.close
    expected = supertrend_by_definition(*prices, period, multiple)
    np.testing.assert_allclose(indicators.supertrend(*prices, period, multiple), expected, rtol=1e-12)


def test_supertrend_of_real_candles_is_its_definition():
    candles = real_candles("BTCUSDT")
    prices = candles.high, candles.low, candles.close
    line = indicators.supertrend(*prices, 10, 3.0)
    np.testing.assert_allclose(line, supertrend_by_definition(*prices, 10, 3.0), rtol=1e-12)
    up = candles.close > line
    assert 0.4 < up.mean() < 0.6
    assert 500 < np.count_nonzero(np.diff(up)) < 5_000


def test_supertrend_is_what_a_hand_calculation_gives():
    close = np.array([10.0, 10, 10, 9, 11, 13, 10, 8])
    line = indicators.supertrend(close + 1, close - 1, close, 1, 1.0)
    # The true ranges from index 1 on are 2, 2, 2, 3, 3, 4, 3: so the upper bands 12, 12, 11, 14, 16, 14, 11,
    # the lower ones 8, 8, 7, 8, 10, 6, 5. Down, also with a close on 11, until 13 is above 11; up, also with
    # a close on 10, until 8 is below 10.
    assert line[1:].tolist() == [12, 12, 11, 11, 10, 10, 11]


def test_a_supertrend_without_movement_keeps_the_trend():
    flat = np.full(10, 0.1)
    assert indicators.supertrend(flat, flat, flat, 3, 2.0)[3:].tolist() == [0.1] * 7
