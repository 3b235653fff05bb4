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

PORTFOLIO_NOTES = (
    *NOTES[:1],
    "[bold]hold all[/bold]: the capital in equal shares of all cryptos, without costs. [bold]hold[/bold] of "
    "a crypto: the same with that crypto alone.",
    *NOTES[2:-1],
    "[bold]exposure[/bold] over time: the value of all positions over the equity. In the table: the share "
    "of candles at whose close a position is open.",
    "[bold]contribution[/bold]: the profit of all trades of a crypto; the contributions of all cryptos are "
    "the change of the equity. [bold]turnover[/bold]: the value of all its fills.",
    "[bold]skipped[/bold]: entries that a signal asked for and that were not made, such as those that found "
    "no place; a signal that holds for ten candles is counted ten times.",
    "[bold]beta[/bold]: covariance of the candles' returns with the benchmark's over the variance of the "
    "benchmark's. [bold]alpha[/bold]: the mean return that beta does not explain, per year. "
    "[bold]information ratio[/bold]: mean over standard deviation of the returns beyond the benchmark's, per "
    "year.",
)

PORTFOLIO_SWEEP_NOTES = (
    *NOTES[:1],
    *NOTES[2:-1],
    "Each combination is one account that trades all cryptos. A dash is a figure that is undefined.",
)
