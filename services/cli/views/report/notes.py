"""What the figures of a report mean, in short."""

NOTES = (
    "[bold]return[/bold]: equity at the last close over the initial capital, minus 1; fees and slippage are "
    "paid.",
    "[bold]hold[/bold]: the change of the price alone, from the first price at which a purchase fills to the "
    "last close, without fees.",
    "[bold]Sharpe[/bold]: mean over standard deviation of the candles' returns, per year of 365 days, "
    "without a risk-free rate.",
    "[bold]drawdown[/bold]: the greatest fall of the equity from a peak, as a fraction of that peak.",
    "[bold]wins[/bold]: the share of closed trades with a profit, net of fees. [bold]trades[/bold]: closed "
    "trades; +1 is one that is still open.",
    "Medians, means and quantiles are over the cryptos for which a figure is defined; in them, the ratios of "
    "a crypto without a trade count as 0. A dash is a figure that is undefined.",
)
