"""Bollinger bands."""

from services.domain.candles import PriceColumn
from services.engine.indicators.moving_average import sma
from services.engine.indicators.offset import offset
from services.engine.indicators.rolling import stddev


def bollinger_bands(
    close: PriceColumn, period: int, width: float
) -> tuple[PriceColumn, PriceColumn, PriceColumn]:
    """Return the lower band, the middle (simple mean) and the upper band; the first period - 1 are NaN.

    The bands are `width` population standard deviations from the middle.
    Source: John Bollinger, Bollinger on Bollinger Bands, 2001.
    """
    middle, deviation = sma(close, period), stddev(close, period)
    return offset(middle, -width, deviation), middle, offset(middle, width, deviation)
