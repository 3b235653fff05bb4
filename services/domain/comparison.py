"""Statistics of several strategies over the same cryptos, and their differences from the first one."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from services.domain.metric_order import ZERO_WITHOUT_TRADES

_Column = NDArray[np.float64]
# The figures of one strategy: a column for each metric, float64 of shape (cryptos,); NaN where undefined.
Figures = Mapping[str, _Column]
# A value for each metric for which it is defined.
Values = dict[str, float]

LETTERS = "ABCDEF"
"""The names of the strategies of a comparison."""
QUANTILES = {
    "quantile_05": 0.05,
    "quantile_25": 0.25,
    "quantile_50": 0.5,
    "quantile_75": 0.75,
    "quantile_95": 0.95,
}
# A standard deviation below this part of the greatest value is one of rounding errors.
_ROUNDING = 1e-12


@dataclass(frozen=True, slots=True)
class Statistics:
    """Statistics of one strategy over the cryptos, as docs/backtests.md defines them.

    `share_beat_holding` is None if holding is undefined for every crypto.
    """

    mean: Values
    quantiles: dict[str, Values]
    share_gained: float
    share_beat_holding: float | None
    cryptos_without_trades: int


@dataclass(frozen=True, slots=True)
class Differences:
    """Differences of one strategy from another, crypto by crypto, over the cryptos where both are defined.

    Each has a value for a metric; `t_statistic` only where there are two cryptos or more, and the differences
    vary.
    """

    crypto_count: dict[str, int]
    mean: Values
    median: Values
    t_statistic: Values
    higher_count: dict[str, int]
    lower_count: dict[str, int]


def statistics_of(figures: Figures) -> Statistics:
    """Return the statistics over one crypto or more."""
    counted = as_counted(figures)
    quantiles: dict[str, Values] = {name: {} for name in QUANTILES}
    mean: Values = {}
    for metric, column in counted.items():
        defined = column[~np.isnan(column)]
        if defined.size:
            mean[metric] = float(defined.mean())
            values = np.quantile(defined, [*QUANTILES.values()])
            for name, value in zip(QUANTILES, values.tolist(), strict=True):
                quantiles[name][metric] = value
    gains, holding = figures["total_return"], figures["buy_and_hold_return"]
    held = ~np.isnan(holding)
    return Statistics(
        mean=mean,
        quantiles=quantiles,
        share_gained=float((gains > 0).mean()),
        share_beat_holding=float((gains > holding)[held].mean()) if held.any() else None,
        cryptos_without_trades=int(_without_trades(figures).sum()),
    )


def differences_of(figures: Figures, first: Figures) -> Differences:
    """Return the paired differences of `figures` from those of the first strategy on the same cryptos.

    The t-statistic is mean ÷ (standard deviation (ddof 1) ÷ √n).
    """
    found = Differences(*({} for _ in fields(Differences)))
    for metric, difference in _paired(as_counted(figures), as_counted(first)):
        count = difference.size
        found.crypto_count[metric] = count
        found.higher_count[metric] = int((difference > 0).sum())
        found.lower_count[metric] = int((difference < 0).sum())
        if not count:
            continue
        found.mean[metric] = float(difference.mean())
        found.median[metric] = float(np.median(difference))
        if count > 1:
            deviation = float(difference.std(ddof=1))
            if deviation > _ROUNDING * float(np.abs(difference).max()):
                found.t_statistic[metric] = found.mean[metric] / (deviation / count**0.5)
    return found


def as_counted(figures: Figures) -> dict[str, _Column]:
    """Return the figures as they count in statistics: ratios of a crypto without a trade are 0."""
    idle = _without_trades(figures)
    return {
        metric: np.where(idle, 0.0, column) if metric in ZERO_WITHOUT_TRADES else column
        for metric, column in figures.items()
    }


def common_symbols(results: Sequence[Mapping[str, object]]) -> list[str]:
    """Return the symbols that all results by symbol have, in order."""
    return sorted(set.intersection(*(set(each) for each in results)))


def _without_trades(figures: Figures) -> NDArray[np.bool_]:
    return np.asarray(figures["trade_count"] + figures["open_trade_count"] == 0)


def _paired(figures: Figures, first: Figures) -> Iterator[tuple[str, _Column]]:
    for metric, column in figures.items():
        difference = column - first[metric]
        yield metric, difference[~np.isnan(difference)]
