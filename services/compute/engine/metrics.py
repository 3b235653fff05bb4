"""The figures of a backtest, each from its definition, in one compiled pass; undefined ones are NaN.

result.proto defines them one by one. Other backtesters differ in ways that this one avoids: years of crypto
have 365 days of 24 hours (not 252), a Sharpe ratio of a flat equity is undefined (not inf or 0), and trades
that are still open do not count among the winners and losers.
"""

import math

import numpy as np
from numba import njit, types
from numpy.typing import NDArray

from services.compute.engine.simulation import Simulation
from services.compute.engine.terms import TRADES
from services.shared.candles import Candles
from services.shared.errors import Refused
from services.shared.interval import Interval

DAY_S = 86_400
# What is smaller, relative to the money at stake, is what rounding left of nothing: units × price need not
# give back the very cash that they were bought with.
_ROUNDING = 1e-14
# A week's return says nothing about a year's.
SHORTEST_CAGR_S = 7 * DAY_S
# Sums are made of so many parts, each of every so manieth number: processors add them at once.
_LANES = 8
_BLOCK = 1024


def measure(
    window: Candles, simulation: Simulation, capital: float, interval: Interval
) -> NDArray[np.float64]:
    """Return the figures of a window of n >= 1 candles: float64, in the order of METRIC_NAMES.

    Raises Refused where the equity or a trade is beyond the numbers of a float64.
    """
    figures, finite = _measure(
        simulation.equity,
        simulation.trades,
        simulation.held,
        capital,
        window.open[0],
        window.close[-1],
        interval.seconds,
    )
    if not finite:
        raise Refused("its prices are too small or too great to be computed with")
    return figures  # type: ignore[no-any-return]  # compiled


@njit(cache=True, nogil=True)
def _without_noise(fraction):  # type: ignore[no-untyped-def]  # compiled
    return 0.0 if abs(fraction) < _ROUNDING else fraction


@njit(cache=True, nogil=True, error_model="numpy")
def _write_returns(before, after, returns):  # type: ignore[no-untyped-def]  # compiled
    """Write the returns from one equity to the next; where nothing is left, nothing can change any more."""
    for i in range(len(returns)):
        change = (after[i] - before[i]) / before[i]
        returns[i] = change if (before[i] > 0) & (abs(change) >= _ROUNDING) else 0.0


@njit(cache=True, nogil=True)
def _sums(values, around):  # type: ignore[no-untyped-def]  # compiled
    """Return the sums of distances from `around`, of their squares, and of the negative values' squares."""
    total, squares, below = np.zeros(_LANES), np.zeros(_LANES), np.zeros(_LANES)
    rows = values[: len(values) - len(values) % _LANES].reshape(-1, _LANES)
    for i in range(len(rows)):
        for lane in range(_LANES):
            value = rows[i, lane]
            distance, negative = value - around, min(value, 0.0)
            total[lane] += distance
            squares[lane] += distance * distance
            below[lane] += negative * negative
    for value in values[rows.size :]:
        distance, negative = value - around, min(value, 0.0)
        total[0] += distance
        squares[0] += distance * distance
        below[0] += negative * negative
    return total.sum(), squares.sum(), below.sum()


@njit(cache=True, nogil=True)
def _moments(equity, capital):  # type: ignore[no-untyped-def]  # compiled
    """Return of the candles' returns the mean, the squares around it, and those of the negative ones.

    Block by block around the mean so far, and the blocks put together: one pass, without the digits that a
    sum of squares loses. Source: T. F. Chan, G. H. Golub, R. J. LeVeque, Updating Formulae and a Pairwise
    Algorithm for Computing Sample Variances, 1979.
    """
    mean = _without_noise((equity[0] - capital) / capital)
    squares, below, count = 0.0, min(mean, 0.0) ** 2, 1
    returns = np.empty(_BLOCK)
    while count < len(equity):
        size = min(_BLOCK, len(equity) - count)
        block = returns[:size]
        _write_returns(equity[count - 1 : count - 1 + size], equity[count : count + size], block)
        total, block_squares, block_below = _sums(block, mean)
        distance = total / size
        squares += block_squares - total * distance + distance * distance * count * size / (count + size)
        mean += total / (count + size)
        below += block_below
        count += size
    return mean, max(squares, 0.0), below


@njit(cache=True, nogil=True)
def _max_drawdown(equity, capital):  # type: ignore[no-untyped-def]  # compiled
    """Return the greatest fall from a peak, the capital being the first peak, as a fraction of the peak.

    And whether all of the equity is finite.
    """
    deepest, peak, trough = 0.0, capital, capital
    finite = True
    for value in equity:
        finite &= value - value == 0
        if value > peak:
            # Only the lowest point below a peak decides: one division for all of them.
            deepest = max(deepest, _without_noise((peak - trough) / peak))
            peak, trough = value, value
        elif value < trough:
            trough = value
    return max(deepest, _without_noise((peak - trough) / peak)), finite


_PRICES = types.Array(types.float64, 1, "C", readonly=True)


@njit(
    (_PRICES, TRADES, types.int64, types.float64, types.float64, types.float64, types.int64),
    cache=True,
    nogil=True,
    error_model="numpy",
)
def _measure(equity, trades, held, capital, first_open, last_close, interval_s):  # type: ignore[no-untyped-def]  # compiled
    n = len(equity)
    growth = equity[n - 1] / capital
    deepest, finite = _max_drawdown(equity, capital)
    cagr = np.nan
    if n * interval_s >= SHORTEST_CAGR_S:
        cagr = growth ** (365.25 * DAY_S / (n * interval_s)) - 1
    root = math.sqrt(365 * DAY_S / interval_s)
    mean, squares, below = _moments(equity, capital)
    std = math.sqrt(squares / (n - 1)) if n > 1 else np.nan
    downside = math.sqrt(below / n)

    closed, winners, fees, borrowed = 0, 0, 0.0, 0.0
    gains, losses, total, best, worst = 0.0, 0.0, 0.0, -np.inf, np.inf
    for trade in trades:
        finite &= np.isfinite(trade.units) and np.isfinite(trade.profit)
        fees += trade.fees
        borrowed += trade.borrow
        if trade.exit < n:
            closed += 1
            fraction = _without_noise(trade.profit / trade.cost)
            total += fraction
            best, worst = max(best, fraction), min(worst, fraction)
            if fraction > 0:
                winners += 1
                gains += trade.profit
            elif fraction < 0:
                losses -= trade.profit
    figures = np.array(
        [
            growth - 1,
            equity[n - 1],
            last_close / first_open - 1,
            cagr,
            std * root,
            mean / std * root if std > 0 else np.nan,
            mean / downside * root if downside > 0 else np.nan,
            cagr / deepest if deepest > 0 else np.nan,
            deepest,
            held / n,
            fees,
            float(closed),
            float(len(trades) - closed),
            winners / closed if closed else np.nan,
            gains / losses if losses > 0 else np.nan,
            total / closed if closed else np.nan,
            best if closed else np.nan,
            worst if closed else np.nan,
            borrowed,
        ]
    )
    # What is beyond a float64 is undefined too.
    for i in range(len(figures)):
        if not np.isfinite(figures[i]):
            figures[i] = np.nan
    return figures, finite
