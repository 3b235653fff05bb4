"""Trades of a simulation, as columns for the metrics and as records for people."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from services.compute.engine.results import Execution, Trade
from services.compute.engine.simulation import IndexColumn, Simulation
from services.shared.candles import Candles, PriceColumn


@dataclass(frozen=True, slots=True)
class TradeColumns:
    """The k trades of a simulation as columns of shape (k,), in order; only the last can be open.

    `entry` and `exit` are indices into the window (`exit` is n while open); prices include slippage
    (`exit_price` is NaN while open); `profit` and `return_fraction` are net of fees and marked at the
    last close while open.
    """

    entry: IndexColumn
    exit: IndexColumn
    units: PriceColumn
    entry_price: PriceColumn
    exit_price: PriceColumn
    fees: PriceColumn
    profit: PriceColumn
    return_fraction: PriceColumn

    @property
    def is_closed(self) -> NDArray[np.bool_]:
        """Which of them were sold."""
        return ~np.isnan(self.exit_price)


def trade_columns(window: Candles, simulation: Simulation, execution: Execution) -> TradeColumns:
    """Derive the trades from what the simulation recorded."""
    slippage = execution.slippage_bps / 10_000
    closed = simulation.exit < len(window)
    entry_price = window.open[simulation.entry] * (1 + slippage)
    exit_price = np.full(len(closed), np.nan)
    exit_price[closed] = window.open[simulation.exit[closed]] * (1 - slippage)
    value = np.where(closed, simulation.proceeds, simulation.units * window.close[-1])
    entry_fee = simulation.units * entry_price * execution.fee_rate
    exit_fee = np.where(closed, simulation.units * exit_price * execution.fee_rate, 0.0)
    profit = value - simulation.cost
    return TradeColumns(
        entry=simulation.entry,
        exit=simulation.exit,
        units=simulation.units,
        entry_price=entry_price,
        exit_price=exit_price,
        fees=entry_fee + exit_fee,
        profit=profit,
        return_fraction=profit / simulation.cost,
    )


def trade_records(window: Candles, columns: TradeColumns) -> tuple[Trade, ...]:
    """Return the trades as records."""
    closed = columns.is_closed
    return tuple(
        Trade(
            entry_time_s=int(window.open_time_s[columns.entry[i]]),
            entry_price=float(columns.entry_price[i]),
            units=float(columns.units[i]),
            exit_time_s=int(window.open_time_s[columns.exit[i]]) if closed[i] else None,
            exit_price=float(columns.exit_price[i]) if closed[i] else None,
            fees_paid=float(columns.fees[i]),
            profit=float(columns.profit[i]),
            return_fraction=float(columns.return_fraction[i]),
            held_candles=int(columns.exit[i] - columns.entry[i]),
        )
        for i in range(len(closed))
    )
