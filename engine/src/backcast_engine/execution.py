"""The execution: how signals become fills."""

import math
from dataclasses import dataclass
from enum import IntEnum

from backcast_engine.errors import Violation
from backcast_engine.high_costs import HIGH_FEE_RATE, HIGH_SLIPPAGE_BPS
from backcast_engine.rules.signature import MAX_PERIOD

# Below this, no currency has a unit; above it, a float64 cannot represent cents.
MIN_CAPITAL, MAX_CAPITAL = 1e-9, 1e15
# Larger than in any market: a larger number was a mistake.
_MAX_RATE = 100.0
_MAX_ATR_MULTIPLE = 1_000.0


class FillTime(IntEnum):
    """When a signal on the close of a candle fills: at the next open, or at that same close."""

    NEXT_OPEN = 1
    SAME_CLOSE = 2


class BreakRule(IntEnum):
    """What a backtest does at a break in the history; docs/backtests.md defines the rules.

    SPLIT trades like CLOSE, and also reports the figures of each part between breaks.
    """

    CLOSE = 1
    SPLIT = 2
    IGNORE = 3


class Direction(IntEnum):
    """The sides of positions; `simulation` defines what signals do."""

    LONG_ONLY = 1
    SHORT_ONLY = 2
    LONG_SHORT = 3


@dataclass(frozen=True, slots=True)
class VolatilityTarget:
    """The target volatility of a position, as a fraction of the equity per year of 365 days.

    The crypto's own volatility is measured over the returns of the last `period` closes.
    """

    annual_volatility: float
    period: int = 30


@dataclass(frozen=True, slots=True)
class Distance:
    """A distance from a price: a fraction of it or a multiple of the ATR; the other one is None."""

    fraction: float | None = None
    atr_multiple: float | None = None


@dataclass(frozen=True, slots=True)
class Execution:
    """How signals become fills; the module `simulation` defines what each field does.

    `fee_rate` is the fee of each side as a fraction of the traded value, `slippage_bps` how much worse
    than its price a fill is in basis points, money is in the quote currency. Of the three sizes one counts:
    `quote_amount` if it is not None, else `volatility_target`, else `equity_fraction`. `borrow_rate` is
    what a short position costs as a fraction of its value per year of 365 days, and `funding_rate` what a
    long one costs. High fees and slippages are mostly mistyped: they need `allow_high_costs`.
    """

    fee_rate: float = 0.001
    slippage_bps: float = 0.0
    initial_capital: float = 10_000.0
    fill_time: FillTime = FillTime.NEXT_OPEN
    direction: Direction = Direction.LONG_ONLY
    equity_fraction: float = 1.0
    quote_amount: float | None = None
    volatility_target: VolatilityTarget | None = None
    stop_loss: Distance | None = None
    take_profit: Distance | None = None
    trailing_stop: Distance | None = None
    atr_period: int = 14
    borrow_rate: float = 0.0
    break_rule: BreakRule = BreakRule.CLOSE
    funding_rate: float = 0.0
    allow_high_costs: bool = False

    @property
    def distances(self) -> tuple[tuple[str, Distance], ...]:
        """The stops that are set, by name: stop_loss, take_profit and trailing_stop."""
        named = (
            ("stop_loss", self.stop_loss),
            ("take_profit", self.take_profit),
            ("trailing_stop", self.trailing_stop),
        )
        return tuple((name, distance) for name, distance in named if distance is not None)

    @property
    def needs_atr(self) -> bool:
        """Whether a stop is measured in average true ranges."""
        return any(distance.atr_multiple is not None for _, distance in self.distances)

    @property
    def needs_range(self) -> bool:
        """Whether fills depend on high and low: with stops, and for positions that can be liquidated.

        These are short positions, and long positions that pay funding.
        """
        return bool(self.distances) or self.direction is not Direction.LONG_ONLY or self.funding_rate != 0

    def violations(self) -> list[Violation]:
        """Return a violation for each field that is out of range."""
        faults = {
            "fee_rate": _cost(self.fee_rate, 1, None if self.allow_high_costs else HIGH_FEE_RATE),
            "slippage_bps": _cost(
                self.slippage_bps, 10_000, None if self.allow_high_costs else HIGH_SLIPPAGE_BPS
            ),
            "initial_capital": _money(self.initial_capital),
            "equity_fraction": _above_zero(self.equity_fraction, 1),
            "atr_period": _period(self.atr_period, 1),
            "borrow_rate": _within(self.borrow_rate, _MAX_RATE),
            "funding_rate": _within(self.funding_rate, _MAX_RATE),
        }
        if self.quote_amount is not None:
            faults["quote_amount"] = _money(self.quote_amount)
        if target := self.volatility_target:
            faults["volatility_target.annual_volatility"] = _above_zero(target.annual_volatility, _MAX_RATE)
            faults["volatility_target.period"] = _period(target.period, 2)
        for name, distance in self.distances:
            faults |= _distance_faults(name, distance)
        return [Violation(f"execution.{field}", fault) for field, fault in faults.items() if fault]


def _distance_faults(name: str, distance: Distance) -> dict[str, str | None]:
    if distance.fraction is not None and distance.atr_multiple is not None:
        return {name: "takes a fraction or an atr_multiple, not both"}
    if distance.fraction is not None:
        # A price can fall by all of itself at most; it can rise by more.
        limit = _MAX_RATE if name == "take_profit" else 1
        return {f"{name}.fraction": _above_zero(distance.fraction, limit)}
    if distance.atr_multiple is not None:
        return {f"{name}.atr_multiple": _above_zero(distance.atr_multiple, _MAX_ATR_MULTIPLE)}
    return {name: "needs a fraction or an atr_multiple"}


def _cost(value: float, limit: float, high: float | None) -> str | None:
    if not 0 <= value < limit:
        return f"must be at least 0 and below {limit:g}, not {value:g}"
    if high is None or value <= high:
        return None
    meant = f"{value:g} would be {100 * value / limit:g} %"
    return f"must be at most {high:g} ({meant}) unless execution.allow_high_costs is true"


def _money(value: float) -> str | None:
    good = MIN_CAPITAL <= value <= MAX_CAPITAL
    return None if good else f"must be from {MIN_CAPITAL:g} to {MAX_CAPITAL:g}, not {value:g}"


def _above_zero(value: float, limit: float) -> str | None:
    return None if 0 < value <= limit else f"must be above 0 and at most {limit:g}, not {value:g}"


def _within(value: float, limit: float) -> str | None:
    good = math.isfinite(value) and abs(value) <= limit
    return None if good else f"must be from {-limit:g} to {limit:g}, not {value:g}"


def _period(value: int, minimum: int) -> str | None:
    good = isinstance(value, int) and minimum <= value <= MAX_PERIOD
    return None if good else f"must be a whole number from {minimum} to {MAX_PERIOD}, not {value}"
