"""Which value of a metric is the best."""

# Of the other metrics, the greatest is.
SMALLEST_IS_BEST = frozenset(
    ("max_drawdown", "annual_volatility", "fees_paid", "borrow_paid", "funding_paid")
)
