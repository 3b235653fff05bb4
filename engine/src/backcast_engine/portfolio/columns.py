"""Cryptos and legs as the pass over time reads them: where their columns are, and what they ask for.

The pass reads few of the values: those of open positions, and of entries. To lay all columns behind each
other would take longer than the pass itself. So it gets their addresses; whoever calls it keeps the columns.

A leg is a strategy on a crypto: leg = crypto × strategies + strategy, and cryptos are in order of their
symbols.
"""

from typing import Any, NamedTuple, TypeVar

import numpy as np
from numba import extending, from_dtype, njit, types
from numpy.typing import NDArray

from backcast_engine.candles import TimeColumn

AnyColumn = TypeVar("AnyColumn", NDArray[np.int64], NDArray[np.float64], NDArray[np.bool_])


def _record(whole: tuple[str, ...], real: tuple[str, ...] = ()) -> np.dtype[np.void]:
    return np.dtype([(name, np.int64) for name in whole] + [(name, np.float64) for name in real])


# A crypto: the addresses of its columns (0: it has none), its candles and ends by number, and `at`, the last
# candle that was looked at. `step` has the numbers of the portfolio's candles that its candles belong to;
# `ends` are the candles after which a position is closed: the last ones of parts before a break, and of a
# crypto that ends early.
CRYPTO = _record(
    (*("open", "high", "low", "close", "rank", "step", "ends"), *("candle_count", "end_count", "at"))
)
# A leg: its crypto and strategy; the addresses of its columns (0: it has none); whether something happened to
# it, and whether it had a position, in the present candle; the profit of its closed trades, the value of all
# its fills, its profit at the last close, and what it lacks when positions are rebalanced. And its position,
# as in `simulation`: `bought` units were bought in all, `paid` is what they took from the cash, `locked` is
# the collateral of a short position, `mark` its present price, `until` the candle after which it is closed
# (-1: none), and `is_new` says whether its crypto has a candle at the present time.
LEG = _record(
    (
        *("crypto", "strategy", "buy", "sell", "atr_column", "volatility_column"),
        *("is_seen", "had_position", "since", "until", "is_new"),
    ),
    (
        *("realized", "traded", "noted_profit", "missing"),
        *("side", "units", "cost", "price", "bought", "paid", "fee_paid", "carry", "charged_s"),
        *("stop", "profit", "trail", "best", "atr", "locked", "mark"),
    ),
)


class MarketColumns(NamedTuple):
    """Cryptos and legs, in the form for compiled code, over n candles of the portfolio.

    `time_s` is int64 of shape (n,), the candles' opening times. `cryptos` and `legs` are records of dtype
    CRYPTO and LEG. `sides`, int8 of shape (n, strategies, cryptos), has the side that a leg asks for at the
    orders of a candle as long as it has no position: 1, -1, or 0 for none.
    """

    time_s: TimeColumn
    cryptos: NDArray[np.void]
    legs: NDArray[np.void]
    sides: NDArray[np.int8]


# Columns may be read-only.
PRICES = types.Array(types.float64, 1, "C", readonly=True)
FLAGS = types.Array(types.boolean, 1, "C", readonly=True)
WHOLE = types.Array(types.int64, 1, "C", readonly=True)
CRYPTOS = types.Array(from_dtype(CRYPTO), 1, "C")
LEGS = types.Array(from_dtype(LEG), 1, "C")
SIDES = types.Array(types.int8, 3, "C")


def empty_market(time_s: TimeColumn, cryptos: int, strategies: int) -> MarketColumns:
    """Return a market of so many cryptos and strategies, whose columns are not noted yet."""
    legs = np.zeros(cryptos * strategies, LEG)
    legs["crypto"], legs["strategy"] = np.divmod(np.arange(len(legs)), strategies)
    sides = np.zeros((len(time_s), strategies, cryptos), np.int8)
    return MarketColumns(time_s, np.zeros(cryptos, CRYPTO), legs, sides)


