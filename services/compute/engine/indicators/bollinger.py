"""Bollinger bands."""

from services.compute.engine.indicators.rolling import rolling_mean_std
from services.shared.candles import PriceColumn


def bollinger_bands(
    close: PriceColumn, period: int, width: float
) -> tuple[PriceColumn, PriceColumn, PriceColumn]:
    """Return the lower band, the middle (simple mean) and the upper band; the first period - 1 are NaN.

    The bands are `width` population standard deviations from the middle.
    Source: John Bollinger, Bollinger on Bollinger Bands, 2001.
    """
    middle, std = rolling_mean_std(close, period)
    return middle - width * std, middle, middle + width * std
