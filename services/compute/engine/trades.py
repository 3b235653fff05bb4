"""Trades as records for people."""

import numpy as np
from numpy.typing import NDArray

from services.compute.engine import position
from services.compute.engine.execution import Execution, FillTime
from services.compute.engine.results import ExitReason, Trade
from services.shared.candles import Candles


def trade_records(window: Candles, trades: NDArray[np.float64], execution: Execution) -> tuple[Trade, ...]:
    """Return the trades of a simulation (see Simulation.trades) as records; the window needs high and low."""
    return tuple(_record(window, trade, execution) for trade in trades)


def _record(window: Candles, trade: NDArray[np.float64], execution: Execution) -> Trade:
    entry, exit_ = int(trade[position.ENTRY]), int(trade[position.EXIT])
    entry_price, exit_price = float(trade[position.ENTRY_PRICE]), float(trade[position.EXIT_PRICE])
    units = float(trade[position.TRADE_UNITS])
    is_open = exit_ == len(window)
    at_close = execution.fill_time is FillTime.SAME_CLOSE
    reason = ExitReason(int(trade[position.REASON]))
    # A signal that fills at a close has seen that candle to its end.
    end = exit_ + 1 if at_close and reason is ExitReason.SIGNAL else exit_
    prices = [entry_price] if is_open else [entry_price, exit_price]
    worst, best = _excursions(window, entry + at_close, end, prices, units > 0)
    return Trade(
        entry_time_s=int(window.open_time_s[entry]),
        entry_price=entry_price,
        units=units,
        exit_time_s=None if is_open else int(window.open_time_s[exit_]),
        exit_price=None if is_open else exit_price,
        fees_paid=float(trade[position.FEES]),
        profit=float(trade[position.PROFIT]),
        return_fraction=float(trade[position.PROFIT] / trade[position.TRADE_COST]),
        held_candles=exit_ - entry,
        exit_reason=reason,
        worst_excursion=worst,
        best_excursion=best,
        borrow_paid=float(trade[position.BORROW]),
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
    return (down, up) if is_long else (-up, -down)
