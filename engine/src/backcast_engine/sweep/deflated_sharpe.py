"""The deflated Sharpe ratio, which corrects the best of many trials for selection bias.

D. H. Bailey and M. López de Prado, The Deflated Sharpe Ratio: Correcting for Selection Bias, Backtest
Overfitting and Non-Normality, Journal of Portfolio Management 40(5), 2014, pp. 94-107. Sharpe ratios are
those of candles here, not of years.
"""

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from backcast_engine.candles import PriceColumn

_NORMAL = NormalDist()
_EULER_MASCHERONI = 0.5772156649015329


@dataclass(frozen=True, slots=True)
class ReturnShape:
    """A series of returns: their number, Sharpe ratio, skewness and kurtosis (of the normal: 0 and 3)."""

    count: int
    sharpe_ratio: float
    skewness: float
    kurtosis: float


def expected_maximum(trials: int, variance: float) -> float | None:
    """Return the Sharpe ratio that the best of `trials` independent ones without skill is expected to have.

    `variance` is that of their Sharpe ratios. None below two trials.
    """
    if trials < 2:
        return None
    best = (1 - _EULER_MASCHERONI) * _NORMAL.inv_cdf(1 - 1 / trials)
    best += _EULER_MASCHERONI * _NORMAL.inv_cdf(1 - 1 / (trials * math.e))
    return math.sqrt(variance) * best


def deflated_sharpe_ratio(shape: ReturnShape, benchmark: float) -> float | None:
    """Return the probability that the true Sharpe ratio of such returns is above `benchmark`.

    The benchmark is what `expected_maximum` gives. None where the returns' shape allows no deviation.
    """
    ratio = shape.sharpe_ratio
    spread = 1 - shape.skewness * ratio + (shape.kurtosis - 1) / 4 * ratio * ratio
    if shape.count < 2 or not spread > 0:
        return None
    return _NORMAL.cdf((ratio - benchmark) * math.sqrt(shape.count - 1) / math.sqrt(spread))


def shape_of(equity: PriceColumn, capital: float) -> ReturnShape | None:
    """Return the shape of the candles' returns, the first one from `capital`; None if they do not vary.

    `equity` is float64 of shape (n,), n >= 1. The Sharpe ratio is that of the metrics (ddof 1) without its
    factor; skewness and kurtosis are those of the population.
    """
    before = np.concatenate(([capital], equity[:-1]))
    # Where nothing is left, nothing can change any more.
    returns = np.divide(equity - before, before, out=np.zeros(len(equity)), where=before > 0)
    if len(returns) < 2 or not returns.std() > 0:
        return None
    scaled = (returns - returns.mean()) / returns.std()
    return ReturnShape(
        count=len(returns),
        sharpe_ratio=float(returns.mean() / returns.std(ddof=1)),
        skewness=float(np.mean(scaled**3)),
        kurtosis=float(np.mean(scaled**4)),
    )