def readable(column: AnyColumn) -> AnyColumn:
    """Return a column as compiled code can read it: contiguous and aligned; one that is, is not copied."""
    if column.flags.c_contiguous and column.flags.aligned:
        return column
    return np.require(column, requirements=("C", "A"))


# Of so many closes at a time it is asked whether one has a signal.
_BLOCK = 16

_compiled = njit(cache=True, nogil=True)


# What it makes is called with other arguments than its type says.
_intrinsic: Any = extending.intrinsic


@_intrinsic
def _flags(context, address):  # type: ignore[no-untyped-def]  # compiled
    """Return the flags that are at an address, as numbers."""

    def pointer(context, builder, signature, arguments):  # type: ignore[no-untyped-def]  # of Numba
        return builder.inttoptr(arguments[0], context.get_value_type(signature.return_type))

    return types.CPointer(types.uint8)(types.int64), pointer  # type: ignore[no-untyped-call]


@_compiled
def _address(column, count):  # type: ignore[no-untyped-def]  # compiled
    """Return the address of a column, 0 if it is empty; whoever reads it there knows no other length."""
    if len(column) == 0:
        return 0
    if len(column) != count:
        raise ValueError("a column is not as long as its crypto has candles")
    return np.int64(column.ctypes.data)


# A signature makes this compile at import, once for all processes: the machine code is cached on disk.
@njit((CRYPTOS, types.int64, *(PRICES,) * 5, *(WHOLE,) * 2), cache=True, nogil=True)
def note_crypto(cryptos, number, open_, high, low, close, rank, step, ends):  # type: ignore[no-untyped-def]  # compiled
    """Note a crypto's columns; raise ValueError if one has another length than `step`, and is not empty."""
    noted, count = cryptos[number], len(step)
    noted.open, noted.high = _address(open_, count), _address(high, count)
    noted.low, noted.close = _address(low, count), _address(close, count)
    noted.rank, noted.step = _address(rank, count), _address(step, count)
    noted.ends, noted.end_count, noted.candle_count = _address(ends, len(ends)), len(ends), count


@njit(
    (LEGS, SIDES, *(types.int64,) * 2, *(FLAGS,) * 2, *(PRICES,) * 2, *(WHOLE,) * 2, *(types.boolean,) * 3),
    cache=True,
    nogil=True,
)
def note_orders(  # type: ignore[no-untyped-def]  # compiled
    legs, sides, crypto, strategy, buy, sell, atr, volatility, step, ends, at_close, may_long, may_short
):
    """Note a leg's columns, and the side that it asks for at the orders of each candle."""
    noted = legs[crypto * sides.shape[1] + strategy]
    noted.buy, noted.sell = _address(buy, len(step)), _address(sell, len(step))
    noted.atr_column = _address(atr, len(step))
    noted.volatility_column = _address(volatility, len(step))
    # Orders at an open are those of the close before.
    shift = 0 if at_close else 1
    long_mask, short_mask = np.uint8(may_long), np.uint8(may_short)
    count, buys, sells = len(step) - shift, _flags(noted.buy), _flags(noted.sell)
    for start in range(0, count, _BLOCK):
        end = min(start + _BLOCK, count)
        # Most closes ask for nothing: it is faster to look at many at once.
        if end - start == _BLOCK:
            found = np.uint8(0)
            for i in range(_BLOCK):
                found |= (buys[start + i] & long_mask) | (sells[start + i] & short_mask)
            if not found:
                continue
        for i in range(start, end):
            if buys[i] & long_mask:
                sides[step[i + shift], strategy, crypto] = 1
            elif sells[i] & short_mask:
                sides[step[i + shift], strategy, crypto] = -1
    if not at_close:
        for end in ends:
            # No signal fills across a break.
            if end + 1 < len(step):
                sides[step[end + 1], strategy, crypto] = 0
