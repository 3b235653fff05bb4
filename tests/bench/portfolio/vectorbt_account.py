"""vectorbt's account of many cryptos: from_signals with shared cash, as like docs/portfolios.md as it can be.

It has no places and no ranks: there are positions as long as the cash lasts, in order of the columns, and no
purchase that is below a hundredth of its size. It would sell before it buys by itself, but then it sorts
purchases by values that only rounding makes different: so the benchmark passes it the columns that sell.
"""

from importlib.metadata import version
from typing import Any

import numpy as np
import vectorbt
from numpy.typing import NDArray

from backcast_engine import Execution
from backcast_engine.portfolio import CryptoOrders

NAME = f"vectorbt {version('vectorbt')}"

# An entry that gets less than this share of its size is none.
_LEAST_SHARE = 0.01

Columns = dict[str, NDArray[Any]]


def columns_of(cryptos: list[CryptoOrders], sold: NDArray[np.bool_]) -> Columns:
    """Return a column for each crypto; signals move down by one: they fill at the next open.

    `sold`, of the columns' shape, is where positions are sold.
    """
    shape = (len(cryptos[0].candles), len(cryptos))
    entries, exits = np.zeros(shape, bool), np.zeros(shape, bool)
    for number, crypto in enumerate(cryptos):
        entries[1:, number] = crypto.orders[0].signals.buy[:-1]
        exits[1:, number] = crypto.orders[0].signals.sell[:-1]
    return {
        "entries": entries,
        "exits": exits,
        "price": np.column_stack([crypto.candles.open for crypto in cryptos]),
        "close": np.column_stack([crypto.candles.close for crypto in cryptos]),
        # Sales first, then the others, both in order of the columns.
        "call_seq": np.argsort(~sold, axis=1, kind="stable"),
    }


def equity(columns: Columns, execution: Execution) -> NDArray[np.float64]:
    """Trade the columns with one account, and return its equity at each close."""
    amount = execution.quote_amount or execution.initial_capital
    unit = columns["price"] * (1 + execution.fee_rate)
    portfolio = vectorbt.Portfolio.from_signals(
        **columns,
        size=amount / unit,
        min_size=_LEAST_SHARE * amount / unit,
        fees=execution.fee_rate,
        init_cash=execution.initial_capital,
        cash_sharing=True,
        group_by=True,
        freq="1h",
    )
    return np.asarray(portfolio.value(), np.float64)
