"""Indicators: float64 columns of shape (n,) in and out, NaN where there is no value yet.

The value at t depends only on candles up to t, bit by bit: computing a prefix gives the prefix. Columns may
be read-only. Undefined values (NaN or infinite) cut a column into runs, each a separate series: see runs.py.
Results are never infinite. A period is at least 1; one that is longer than the series gives NaN throughout.
"""

from backcast_engine.indicators.atr import atr, true_range
from backcast_engine.indicators.change import momentum, roc, shift
from backcast_engine.indicators.channels import donchian_channel, keltner_channel
from backcast_engine.indicators.clock import day_of_month, hour, weekday
from backcast_engine.indicators.events import bars_since, count, value_when
from backcast_engine.indicators.macd import macd
from backcast_engine.indicators.moving_average import ema, sma, wma
from backcast_engine.indicators.rolling import highest, lowest, stddev
from backcast_engine.indicators.rsi import rsi
from backcast_engine.indicators.stochastic import stochastic_k
from backcast_engine.indicators.supertrend import supertrend
from backcast_engine.indicators.vwap import vwap, vwap_session, vwap_since

__all__ = [
    "atr",
    "bars_since",
    "count",
    "day_of_month",
    "donchian_channel",
    "ema",
    "highest",
    "hour",
    "keltner_channel",
    "lowest",
    "macd",
    "momentum",
    "roc",
    "rsi",
    "shift",
    "sma",
    "stddev",
    "stochastic_k",
    "supertrend",
    "true_range",
    "value_when",
    "vwap",
    "vwap_session",
    "vwap_since",
    "weekday",
    "wma",
]
