"""What a portfolio needs of one crypto, from the crypto's history alone."""

from collections.abc import Sequence
from dataclasses import dataclass

from backcast_engine.candles import Candles, PriceColumn
from backcast_engine.history import History
from backcast_engine.portfolio.request import Portfolio
from backcast_engine.simulation import NO_COLUMN
from backcast_engine.traded_window import TradedWindow, WindowOrders


@dataclass(frozen=True, slots=True)
class CryptoOrders:
    """What the strategies of a portfolio ask for on one crypto, at each of its n candles in the window.

    `part_ends` are the positions behind the last candle of each part between breaks. `orders` are those of
    each strategy. `rank` is float64 of shape (n,), or empty where the portfolio has no rank.
    """

    symbol: str
    candles: Candles
    part_ends: tuple[int, ...]
    orders: tuple[WindowOrders, ...]
    rank: PriceColumn


def crypto_orders(symbol: str, history: History, portfolio: Portfolio) -> CryptoOrders:
    """Evaluate the strategies and the rank of a portfolio on a crypto's history.

    Columns that are not in `portfolio.columns` may be empty. Raises NotFound if the window has no candle, and
    HistoryTooShort where the history is not whole, and candles before it would count.
    """
    (orders,) = orders_of_several(symbol, history, [portfolio])
    return orders


def orders_of_several(symbol: str, history: History, portfolios: Sequence[Portfolio]) -> list[CryptoOrders]:
    """Return the orders of each portfolio as `crypto_orders` does; they share indicators.

    All portfolios have the same interval, window and rule for breaks.
    """
    first = portfolios[0]
    window = TradedWindow(history, first.interval, first.window, first.execution)
    found = []
    for portfolio in portfolios:
        traded = window.with_execution(portfolio.execution)
        orders = tuple(traded.orders(each.strategy) for each in portfolio.strategies)
        rank = NO_COLUMN if portfolio.rank is None else traded.values(portfolio.rank)
        found.append(CryptoOrders(symbol, traded.candles, tuple(traded.part_ends), orders, rank))
    return found
