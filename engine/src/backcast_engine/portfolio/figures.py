"""Figures that only a portfolio has: what holding would have brought, a benchmark, and correlations."""

import math
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from backcast_engine.candles import Candles, PriceColumn

# What is smaller is what rounding left of nothing.
_ROUNDING = 1e-14
_YEAR_S = 365 * 86_400
# Fewer returns than these say nothing about a correlation.
_FEWEST_RETURNS = 3


def holding_curve(candles: Candles, part_ends: Sequence[int], *, at_close: bool) -> PriceColumn:
    """Return by which factor holding a crypto has grown until each close: float64 of shape (n,).

    As in metrics.holding_growth, it is held in each part from the first price at which it can be bought on;
    before that, and during breaks, nothing changes. All NaN if no part can be held.
    """
    growth, so_far, held = np.empty(len(candles)), 1.0, False
    for start, end in pairwise((0, *part_ends)):
        growth[start:end] = so_far
        if at_close or end - start > 1:
            first = candles.close[start] if at_close else candles.open[start + 1]
            bought = start if at_close else start + 1
            np.divide(candles.close[bought:end], first, out=growth[bought:end])
            if so_far != 1.0:
                growth[bought:end] *= so_far
            so_far, held = growth[end - 1], True
    return growth if held else np.full(len(candles), math.nan)


def returns_of(equity: PriceColumn, capital: float) -> PriceColumn:
    """Return the return of each candle, of a curve that begins with `capital`; 0 where nothing was left."""
    before = np.concatenate(([capital], equity[:-1]))
    with np.errstate(all="ignore"):
        changes = (equity - before) / before
    return np.where((before <= 0) | (np.abs(changes) < _ROUNDING), 0.0, changes)


def against_benchmark(
    returns: PriceColumn, benchmark: PriceColumn, interval_s: int
) -> tuple[float | None, float | None, float | None]:
    """Return alpha (of a year), beta and information ratio (of a year); None where undefined."""
    if len(returns) < 2:
        return None, None, None
    year = _YEAR_S / interval_s
    alpha = beta = ratio = None
    mean, benchmark_mean = returns.mean(), benchmark.mean()
    variance = ((benchmark - benchmark_mean) ** 2).mean()
    if math.sqrt(variance) > _ROUNDING:
        beta = float(((returns - mean) * (benchmark - benchmark_mean)).mean() / variance)
        alpha = float((mean - beta * benchmark_mean) * year)
    excess = returns - benchmark
    deviation = excess.std(ddof=1)
    if deviation > _ROUNDING:
        ratio = float(excess.mean() / deviation * math.sqrt(year))
    return alpha, beta, ratio


def correlations(
    changes: NDArray[np.float64], had: NDArray[np.bool_], equity: PriceColumn, capital: float
) -> NDArray[np.float64]:
    """Return the correlations of the returns of the cryptos' positions: shape (cryptos, cryptos).

    `changes` and `had`, of shape (n, cryptos), are those of an Account. NaN where undefined.
    """
    before = np.concatenate(([capital], equity[:-1]))
    found = np.full((changes.shape[1],) * 2, np.nan)
    traded = np.flatnonzero(had.any(axis=0))
    with np.errstate(all="ignore"):
        held = had[:, traded] & (before > 0)[:, None]
        returns = np.where(held, changes[:, traded] / before[:, None], 0.0)
        # Around each crypto's own mean, sums of squares lose few digits.
        returns = np.where(held, returns - returns.sum(axis=0) / held.sum(axis=0), 0.0)
        mask = held.astype(np.float64)
        count, total = mask.T @ mask, returns.T @ mask
        squares = (returns * returns).T @ mask - total * total / count
        products = returns.T @ returns - total * total.T / count
        # Of the squares that are there, rounding leaves so much of nothing.
        spread = squares > 1e-13 * ((returns * returns).T @ mask)
        values = np.clip(products / np.sqrt(squares * squares.T), -1.0, 1.0)
    values[~((count >= _FEWEST_RETURNS) & spread & spread.T)] = np.nan
    found[np.ix_(traded, traded)] = values
    return found
