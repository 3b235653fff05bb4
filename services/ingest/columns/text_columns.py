"""Adapters for text columns: times in two columns, files without volume."""

from collections.abc import Iterable, Iterator
from dataclasses import replace

import pyarrow as pa
import pyarrow.compute as pc

from services.ingest.files.text_rows import TextColumn, TextRows


def joined_times(blocks: Iterable[TextRows]) -> Iterator[TextRows]:
    """Yield the rows with their first two columns, date and time of day, joined."""
    for rows in blocks:
        dates, clocks, *others = rows.columns
        times = pc.binary_join_element_wise(_array(dates), _array(clocks), " ")
        yield replace(rows, columns=(times, *others))


def without_volume(blocks: Iterable[TextRows]) -> Iterator[TextRows]:
    """Yield the rows with a volume of 0 after the prices."""
    for rows in blocks:
        time, open_, high, low, close, *others = rows.columns
        zeros = pa.repeat(pa.scalar("0"), len(rows.lines))
        yield replace(rows, columns=(time, open_, high, low, close, zeros, *others))


def _array(column: TextColumn) -> pa.StringArray:
    return pa.array(column, pa.string())
