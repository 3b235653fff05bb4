"""The figures of a backtest, each from its definition; undefined ones are None.

Other backtesters differ in ways that this one avoids: years of crypto have 365 days of 24 hours (not
252), a Sharpe ratio of a flat equity is undefined (not inf or 0), and trades that are still open do not
count among the winners and losers.
"""

import math

import numpy as np

from services.compute.engine.results import Metrics
from services.compute.engine.trades import TradeColumns
from services.shared.candles import Candles, PriceColumn
from services.shared.interval import Interval

DAY_S = 86_400
# What is smaller, relative to the money at stake, is what rounding left of nothing: units × price need not
# give back the very cash that they were bought with.
_ROUNDING = 1e-14
# A week's return says nothing about a year's.
SHORTEST_CAGR_S = 7 * DAY_S


def compute_metrics(
    window: Candles, equity: PriceColumn, trades: TradeColumns, capital: float, interval: Interval
) -> Metrics:
    """Return all metrics of a window of n >= 1 candles with `equity` of shape (n,) at their closes."""
    total_return = float(equity[-1]) / capital - 1
    max_drawdown = _max_drawdown(equity, capital)
    cagr = _cagr(float(equity[-1]) / capital, len(equity) * interval.seconds)
    before = np.concatenate(([capital], equity[:-1]))
    change = equity - before
    # Where nothing is left, nothing can change any more.
    returns = _without_noise(np.divide(change, before, out=np.zeros(len(equity)), where=before > 0))
    periods_per_year = 365 * DAY_S / interval.seconds
    mean = float(returns.mean())
    std = float(returns.std(ddof=1)) if len(returns) > 1 else None
    downside = math.sqrt(float(np.mean(np.minimum(returns, 0.0) ** 2)))
    closed = trades.is_closed
    trade_return = _without_noise(trades.return_fraction[closed])
    profit = np.where(trade_return == 0, 0.0, trades.profit[closed])
    any_closed = len(profit) > 0
    return Metrics(
        total_return=total_return,
        final_equity=float(equity[-1]),
        buy_and_hold_return=float(window.close[-1] / window.open[0]) - 1,
        cagr=cagr,
        annual_volatility=None if std is None else std * math.sqrt(periods_per_year),
        sharpe_ratio=mean / std * math.sqrt(periods_per_year) if std else None,
        sortino_ratio=mean / downside * math.sqrt(periods_per_year) if downside else None,
        calmar_ratio=cagr / max_drawdown if cagr is not None and max_drawdown else None,
        max_drawdown=max_drawdown,
        exposure=float((trades.exit - trades.entry).sum()) / len(equity),
        fees_paid=float(trades.fees.sum()),
        trade_count=float(len(profit)),
        open_trade_count=float(len(closed) - len(profit)),
        win_rate=float(np.mean(profit > 0)) if any_closed else None,
        profit_factor=_profit_factor(profit),
        expectancy=float(trade_return.mean()) if any_closed else None,
        best_trade=float(trade_return.max()) if any_closed else None,
        worst_trade=float(trade_return.min()) if any_closed else None,
    )


def _max_drawdown(equity: PriceColumn, capital: float) -> float:
    """Return the greatest fall from a peak, the capital being the first peak, as a fraction of the peak."""
    peak = np.maximum(np.maximum.accumulate(equity), capital)
    return float(np.max(_without_noise((peak - equity) / peak)))


def _without_noise(fractions: PriceColumn) -> PriceColumn:
    return np.where(np.abs(fractions) < _ROUNDING, 0.0, fractions)


def _cagr(growth: float, elapsed_s: int) -> float | None:
    """Return `growth` per year of 365.25 days, minus 1."""
    if elapsed_s < SHORTEST_CAGR_S:
        return None
    try:
        return math.pow(growth, 365.25 * DAY_S / elapsed_s) - 1
    except OverflowError:
        return None


def _profit_factor(profit: PriceColumn) -> float | None:
    """Return gains over losses; None without losses, for then it has no bound."""
    loss = -float(profit[profit < 0].sum())
    return float(profit[profit > 0].sum()) / loss if loss else None
