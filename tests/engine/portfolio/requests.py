"""Portfolios for tests, and the orders of cryptos by hand."""

from dataclasses import replace

import numpy as np

from backcast_engine import Detail, Execution
from backcast_engine.candles import Candles
from backcast_engine.interval import Interval
from backcast_engine.portfolio import CryptoOrders, Portfolio, WeightedStrategy
from backcast_engine.simulation import NO_COLUMN
from backcast_engine.strategies import Signals
from backcast_engine.strategies.rsi import Rsi
from backcast_engine.traded_window import WindowOrders
from tests.engine.inputs import FREE, HOUR_S, MONDAY_S, all_of


def detailed(portfolio: Portfolio, cryptos: list[CryptoOrders]) -> Portfolio:
    """Return a portfolio in every detail, with no more places than there are cryptos."""
    places = min(portfolio.max_positions, len(cryptos))
    return replace(portfolio, detail=Detail.EQUITY, max_positions=places)


def portfolio_of(candles: Candles, execution: Execution = FREE, **fields) -> Portfolio:
    """Return a portfolio over all of those candles, in every detail; its strategy is a stand-in."""
    chosen = {"strategies": (WeightedStrategy(Rsi()),), "max_positions": 1, "detail": Detail.EQUITY}
    return Portfolio(
        interval=Interval.HOUR_1, window=all_of(candles), execution=execution, **(chosen | fields)
    )


def ordered(symbol: str, candles: Candles, buy_at=(), sell_at=(), rank=None, volatility=None) -> CryptoOrders:
    """Return a crypto whose one strategy buys and sells at the given hours, counted from Monday."""
    hours = (candles.open_time_s - MONDAY_S) // HOUR_S
    orders = WindowOrders(
        Signals(np.isin(hours, buy_at), np.isin(hours, sell_at)),
        NO_COLUMN,
        NO_COLUMN if volatility is None else np.full(len(hours), float(volatility)),
    )
    ranks = NO_COLUMN if rank is None else np.full(len(hours), float(rank))
    return CryptoOrders(symbol, candles, (len(hours),), (orders,), ranks)
