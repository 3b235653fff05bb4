"""What goes into a backtest beside the candles, and what comes out."""

import math
from dataclasses import dataclass, fields
from enum import IntEnum

from services.shared.candles import PriceColumn, TimeColumn
from services.shared.errors import Violation


class Detail(IntEnum):
    """How much of a backtest is kept; each level includes the ones before it."""

    METRICS = 1
    TRADES = 2
    EQUITY = 3


@dataclass(frozen=True, slots=True)
class Window:
    """The time that is backtested, in Unix seconds: candles with start_s <= opening time < end_s."""

    start_s: int
    end_s: int


@dataclass(frozen=True, slots=True)
class Execution:
    """How signals become fills.

    `fee_rate` is the fee of each side as a fraction of the traded value, `slippage_bps` how much worse
    than the open a fill is in basis points, `initial_capital` is in the quote currency.
    """

    fee_rate: float = 0.001
    slippage_bps: float = 0.0
    initial_capital: float = 10_000.0

    def violations(self) -> list[Violation]:
        """Return a violation for each field that is out of range."""
        violations = []
        if not 0 <= self.fee_rate < 1:
            violations.append(
                Violation("execution.fee_rate", f"must be at least 0 and below 1, not {self.fee_rate:g}")
            )
        if not 0 <= self.slippage_bps < 10_000:
            violations.append(
                Violation(
                    "execution.slippage_bps", f"must be at least 0 and below 10000, not {self.slippage_bps:g}"
                )
            )
        if not 0 < self.initial_capital <= MAX_CAPITAL:
            violations.append(
                Violation(
                    "execution.initial_capital",
                    f"must be above 0 and at most {MAX_CAPITAL:g}, not {self.initial_capital:g}",
                )
            )
        return violations


# Above this, single cents are lost in a float64.
MAX_CAPITAL = 1e15


@dataclass(frozen=True, slots=True)
class Metrics:
    """The figures of one backtest; None where one is undefined, never NaN or inf.

    Fractions, not percent; money in the quote currency; `metrics` has the formulas.
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

    def __post_init__(self) -> None:
        """Hold the promise that what is undefined is absent: extreme prices can overflow a ratio."""
        for name in METRIC_NAMES:
            value = getattr(self, name)
            if value is not None and not math.isfinite(value):
                object.__setattr__(self, name, None)


METRIC_NAMES = tuple(field.name for field in fields(Metrics))


@dataclass(frozen=True, slots=True)
class Coverage:
    """Which candles of the window there were. Times are opening times in Unix seconds."""

    expected_candles: int
    missing_candles: int
    longest_gap_candles: int
    first_candle_s: int
    last_candle_s: int


@dataclass(frozen=True, slots=True)
class Trade:
    """A position from its purchase to its sale; the exit is None while it is open.

    Times are opening times in Unix seconds of the candles at whose open it was bought and sold; prices
    include slippage; `profit` (in the quote currency) and `return_fraction` (of what the purchase cost)
    are net of fees, and marked at the last close while the trade is open.
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

    @property
    def open(self) -> bool:
        """Whether it was not sold by the end of the window."""
        return self.exit_time_s is None


@dataclass(frozen=True, slots=True)
class EquityCurve:
    """Equity at each close of the window: int64 opening times and float64 equity, both of shape (n,)."""

    open_time_s: TimeColumn
    equity: PriceColumn


@dataclass(frozen=True, slots=True)
class BacktestResult:
    """How one strategy would have done on one crypto."""

    metrics: Metrics
    coverage: Coverage
    warmup_candles: int
    trades: tuple[Trade, ...] = ()
    equity_curve: EquityCurve | None = None
