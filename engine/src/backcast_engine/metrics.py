"""The figures of a backtest, each from its definition, in one compiled pass; undefined ones are NaN.

result.proto defines them one by one. Other backtesters differ in ways that this one avoids: years of crypto
have 365 days of 24 hours (not 252; in the CAGR 365.25), a Sharpe ratio of a flat equity is undefined (not
inf or 0), and trades that are still open do not count among the winners and losers.
"""

import math
from collections.abc import Iterable

import numpy as np
from numba import njit, types
from numpy.typing import NDArray

from backcast_engine.candles import Candles
from backcast_engine.errors import ErrorReason, Refused
from backcast_engine.interval import Interval
from backcast_engine.results import METRIC_NAMES
from backcast_engine.simulation import Simulation
from backcast_engine.terms import TRADES

DAY_S = 86_400
# What is smaller, relative to the money at stake, is what rounding left of nothing: units × price need not
# give back the very cash that they were bought with.
_ROUNDING = 1e-14
# A week's return says nothing about a year's.
SHORTEST_CAGR_S = 7 * DAY_S
# Returns are summed up so many at a time, and peaks looked for; powers of two.
_BLOCK = 1024
# The figures of an equity curve without its trades, in the order in which they are computed.
_OF_CURVE = [
    METRIC_NAMES.index(name)
    for name in (
        "total_return",
        "cagr",
        "annual_volatility",
        "sharpe_ratio",
        "sortino_ratio",
        "calmar_ratio",
        "max_drawdown",
    )
]
_FINAL_EQUITY = METRIC_NAMES.index("final_equity")
_STRETCH = 32


def holding_growth(parts: Iterable[Candles], *, at_close: bool) -> float:
    """Return the factor by which holding grows over the parts of a window; NaN if no part can be held.

    In each part it is the last close over the first price at which `buy_and_hold` fills, without costs: the
    second candle's open, or the first one's close where signals fill `at_close`.
    """
    growth, held = 1.0, False
    for part in parts:
        if at_close or len(part) > 1:
            growth *= part.close[-1] / (part.close[0] if at_close else part.open[1])
            held = True
    return growth if held else math.nan


def measure(
    window: Candles, simulation: Simulation, capital: float, interval: Interval, holding: float
) -> NDArray[np.float64]:
    """Return the figures of a window of n >= 1 candles: float64, in the order of METRIC_NAMES.

    `holding` is its holding_growth. Raises Refused if the equity or a trade is beyond the numbers of a
    float64.
    """
    figures, finite = _measure(
        simulation.equity,
        simulation.trades,
        simulation.held,
        capital,
        holding,
        window.open_time_s[-1] - window.open_time_s[0] + interval.seconds,
        interval.seconds,
    )
    if not finite:
        raise Refused(
            "its prices are too small or too great to be computed with",
            reason=ErrorReason.PRICES_OUT_OF_RANGE,
        )
    return figures  # type: ignore[no-any-return]  # compiled


def measure_curve(
    equity: NDArray[np.float64], capital: float, elapsed_s: int, interval: Interval
) -> NDArray[np.float64]:
    """Return the figures that follow from an equity curve alone; figures of trades and prices are NaN.

    `equity` is float64 of shape (n,), n >= 1, at the closes of candles; `elapsed_s` is the time from the
    first one's opening to the last one's end. The figures are float64, in the order of METRIC_NAMES.
    """
    figures = np.full(len(METRIC_NAMES), np.nan)
    *measured, _ = _measure_curve(equity, capital, elapsed_s, interval.seconds)
    figures[_OF_CURVE] = measured
    figures[_FINAL_EQUITY] = equity[-1]
    figures[~np.isfinite(figures)] = np.nan
    return figures


# As NumPy computes: a division by zero gives infinity or NaN, and raises nothing.
_compiled = njit(cache=True, nogil=True, error_model="numpy")


@_compiled
def _without_noise(fraction):  # type: ignore[no-untyped-def]  # compiled
    return 0.0 if abs(fraction) < _ROUNDING else fraction


@_compiled
def _write_returns(before, after, returns):  # type: ignore[no-untyped-def]  # compiled
    """Write the returns from one equity to the next; where nothing is left, nothing can change any more."""
    for i in range(len(returns)):
        change = (after[i] - before[i]) / before[i]
        # Written so that NaN stays NaN.
        returns[i] = 0.0 if (before[i] <= 0) | (abs(change) < _ROUNDING) else change


@_compiled
def _sum(values):  # type: ignore[no-untyped-def]  # compiled
    """Return the sum of a power of two of values, which it overwrites: the upper half is added to the lower.

    So many are added at once, and the error grows with the logarithm of their number only.
    """
    half = len(values) // 2
    while half:
        lower, upper = values[:half], values[half : 2 * half]
        for i in range(half):
            lower[i] += upper[i]
        half //= 2
    return values[0]


