"""The order of metrics: whether the greatest or the smallest value is best.

Apart from the engine, which computes the metrics: the command sorts by them without importing Numba.
"""

# For all other metrics, the greatest value is best.
SMALLEST_IS_BEST = frozenset(
    ("max_drawdown", "annual_volatility", "fees_paid", "borrow_paid", "funding_paid")
)
