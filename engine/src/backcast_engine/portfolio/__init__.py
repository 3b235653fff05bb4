"""Portfolios: one account that trades many cryptos. docs/portfolios.md defines them.

`crypto_orders` computes what a portfolio needs of one crypto, from its history alone, so that workers can do
it side by side. `run_portfolio` trades the orders of all cryptos with one capital. `account` is the pass over
time, and `figures` has the figures that only portfolios have.
"""

from backcast_engine.portfolio.orders import CryptoOrders, crypto_orders, orders_of_several
from backcast_engine.portfolio.request import (
    USUAL_BENCHMARK,
    Portfolio,
    PortfolioSize,
    Rebalancing,
    WeightedStrategy,
)
from backcast_engine.portfolio.results import (
    BenchmarkResult,
    CryptoResult,
    PortfolioCurve,
    PortfolioResult,
    PortfolioTrade,
    SkipReason,
)
from backcast_engine.portfolio.run import run_portfolio

__all__ = [
    "USUAL_BENCHMARK",
    "BenchmarkResult",
    "CryptoOrders",
    "CryptoResult",
    "Portfolio",
    "PortfolioCurve",
    "PortfolioResult",
    "PortfolioSize",
    "PortfolioTrade",
    "Rebalancing",
    "SkipReason",
    "WeightedStrategy",
    "crypto_orders",
    "orders_of_several",
    "run_portfolio",
]
