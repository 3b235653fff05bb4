"""The length of candles by their closing times, row by row."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from backcast_engine.candles import TimeColumn
from backcast_engine.errors import InvalidInput
from services.ingest.files.text_rows import TextRows
from services.ingest.identity.lengths import Evidence, length_words

# Exchanges close a candle early when they stop for maintenance.
_MOST_SHORTER = 0.05

_SOURCE = "its close time"


def closed_by_last_column(blocks: Iterable[TextRows]) -> Iterator[TextRows]:
    """Yield the rows with their last column as closing times."""
    for rows in blocks:
        *columns, close_time = rows.columns
        yield replace(rows, columns=tuple(columns), close_time=close_time)


def lengths_from(open_time_s: TimeColumn, close_time_s: TimeColumn) -> NDArray[np.int64]:
    """Return the length of each candle in seconds, shape (n,), from the seconds in which it opens and closes.

    A candle closes when the next one opens, or in the second before.
    """
    lengths: NDArray[np.int64] = close_time_s - open_time_s
    lengths += lengths % 60 == 59
    return lengths


def length_by_close_times(lengths: Counter[int]) -> list[Evidence]:
    """Return the evidence of the closing times, from the numbers of candles by length; empty without any.

    Raises InvalidInput, of the field `file`, if candles have several lengths.
    """
    lengths = Counter({length_s: count for length_s, count in lengths.items() if length_s > 0})
    if not lengths:
        return []
    (usual_s, _), *others = lengths.most_common()
    shorter = sum(count for _, count in others)
    if others and (max(lengths) > usual_s or shorter > _MOST_SHORTER * lengths.total()):
        counts = ", ".join(
            f"{length_words(length_s)} of {count:,}" for length_s, count in lengths.most_common(3)
        )
        raise InvalidInput.of("file", f"by its closing times, its candles differ in length: {counts}")
    return [Evidence(_SOURCE, usual_s)]
