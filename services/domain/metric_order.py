"""The order of metrics, and how they count over several backtests.

Apart from the engine, which computes the metrics: the command sorts by them without importing Numba.
"""

# For all other metrics, the greatest value is best.
SMALLEST_IS_BEST = frozenset(
    ("max_drawdown", "annual_volatility", "fees_paid", "borrow_paid", "funding_paid")
)
# In statistics over several backtests, these are 0 for a backtest without a trade, as its return is.
ZERO_WITHOUT_TRADES = frozenset(("sharpe_ratio", "sortino_ratio", "calmar_ratio"))
