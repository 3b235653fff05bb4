"""What is read of a table are its very ticks, whichever columns are asked for and however large they are."""

import numpy as np
from hypothesis import example, given, settings
from hypothesis import strategies as st

from backcast_engine.candles import VALUE_COLUMNS
from backcast_engine.interval import Interval
from services.data.store.database import Database
from services.data.store.sent_columns import SentColumns
from services.data.store.tables import CandleTable, ticks_of
from tests.candle_making import START_S

NAMES = ("ts", *VALUE_COLUMNS)
HALF = 2**32  # two numbers below travel as one

_SMALL = {"ts": START_S + 3600 * np.arange(2), **dict.fromkeys(VALUE_COLUMNS, np.array([7, 8]))}

_ticks = st.one_of(
    st.integers(0, HALF - 1),
    st.integers(HALF - 2, HALF + 1),
    st.integers(2**31 - 1, 2**31 + 1),
    st.integers(-(2**63), 2**63 - 1),
)
_rows = st.one_of(
    st.lists(st.tuples(*[st.integers(0, HALF - 1)] * 4, _ticks), max_size=5),
    st.lists(st.tuples(*[_ticks] * 5), max_size=5),
)


async def _read(
    database: Database, columns: dict[str, np.ndarray], names: list[str]
) -> tuple[list[np.ndarray], dict[int, list[np.ndarray]]]:
    """Return what is read of crypto 1 alone, and of it together with one of small numbers and one of none."""
    async with database.connection() as connection:
        transaction = connection.transaction()
        await transaction.start()
        try:
            table = CandleTable(connection, 1, Interval.HOUR_1)
            await table.insert_ticks(columns)
            await CandleTable(connection, 2, Interval.HOUR_1).insert_ticks(_SMALL)
            together = await ticks_of(connection, Interval.HOUR_1, [3, 1, 2], names)
            return await table.ticks(names), together
        finally:
            await transaction.rollback()


@settings(max_examples=200)
@given(rows=_rows, names=st.permutations(NAMES), count=st.integers(1, len(NAMES)))
@example(rows=[(HALF - 1,) * 5], names=list(NAMES), count=6)
@example(rows=[(1, 1, 1, HALF, 1), (1,) * 5], names=list(NAMES), count=6)
@example(rows=[(1,) * 5, (1, 1, -1, 1, 1)], names=["low", "high", *VALUE_COLUMNS[:1]], count=2)
async def test_ticks_are_read_as_they_were_written(module_database, rows, names, count):
    written = {
        "ts": START_S + 3600 * np.arange(len(rows)),
        **{
            name: np.array([row[place] for row in rows], np.int64) for place, name in enumerate(VALUE_COLUMNS)
        },
    }
    asked = names[:count]
    read, together = await _read(module_database, written, asked)
    assert [column.tolist() for column in read] == [written[name].tolist() for name in asked]
    assert {column.dtype for column in read} == {np.dtype(np.int64)}
    assert [column.tolist() for column in together[1]] == [column.tolist() for column in read]
    assert [column.tolist() for column in together[2]] == [_SMALL[name].tolist() for name in asked]
    assert [column.tolist() for column in together[3]] == [[] for _ in asked]


def test_only_prices_travel_in_pairs():
    assert SentColumns.paired(NAMES).groups == (("ts",), ("open", "high"), ("low", "close"), ("volume",))
    assert SentColumns.paired(["volume", "close", "ts"]).groups == (("volume",), ("close",), ("ts",))
