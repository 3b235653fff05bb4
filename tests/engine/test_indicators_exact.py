"""Indicators of hostile series are those of exact arithmetic, also where TA-Lib's are not."""

from fractions import Fraction

import numpy as np
import pytest
import talib

from backcast_engine import indicators

from . import exact_indicators as exact
from .indicator_cases import HOSTILE, walk
from .inputs import make_candles

PERIODS = (2, 14)
# The numbers next to 0 lie 5e-324 apart: what dies out ends within a few of them.
GRID = 14 * 5e-324


def stochastic_k(high, low, close, period):
    return indicators.stochastic_k(high, low, close, period, 3)


# Ours, the definition, and TA-Lib's, of one column.
OF_CLOSE = {
    "sma": (indicators.sma, exact.sma, talib.SMA),
    "ema": (indicators.ema, exact.ema, talib.EMA),
    "wma": (indicators.wma, exact.wma, talib.WMA),
    "stddev": (indicators.stddev, exact.stddev, talib.STDDEV),
    "highest": (indicators.highest, exact.highest, talib.MAX),
    "lowest": (indicators.lowest, exact.lowest, talib.MIN),
    "momentum": (indicators.momentum, exact.momentum, talib.MOM),
    "roc": (indicators.roc, exact.roc, talib.ROC),
    "rsi": (indicators.rsi, exact.rsi, talib.RSI),
    "macd line": (
        lambda close, period: indicators.macd(close, period, period + 5, 1)[0],
        lambda close, period: exact.macd_line(close, period, period + 5),
        lambda close, period: talib.MACD(close, period, period + 5, 1)[0],
    ),
}
OF_CANDLES = {
    "atr": (indicators.atr, exact.atr, talib.ATR),
    "stochastic k": (
        stochastic_k,
        lambda high, low, close, period: exact.stochastic_k(high, low, close, period, 3),
        lambda high, low, close, period: talib.STOCH(high, low, close, period, 3, 0, 1, 0)[0],
    ),
}
INDICATORS = {**OF_CLOSE, **OF_CANDLES}

# Where it is TA-Lib that is off by more than 1e-9, and why.
JUMPS = {"one jump of 1e12", "constant but for a jump", "a step of 1e12"}
SMALL_MOVES = {"moves of 1 at a price of 1e15", "moves of 1e-4 at a price of 1e6"}
STILL = {"constant 0.1", "constant but for a jump", "no movement after a walk"}
TALIB_IS_OFF = {
    # Running sums keep what the jump has rounded away.
    "sma": JUMPS,
    "wma": JUMPS,
    # Squares of 1e-310 are 0.
    "stddev": {"subnormal prices"},
    # A quotient next to 1 has lost the digits of the change.
    "roc": SMALL_MOVES,
    # Without movement it gives 0, where ours is 50; and long after the last one, 50.
    "rsi": {*STILL, "a step of 1e12"},
    # Two averages of one price differ by what rounding makes of them.
    "macd line": {*STILL, *SMALL_MOVES},
    # No room between highest and lowest: 0 (ours is 50). And the running sums of its averages leave up to
    # 1e-14 where the close is the lowest.
    "stochastic k": set(HOSTILE) - {"alternating", "alternating 1e15 and 1e-9", "three candles"},
}


def floats(values):
    return np.array([np.nan if value is None else float(value) for value in values])


def columns_of(name):
    """Return high, low and close of candles that open at the close before and end in the series."""
    close = HOSTILE[name]
    candles = make_candles(np.concatenate((close[:1], close[:-1])), close)
    return candles.high, candles.low, candles.close


def fractions(column):
    return [Fraction(value) for value in column.tolist()]