@_compiled
def _moments(equity, capital):  # type: ignore[no-untyped-def]  # compiled
    """Return of the candles' returns the mean, the squares around it, and those of the negative ones.

    Block by block around the mean so far, and the blocks put together: one pass, without the digits that a
    sum of squares loses. Source: T. F. Chan, G. H. Golub, R. J. LeVeque, Updating Formulae and a Pairwise
    Algorithm for Computing Sample Variances, 1979.
    """
    mean = _without_noise((equity[0] - capital) / capital)
    squares, below, count = 0.0, min(mean, 0.0) ** 2, 1
    returns, distances = np.empty(_BLOCK), np.empty(_BLOCK)
    square_distances, square_losses = np.empty(_BLOCK), np.empty(_BLOCK)
    while count < len(equity):
        size = min(_BLOCK, len(equity) - count)
        _write_returns(equity[count - 1 : count - 1 + size], equity[count : count + size], returns[:size])
        # What the last block lacks is nothing to any sum.
        returns[size:] = 0.0
        distances[size:] = 0.0
        for i in range(size):
            distances[i] = returns[i] - mean
        for i in range(_BLOCK):
            loss = returns[i] if returns[i] < 0.0 else 0.0
            square_distances[i], square_losses[i] = distances[i] * distances[i], loss * loss
        total = _sum(distances)
        distance = total / size
        squares += _sum(square_distances) - total * distance
        squares += distance * distance * count * size / (count + size)
        mean += total / (count + size)
        below += _sum(square_losses)
        count += size
    return mean, squares, below


@_compiled
def _climb(equity, deepest, peak, trough):  # type: ignore[no-untyped-def]  # compiled
    for value in equity:
        if value > peak:
            deepest = max(deepest, _without_noise((peak - trough) / peak))
            peak, trough = value, value
        elif value < trough:
            trough = value
    return deepest, peak, trough


@_compiled
def _max_drawdown(equity, capital):  # type: ignore[no-untyped-def]  # compiled
    """Return the greatest fall from a peak, the capital being the first peak, as a fraction of the peak.

    Only the lowest point below a peak decides, so there is one division for each peak. And most stretches
    have no new peak: of those it takes the lowest point, which is found in many values at once.
    """
    deepest, peak, trough = 0.0, capital, capital
    stretches = equity[: len(equity) - len(equity) % _STRETCH].reshape(-1, _STRETCH)
    for r in range(len(stretches)):
        stretch = stretches[r]
        highest = lowest = stretch[0]
        for i in range(_STRETCH):
            highest = stretch[i] if stretch[i] > highest else highest
            lowest = stretch[i] if stretch[i] < lowest else lowest
        if highest <= peak:
            trough = min(trough, lowest)
        else:
            deepest, peak, trough = _climb(stretch, deepest, peak, trough)
    deepest, peak, trough = _climb(equity[stretches.size :], deepest, peak, trough)
    return max(deepest, _without_noise((peak - trough) / peak))


_PRICES = types.Array(types.float64, 1, "C", readonly=True)


@_compiled
def _curve_figures(equity, capital, elapsed_s, interval_s):  # type: ignore[no-untyped-def]  # compiled
    """Return the figures of an equity curve alone, and whether they are finite.

    In this order: total return, CAGR, volatility, Sharpe, Sortino and Calmar ratio, and drawdown.
    """
    n = len(equity)
    growth = equity[n - 1] / capital
    deepest = _max_drawdown(equity, capital)
    cagr = np.nan
    # By the time that passed, and not by the number of candles: gaps are time too.
    if elapsed_s >= SHORTEST_CAGR_S:
        cagr = growth ** (365.25 * DAY_S / elapsed_s) - 1
    root = math.sqrt(365 * DAY_S / interval_s)
    mean, squares, below = _moments(equity, capital)
    # Where something is not finite, neither is a return; but a return of finite numbers can be infinite.
    finite = np.isfinite(mean) or np.isfinite(equity).all()
    std = math.sqrt(max(squares, 0.0) / (n - 1)) if n > 1 else np.nan
    downside = math.sqrt(below / n)
    sharpe = mean / std * root if std > 0 else np.nan
    sortino = mean / downside * root if downside > 0 else np.nan
    calmar = cagr / deepest if deepest > 0 else np.nan
    return growth - 1, cagr, std * root, sharpe, sortino, calmar, deepest, finite


@njit(
    (_PRICES, TRADES, types.int64, types.float64, types.float64, types.int64, types.int64),
    cache=True,
    nogil=True,
    error_model="numpy",
)
def _measure(equity, trades, held, capital, holding, elapsed_s, interval_s):  # type: ignore[no-untyped-def]  # compiled
    n = len(equity)
    total_return, cagr, volatility, sharpe, sortino, calmar, deepest, finite = _curve_figures(
        equity, capital, elapsed_s, interval_s
    )
    closed, winners, fees, borrowed, funded = 0, 0, 0.0, 0.0, 0.0
    gains, losses, total, best, worst = 0.0, 0.0, 0.0, -np.inf, np.inf
    for trade in trades:
        finite &= np.isfinite(trade.entry_price) and np.isfinite(trade.units) and np.isfinite(trade.profit)
        fees += trade.fees
        borrowed += trade.borrow
        funded += trade.funding
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
            total_return,
            equity[n - 1],
            holding - 1,
            cagr,
            volatility,
            sharpe,
            sortino,
            calmar,
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
            funded,
        ]
    )
    # What is beyond a float64 is undefined too.
    for i in range(len(figures)):
        if not np.isfinite(figures[i]):
            figures[i] = np.nan
    return figures, finite


@njit(
    (_PRICES, types.float64, types.int64, types.int64),
    cache=True,
    nogil=True,
    error_model="numpy",
)
def _measure_curve(equity, capital, elapsed_s, interval_s):  # type: ignore[no-untyped-def]  # compiled
    return _curve_figures(equity, capital, elapsed_s, interval_s)
