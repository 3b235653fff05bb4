"""The types of a portfolio's result."""

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from backcast_engine.candles import PriceColumn, TimeColumn
from backcast_engine.results import Metrics, MonthlyReturn, Trade


class SkipReason(IntEnum):
    """Why an entry that a signal asked for was not made; of several reasons, the first counts."""

    NO_EQUITY = 0
    NO_PLACE = 1
    UNDEFINED_SIZE = 2
    NO_CASH = 3


@dataclass(frozen=True, slots=True)
class PortfolioTrade:
    """A trade, with its crypto and the number of its strategy in the request, counted from 0."""

    symbol: str
    strategy: int
    trade: Trade


@dataclass(frozen=True, slots=True)
class CryptoResult:
    """What a crypto did in a portfolio; money is in the quote currency.

    `contribution` is the profit of all its trades, open ones marked at the last close, and `turnover` the
    value of all its fills. `skipped` counts the entries that were not made, of each SkipReason.
    """

    symbol: str
    contribution: float
    turnover: float
    trade_count: int
    open_trade_count: int
    skipped: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class PortfolioCurve:
    """The account at closes of the window; columns of one shape (m,).

    int64 opening times in Unix seconds; float64 `equity` and `cash` in the quote currency, `drawdown` as in
    EquityCurve, `exposure` as the value of all positions, short ones positive, in the equity; `positions` is
    int64; `hold` is float64, the value of the equal-weighted hold of the same capital.
    """

    open_time_s: TimeColumn
    equity: PriceColumn
    drawdown: PriceColumn
    cash: PriceColumn
    exposure: PriceColumn
    positions: NDArray[np.int64]
    hold: PriceColumn


@dataclass(frozen=True, slots=True)
class BenchmarkResult:
    """A portfolio next to holding one crypto; what is undefined is None.

    `alpha` and `information_ratio` are those of a year of 365 days, and `metrics` those of holding.
    """

    symbol: str
    alpha: float | None
    beta: float | None
    information_ratio: float | None
    metrics: Metrics


@dataclass(frozen=True, slots=True)
class PortfolioResult:
    """The result of a portfolio; `cryptos` and `correlation` are in order of the symbols.

    `hold` are the figures of the equal-weighted hold. `correlation`, with Detail.TRADES, is float64 of shape
    (cryptos, cryptos), NaN where undefined. Trades are in order of their closing, open ones last.
    """

    metrics: Metrics
    cryptos: tuple[CryptoResult, ...]
    hold: Metrics
    benchmark: BenchmarkResult | None
    correlation: NDArray[np.float64] | None
    trades: tuple[PortfolioTrade, ...] = ()
    curve: PortfolioCurve | None = None
    monthly_returns: tuple[MonthlyReturn, ...] = ()