def agree(column, expected):
    return np.allclose(column, expected, rtol=1e-9, atol=GRID, equal_nan=True)


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("indicator", INDICATORS)
def test_indicators_of_hostile_series_are_exact(name, indicator):
    columns = columns_of(name) if indicator in OF_CANDLES else [HOSTILE[name]]
    ours, definition, talibs = INDICATORS[indicator]
    talib_agrees = []
    for period in PERIODS:
        expected = floats(definition(*map(fractions, columns), period))
        np.testing.assert_allclose(ours(*columns, period), expected, rtol=1e-9, atol=GRID, equal_nan=True)
        talib_agrees.append(agree(talibs(*columns, period), expected))
    assert all(talib_agrees) == (name not in TALIB_IS_OFF.get(indicator, ()))


def test_an_rsi_without_movement_stays_what_it_is():
    # 13/14 to the power of 20,000 is 0 in a float.
    moving, still = walk(13, 200), 20_000
    close = np.concatenate((moving, np.full(still, moving[-1]), moving[-1] - np.arange(1.0, 4)))
    values = indicators.rsi(close, 14)
    assert 1 < values[199] < 99
    assert set(values[199 : 200 + still].tolist()) == {values[199]}
    # Then the price falls, and of the gains before nothing is left.
    assert values[-3:] == pytest.approx([0, 0, 0], abs=1e-300)
    assert talib.RSI(close, 14)[199 + still] == 50


def test_averages_of_a_price_that_stops_become_that_price():
    close = np.concatenate((walk(15, 200), np.full(3_000, 8.622530988331503)))
    fast, slow = indicators.ema(close, 10), indicators.ema(close, 40)
    assert fast[-1_000:].tolist() == slow[-1_000:].tolist() == close[-1_000:].tolist()
    # What is left of the difference has the sign of what it was, and no noise.
    line = indicators.macd(close, 10, 40, 9)[0]
    assert len(set(np.sign(line[-2_990:]).tolist())) == 1


@pytest.mark.parametrize("period", [20, 1_000])
def test_a_weighted_average_does_not_drift_over_a_million_candles(period):
    # A running sum would keep the rounding errors of the first half: there, prices are 1e12 times higher.
    values = np.concatenate((walk(9, 500_000, 1e12, 1e-4), walk(10, 500_000, 1.0, 1e-4)))
    ours, alone = indicators.wma(values, period), indicators.wma(values[-5_000:], period)
    np.testing.assert_allclose(ours[-3_000:], alone[-3_000:], rtol=1e-13)
    expected = exact.wma(fractions(values[-period:]), period)[-1]
    assert ours[-1] == pytest.approx(float(expected), rel=1e-13, abs=0)
    assert np.nanmax(np.abs(talib.WMA(values, period) / ours - 1)) > 1e-6


def test_recursive_indicators_forget_within_a_million_candles():
    close = np.concatenate((walk(16, 500_000, 1e12, 1e-4), walk(17, 500_000, 1.0, 1e-4)))
    high, low = close * 1.0001, close * 0.9999
    end = slice(-5_000, None)
    for whole, alone in [
        (indicators.atr(high, low, close, 14), indicators.atr(high[end], low[end], close[end], 14)),
        (indicators.rsi(close, 14), indicators.rsi(close[end], 14)),
        (indicators.ema(close, 30), indicators.ema(close[end], 30)),
        *zip(indicators.macd(close, 12, 26, 9), indicators.macd(close[end], 12, 26, 9), strict=True),
    ]:
        np.testing.assert_allclose(whole[-3_000:], alone[-3_000:], rtol=1e-9)


def test_indicators_of_prices_of_all_sizes_are_exact():
    # The squares of neither end fit a float beside those of the other.
    values = np.concatenate((walk(18, 60, 1e-300), walk(19, 60, 1e-150), walk(20, 60), walk(21, 60, 1e140)))
    values = np.concatenate((values, values[::-1], np.zeros(40), walk(22, 40, 1e-310)))
    for indicator in ("sma", "wma", "stddev", "ema", "rsi"):
        ours, definition, _ = INDICATORS[indicator]
        for period in PERIODS:
            expected = floats(definition(fractions(values), period))
            np.testing.assert_allclose(ours(values, period), expected, rtol=1e-9, atol=GRID, equal_nan=True)
