"""Detects the order of unnamed price and volume columns by their values.

Exchanges answer with lists of six values: Coinbase's are time, low, high, open, close, volume; Bitfinex's are
time, open, close, high, low, volume. The prices of a row are near each other, and the volume is not. In every
row the high is the greatest price and the low the smallest, and the open is near the close of the candle
before.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import permutations

import numpy as np
from numpy.typing import NDArray

from backcast_engine.errors import InvalidInput
from services.ingest.columns.number_style import numbers_of
from services.ingest.columns.time_column import read_times
from services.ingest.files.text_rows import TextRows
from services.ingest.quality.edges import EDGE_TOLERANCE

# Positions of open, high, low, close and volume among the five columns after the time.
Order = tuple[int, int, int, int, int]

_USUAL: Order = (0, 1, 2, 3, 4)
# Positions of open, high, low and close among the four prices.
_KNOWN = ((0, 1, 2, 3), (2, 1, 0, 3), (0, 2, 3, 1))  # the usual order, Coinbase's, Bitfinex's
# Rows that decide the order; the rules of candles check it for the others.
_DECISIVE_ROWS = 10_000
# Steps from candle to candle that are needed for an unusual order; fewer could fit by chance.
_DECISIVE_STEPS = 10
_FEWEST_STEPS = 2
_BROKEN_SHARE = 0.05
# The high of a candle is rarely more than this factor above its low.
_LARGEST_SPREAD = 2.0


def ordered(blocks: Iterable[TextRows]) -> Iterator[TextRows]:
    """Yield the rows with time, open, high, low, close and volume in this order.

    The first rows decide the order. Raises InvalidInput if they fit none, or more than one.
    """
    order: Order | None = None
    for rows in blocks:
        if order is None and rows.lines:
            order = _order_of_texts(rows)
        if order is None or order == _USUAL:
            yield rows
        else:
            time, *values = rows.columns
            yield replace(rows, columns=(time, *(values[place] for place in order), *values[5:]))


def order_of(open_time_s: NDArray[np.int64], columns: Sequence[NDArray[np.float64]]) -> Order:
    """Return the positions of open, high, low, close and volume among five columns, each of shape (n,).

    Raises InvalidInput, of the field `file`, if no order fits nearly all rows, or several do and nothing
    decides. With fewer than ten steps from candle to candle, only the orders that exchanges use are
    considered.
    """
    values = np.array(columns)
    volume = _volume_of(values)
    places = [place for place in range(5) if place != volume]
    prices = values[places]
    fitting = _fitting(prices)
    best = max(fitting.values())
    # Broken rows of the usual order are left to the report.
    if best < 1 - _BROKEN_SHARE and not 0.5 <= fitting[1, 2] == best:
        raise _unknown(
            "no two of them are the highest and the lowest price of every row, tried in all orders of open, "
            "high, low, close"
        )
    found = [pair for pair, share in fitting.items() if share == best]
    known = next((order for order in _KNOWN if (order[1], order[2]) in found), None)
    if known is None and len(found) > 1:
        raise _ambiguous()
    high, low = (known[1], known[2]) if known else found[0]
    first, second = (known[0], known[3]) if known else sorted({0, 1, 2, 3} - {high, low})
    is_forward = _is_forward(open_time_s, prices[first], prices[second], prices[high] - prices[low])
    if is_forward is None or (len(open_time_s) <= _DECISIVE_STEPS and not (known and is_forward)):
        raise _ambiguous()
    open_, close = (first, second) if is_forward else (second, first)
    return places[open_], places[high], places[low], places[close], volume


def _volume_of(values: NDArray[np.float64]) -> int:
    """Return which of five columns, of shape (5, n), is the volume: only the other four can be prices.

    Raises InvalidInput if no column can be the volume, or several can.
    """
    fitting = {}
    for volume in range(5):
        prices = np.delete(values, volume, axis=0)
        top, bottom = prices.max(axis=0), prices.min(axis=0)
        is_near = (bottom > 0) & (top <= _LARGEST_SPREAD * bottom)
        if np.mean(is_near) >= 0.5:
            fitting[volume] = max(_fitting(prices).values())
    best = max(fitting.values(), default=0)
    possible = [volume for volume, share in fitting.items() if share >= min(best, 1 - _BROKEN_SHARE)]
    if not possible:
        raise _unknown("no four of them are prices that are near each other, as those of a candle are")
    if len(possible) > 1:
        raise _unknown("more than one of them may be the volume, so alike are they")
    return possible[0]


def _fitting(prices: NDArray[np.float64]) -> dict[tuple[int, int], float]:
    """Return the share of rows in which one of four columns is the highest and another the lowest price."""
    is_top = prices >= prices.max(axis=0) * (1 - EDGE_TOLERANCE)
    is_bottom = prices <= prices.min(axis=0) * (1 + EDGE_TOLERANCE)
    return {
        (high, low): float(np.mean(is_top[high] & is_bottom[low])) for high, low in permutations(range(4), 2)
    }


def _is_forward(
    open_time_s: NDArray[np.int64],
    opens: NDArray[np.float64],
    closes: NDArray[np.float64],
    ranges: NDArray[np.float64],
) -> bool | None:
    """Return whether these are opens and closes in this order; None if that is undecided.

    An open is nearer to the previous close than a close to the previous open. The fewer steps there are, the
    clearer they must be: in real histories, two steps are never wrong by a factor of 20 if the prices moved
    by a quarter of the candles' ranges.
    """
    if (opens == closes).all():
        return True
    order = np.argsort(open_time_s, kind="stable")
    distances = np.diff(open_time_s[order])
    if not (distances > 0).any():
        return None
    is_step = distances == distances[distances > 0].min()
    steps = int(is_step.sum())
    opens, closes, ranges = opens[order], closes[order], ranges[order]
    near = np.abs(opens[1:] - closes[:-1])[is_step].sum()
    far = np.abs(closes[1:] - opens[:-1])[is_step].sum()
    least = 0 if steps >= _DECISIVE_STEPS else ranges.sum() / 4
    factor = max(2, 40 / max(steps, 1))
    if steps < _FEWEST_STEPS or max(near, far) <= least:
        return None
    if factor * near < far:
        return True
    return False if factor * far < near else None


def _order_of_texts(rows: TextRows) -> Order | None:
    """Return the order by the first rows; None if none of them consists of numbers."""
    time, *values_as_text = (column[:_DECISIVE_ROWS] for column in rows.columns[:6])
    times, reasons = read_times(time, lines=rows.lines[:_DECISIVE_ROWS])
    values = numbers_of(values_as_text)
    is_good = np.isfinite(values.sum(axis=0))
    is_good[list(reasons)] = False
    return order_of(times[is_good], [column[is_good] for column in values]) if is_good.any() else None


def _unknown(reason: str) -> InvalidInput:
    return InvalidInput.of("file", f"the order of its columns is unknown: {reason}")


def _ambiguous() -> InvalidInput:
    return _unknown(
        "several fit, tried open, high, low, close, Coinbase's low, high, open, close, Bitfinex's open, "
        "close, high, low, and all others"
    )
