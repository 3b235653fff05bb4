"""Converts the trades of a simulation to Trade records."""

import math
from typing import Any

from backcast_engine.candles import Candles
from backcast_engine.errors import ErrorReason, Refused
from backcast_engine.execution import Execution, FillTime
from backcast_engine.results import ExitReason, Trade
from backcast_engine.terms import TradeColumns


def trade_records(window: Candles, trades: TradeColumns, execution: Execution) -> tuple[Trade, ...]:
    """Return the trades of a simulation (see Simulation.trades) as records; the window needs high and low.

    Raises Refused if a price rose by a factor that no float64 can hold.
    """
    return tuple(_record(window, trade, execution) for trade in trades)


def _record(window: Candles, trade: Any, execution: Execution) -> Trade:
    entry, exit_ = int(trade["entry"]), int(trade["exit"])
    entry_price, exit_price = float(trade["entry_price"]), float(trade["exit_price"])
    units = float(trade["units"])
    is_open = exit_ == len(window)
    at_close = execution.fill_time is FillTime.SAME_CLOSE
    reason = ExitReason(int(trade["reason"]))
    breaks_off = reason is ExitReason.BREAK
    # What is closed at a close has seen that candle to its end.
    end = exit_ + 1 if breaks_off or (at_close and reason is ExitReason.SIGNAL) else exit_
    prices = [entry_price] if is_open else [entry_price, exit_price]
    worst, best = _excursions(window, entry + at_close, end, prices, units > 0)
    return Trade(
        entry_time_s=int(window.open_time_s[entry]),
        entry_price=entry_price,
        units=units,
        exit_time_s=None if is_open else int(window.open_time_s[exit_]),
        exit_price=None if is_open else exit_price,
        fees_paid=float(trade["fees"]),
        profit=float(trade["profit"]),
        return_fraction=float(trade["profit"] / trade["cost"]),
        # The last close before a break still has the position in its equity.
        held_candles=exit_ - entry + breaks_off,
        exit_reason=reason,
        worst_excursion=worst,
        best_excursion=best,
        borrow_paid=float(trade["borrow"]),
        funding_paid=float(trade["funding"]),
    )


def _excursions(
    window: Candles, first: int, end: int, fills: list[float], is_long: bool
) -> tuple[float, float]:
    """Return how far the price went against and for a position, as fractions of the price of its first fill.

    Of a candle within which it was closed only the exit counts: what came after it in that candle does not.
    """
    low = min(fills + window.low[first:end].tolist())
    high = max(fills + window.high[first:end].tolist())
    down, up = low / fills[0] - 1, high / fills[0] - 1
    if up == math.inf:
        raise Refused(
            "its prices are too small or too great to be computed with",
            reason=ErrorReason.PRICES_OUT_OF_RANGE,
        )
    # Not -up: that would make -0 of 0.
    return (down, up) if is_long else (0.0 - up, 0.0 - down)
