"""Indicators: float64 columns of shape (n,) in and out, NaN where there is no value yet.

The value at t depends on candles up to t only, bit by bit: computing a prefix gives the prefix.
"""

from services.compute.engine.indicators.bollinger import bollinger_bands
from services.compute.engine.indicators.moving_average import ema, sma
from services.compute.engine.indicators.rsi import rsi

__all__ = ["bollinger_bands", "ema", "rsi", "sma"]
