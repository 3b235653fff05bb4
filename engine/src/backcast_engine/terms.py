"""Types of the compiled simulation: an execution as terms, and trades as records.

Types are parts of compiled functions' signatures: where one changes, what was compiled for it is compiled
anew. Constants are not, and neither are functions of other files; so there are none here.
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numba import from_dtype, types
from numpy.typing import NDArray

from backcast_engine.execution import Direction, Distance, Execution, FillTime

# Trades of a window of n candles: the indices of the candles of entry and exit (n: still open), the
# ExitReason, units (negative: short), fill prices (the exit's is NaN while open), what it cost with its
# entry's fee, what it gained net of everything (marked at the last close while open), the fees of its
# fills, what borrowing cost, what funding cost.
TRADE = np.dtype(
    [
        ("entry", np.int64),
        ("exit", np.int64),
        ("reason", np.int64),
        ("units", np.float64),
        ("entry_price", np.float64),
        ("exit_price", np.float64),
        ("cost", np.float64),
        ("profit", np.float64),
        ("fees", np.float64),
        ("borrow", np.float64),
        ("funding", np.float64),
    ]
)
TRADES = types.Array(from_dtype(TRADE), 1, "C")
TradeColumns = NDArray[np.void]


class Terms(NamedTuple):
    """An execution in the form for compiled code; distances are NaN without such a stop."""

    fee: float
    slippage: float
    capital: float
    fraction: float
    amount: float
    target: float
    stop_fraction: float
    stop_atr: float
    profit_fraction: float
    profit_atr: float
    trail_fraction: float
    trail_atr: float
    borrow_rate: float
    funding_rate: float
    interval_s: float
    same_close: bool
    may_long: bool
    may_short: bool
    needs_range: bool


TERMS = types.NamedTuple(  # type: ignore[no-untyped-call]
    (*(types.float64,) * 15, *(types.boolean,) * 4), Terms
)


# All cryptos of a run have the same execution.
@lru_cache(maxsize=256)
def terms_of(execution: Execution, interval_s: int) -> Terms:
    """Return the terms of an execution; `interval_s` is the candles' length in seconds."""
    target = execution.volatility_target
    numbers = (
        execution.fee_rate,
        execution.slippage_bps / 10_000,
        execution.initial_capital,
        execution.equity_fraction,
        np.inf if execution.quote_amount is None else execution.quote_amount,
        np.nan if target is None else target.annual_volatility,
        *_distance(execution.stop_loss),
        *_distance(execution.take_profit),
        *_distance(execution.trailing_stop),
        execution.borrow_rate,
        execution.funding_rate,
        interval_s,
    )
    flags = (
        execution.fill_time is FillTime.SAME_CLOSE,
        execution.direction is not Direction.SHORT_ONLY,
        execution.direction is not Direction.LONG_ONLY,
        execution.needs_range,
    )
    # Compiled code knows no mixture of int and float.
    return Terms._make((*map(float, numbers), *flags))


def _distance(distance: Distance | None) -> tuple[float, float]:
    if distance is None:
        return np.nan, np.nan
    fraction, multiple = distance.fraction, distance.atr_multiple
    return np.nan if fraction is None else fraction, np.nan if multiple is None else multiple
