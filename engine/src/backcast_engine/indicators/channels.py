"""Channels around the price: Donchian's and Keltner's."""

from backcast_engine.candles import PriceColumn
from backcast_engine.indicators.atr import atr
from backcast_engine.indicators.moving_average import ema
from backcast_engine.indicators.offset import offset
from backcast_engine.indicators.rolling import highest, lowest
from backcast_engine.indicators.runs import defined_together


def donchian_channel(high: PriceColumn, low: PriceColumn, period: int) -> tuple[PriceColumn, PriceColumn]:
    """Return the lowest low and the highest high of `period` candles; the first period - 1 are NaN.

    The candle itself is among them: a breakout compares with the channel of the candle before.
    Source: Richard Donchian's four-week rule, 1960.
    """
    high, low = defined_together(high, low)
    return lowest(low, period), highest(high, period)


def keltner_channel(
    high: PriceColumn, low: PriceColumn, close: PriceColumn, period: int, atr_period: int, multiple: float
) -> tuple[PriceColumn, PriceColumn, PriceColumn]:
    """Return the lower band, the middle and the upper band.

    The middle is the EMA of the close over `period` candles; the bands are `multiple` average true ranges
    over `atr_period` candles from it. The first period - 1 of the middle are NaN, and of the bands the
    first max(period - 1, atr_period).
    Source: Chester Keltner, How to Make Money in Commodities, 1960, in Linda Bradford Raschke's form.
    """
    high, low, close = defined_together(high, low, close)
    middle, reach = ema(close, period), atr(high, low, close, atr_period)
    return offset(middle, -multiple, reach), middle, offset(middle, multiple, reach)
