"""The types of a backtest's result."""

from dataclasses import dataclass, fields
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from backcast_engine.breaks import Break
from backcast_engine.candles import PriceColumn, TimeColumn


class Detail(IntEnum):
    """How much of a result is returned; each level includes the ones before it."""

    METRICS = 1
    TRADES = 2
    EQUITY = 3


@dataclass(frozen=True, slots=True)
class Window:
    """The window of a backtest, in Unix seconds: candles with start_s <= opening time < end_s."""

    start_s: int
    end_s: int


@dataclass(frozen=True, slots=True)
class WindowSeries:
    """Series over the candles of a window: `values` is float64 of shape (series, n), NaN where undefined.

    `open_time_s` has the shape (n,), in Unix seconds.
    """

    open_time_s: TimeColumn
    values: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Metrics:
    """The figures of one backtest; an undefined figure is None, never NaN or infinite.

    Shares are fractions, not percent; money is in the quote currency. `metrics` has the formulas.
    """

    total_return: float | None
    final_equity: float | None
    buy_and_hold_return: float | None
    cagr: float | None
    annual_volatility: float | None
    sharpe_ratio: float | None
    sortino_ratio: float | None
    calmar_ratio: float | None
    max_drawdown: float | None
    exposure: float | None
    fees_paid: float | None
    trade_count: float | None
    open_trade_count: float | None
    win_rate: float | None
    profit_factor: float | None
    expectancy: float | None
    best_trade: float | None
    worst_trade: float | None
    borrow_paid: float | None
    funding_paid: float | None


METRIC_NAMES = tuple(field.name for field in fields(Metrics))


@dataclass(frozen=True, slots=True)
class Coverage:
    """The coverage of the window by candles. Times are opening times in Unix seconds.

    `missing_hours` counts the hours of the window without an hourly candle, also those within longer candles.
    """

    expected_candles: int
    missing_candles: int
    longest_gap_candles: int
    first_candle_s: int
    last_candle_s: int
    missing_hours: int


class ExitReason(IntEnum):
    """The reason why a position was closed."""

    NOT_CLOSED = 0
    SIGNAL = 1
    STOP_LOSS = 2
    TRAILING_STOP = 3
    TAKE_PROFIT = 4
    LIQUIDATION = 5
    BREAK = 6


@dataclass(frozen=True, slots=True)
class Trade:
    """A position from its opening to its closing; the exit is None while it is open.

    Times are opening times in Unix seconds of the candles in which it was opened and closed; prices include
    slippage; `units` are negative where it is short; `profit` (in the quote currency) and `return_fraction`
    (of what it cost) are net of fees, borrowing and funding, and marked at the last close while it is open.
    Excursions are how far the price went against it (0 or below) and in its favour (0 or above), as
    fractions of the entry price.
    """

    entry_time_s: int
    entry_price: float
    units: float
    exit_time_s: int | None
    exit_price: float | None
    fees_paid: float
    profit: float
    return_fraction: float
    held_candles: int
    exit_reason: ExitReason
    worst_excursion: float
    best_excursion: float
    borrow_paid: float
    funding_paid: float

    @property
    def open(self) -> bool:
        """Whether the position is still open at the end of the window."""
        return self.exit_time_s is None


@dataclass(frozen=True, slots=True)
class EquityCurve:
    """Equity at closes of the window; columns of one shape (m,).

    int64 opening times in Unix seconds, float64 equity in the quote currency, and float64 drawdown: how far
    it is below the highest equity until then (at first the capital), as a positive fraction of it.
    """

    open_time_s: TimeColumn
    equity: PriceColumn
    drawdown: PriceColumn


@dataclass(frozen=True, slots=True)
class MonthlyReturn:
    """The return of a month (UTC); None if no equity was left."""

    year: int
    month: int
    return_fraction: float | None


@dataclass(frozen=True, slots=True)
class ResultPart:
    """The figures of a part of the window between breaks, which begins with the initial capital.

    Times are opening times of its first and its last candle, in Unix seconds.
    """

    first_candle_s: int
    last_candle_s: int
    metrics: Metrics


@dataclass(frozen=True, slots=True)
class BacktestResult:
    """The result of one strategy on one crypto.

    `breaks` are those that cut the window; `parts`, with BreakRule.SPLIT, are the parts between them.
    """

    metrics: Metrics
    coverage: Coverage
    warmup_candles: int
    trades: tuple[Trade, ...] = ()
    equity_curve: EquityCurve | None = None
    monthly_returns: tuple[MonthlyReturn, ...] = ()
    breaks: tuple[Break, ...] = ()
    parts: tuple[ResultPart, ...] = ()
