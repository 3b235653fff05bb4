"""The order of prices that nothing names, told by their values.

Exchanges answer with lists of six: Coinbase's are low, high, open, close, Bitfinex's open, close, high, low.
In every row the high is the greatest and the low the smallest, and the open is near the close of the candle
before.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import permutations

import numpy as np
from numpy.typing import NDArray

from services.data.readers.edges import EDGE_TOLERANCE
from services.data.readers.number_style import numbers_of
from services.data.readers.text_rows import TextRows
from services.data.readers.time_column import read_times
from services.shared.errors import InvalidInput

# Where each price stands, as positions of open, high, low and close among the four columns.
Order = tuple[int, int, int, int]

_USUAL: Order = (0, 1, 2, 3)
_COINBASE: Order = (2, 1, 0, 3)
_BITFINEX: Order = (0, 2, 3, 1)
_KNOWN = (_USUAL, _COINBASE, _BITFINEX)
# So many rows tell the order; the rules of candles hold the others to it.
_TELLING_ROWS = 10_000
# Fewer steps from candle to candle may lie near by chance.
_TELLING_STEPS = 10
_BROKEN_SHARE = 0.05


def ordered(blocks: Iterable[TextRows]) -> Iterator[TextRows]:
    """Yield the rows with open, high, low and close in this order, behind the time.

    The first rows tell the order. Raises InvalidInput where they fit none, or more than one.
    """
    order: Order | None = None
    for rows in blocks:
        if order is None and rows.lines:
            order = _order_of_texts(rows)
        if order is None or order == _USUAL:
            yield rows
        else:
            time, *values = rows.columns
            yield replace(rows, columns=(time, *(values[place] for place in order), *values[4:]))


def order_of(open_time_s: NDArray[np.int64], columns: Sequence[NDArray[np.float64]]) -> Order:
    """Return where open, high, low and close are among four columns of prices, each of shape (n,).

    The usual order is taken where it fits, then those of exchanges, unless the steps from candle to candle
    tell that open and close are the other way round. Raises InvalidInput, of the field `file`, where no
    order fits nearly all rows, or several do and nothing decides.
    """
    prices = np.array(columns)
    top, bottom = prices.max(axis=0), prices.min(axis=0)
    is_top, is_bottom = prices >= top * (1 - EDGE_TOLERANCE), prices <= bottom * (1 + EDGE_TOLERANCE)
    fitting = {
        (high, low): float(np.mean(is_top[high] & is_bottom[low])) for high, low in permutations(range(4), 2)
    }
    best = max(fitting.values())
    # Broken rows of the usual order are for the report to tell.
    if best < 1 - _BROKEN_SHARE and not 0.5 <= fitting[_USUAL[1], _USUAL[2]] == best:
        raise InvalidInput.of(
            "file",
            "the order of its columns is unknown: no two of them are the highest and the lowest price of "
            "every row, tried in all orders of open, high, low, close",
        )
    found = [pair for pair, share in fitting.items() if share == best]
    known = next((order for order in _KNOWN if (order[1], order[2]) in found), None)
    if known is None and len(found) > 1:
        raise _ambiguous()
    high, low = (known[1], known[2]) if known else found[0]
    first, second = (known[0], known[3]) if known else sorted({0, 1, 2, 3} - {high, low})
    near, far, steps = _distances(open_time_s, prices[first], prices[second])
    if steps >= _TELLING_STEPS and 2 * far < near:
        return second, high, low, first
    if known or (steps >= _TELLING_STEPS and 2 * near < far):
        return first, high, low, second
    raise _ambiguous()


def _distances(
    open_time_s: NDArray[np.int64], opens: NDArray[np.float64], closes: NDArray[np.float64]
) -> tuple[float, float, int]:
    """Return how far opens are from the closes before, the other way round, and over how many steps."""
    order = np.argsort(open_time_s, kind="stable")
    distances = np.diff(open_time_s[order])
    if not (distances > 0).any():
        return 0, 0, 0
    is_step = distances == distances[distances > 0].min()
    opens, closes = opens[order], closes[order]
    near = np.abs(opens[1:] - closes[:-1])[is_step].sum()
    far = np.abs(closes[1:] - opens[:-1])[is_step].sum()
    return float(near), float(far), int(is_step.sum())


def _order_of_texts(rows: TextRows) -> Order | None:
    """Return the order that the first rows tell; None where none of them is all numbers."""
    time, *values_as_text = (column[:_TELLING_ROWS] for column in rows.columns[:5])
    times, reasons = read_times(time, lines=rows.lines[:_TELLING_ROWS])
    values = numbers_of(values_as_text)
    is_good = np.isfinite(values.sum(axis=0))
    is_good[list(reasons)] = False
    return order_of(times[is_good], [column[is_good] for column in values]) if is_good.any() else None


def _ambiguous() -> InvalidInput:
    return InvalidInput.of(
        "file",
        "the order of its columns is unknown: several fit, tried open, high, low, close, Coinbase's low, "
        "high, open, close, Bitfinex's open, close, high, low, and all others",
    )
