"""What is written in PostgreSQL's binary format is what is read, to the bit."""

from collections.abc import AsyncIterator
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from backcast_engine.times import EARLIEST_S, LATEST_S
from services.data.store.copy_format import HEADER, TRAILER, decode_rows, encode_rows
from services.data.store.database import Database

COLUMNS = ("ts", "open", "high", "low", "close", "volume")
YEAR_1970_S, YEAR_2000_S = 0, 946_684_800

_times = st.one_of(
    st.integers(EARLIEST_S, LATEST_S),
    *(st.integers(around - 2, around + 2) for around in (YEAR_1970_S, YEAR_2000_S)),
)
_ticks = st.integers(-(2**63), 2**63 - 1)
_rows = st.lists(st.tuples(_times, *[_ticks] * 5), min_size=1, max_size=20, unique_by=lambda row: row[0]).map(
    lambda rows: sorted(rows, key=lambda row: row[0])
)


async def _there_and_back(
    database: Database, crypto_id: int, columns: list[np.ndarray]
) -> tuple[list[Any], list[Any]]:
    copied = bytearray()

    async def collect(chunk: bytes) -> None:
        copied.extend(chunk)

    async def rows() -> AsyncIterator[bytes | bytearray]:
        yield HEADER
        yield encode_rows({"crypto_id": crypto_id, **dict(zip(COLUMNS, columns, strict=True))})
        yield TRAILER

    async with database.connection() as connection, connection.transaction():
        await connection.execute("CREATE TEMPORARY TABLE copied (LIKE candles_1h) ON COMMIT DROP")
        await connection.copy_to_table("copied", source=rows(), format="binary")
        ids = await connection.fetch(
            "SELECT crypto_id, extract(epoch FROM ts)::bigint FROM copied ORDER BY ts"
        )
        await connection.copy_from_query(
            f"SELECT {', '.join(COLUMNS)} FROM copied ORDER BY ts", output=collect, format="binary"
        )
    times, ticks = decode_rows(copied, COLUMNS)
    return [times, *ticks], [tuple(row) for row in ids]


@settings(max_examples=100)
@given(crypto_id=st.integers(1, 2**31 - 1), rows=_rows)
@example(crypto_id=1, rows=[(EARLIEST_S, 0, -1, 2**63 - 1, -(2**63), 2**53)])
async def test_ticks_go_there_and_back(module_database, crypto_id, rows):
    columns = [np.array(column, np.int64) for column in zip(*rows, strict=True)]
    back, stored = await _there_and_back(module_database, crypto_id, columns)
    assert [column.tolist() for column in back] == [column.tolist() for column in columns]
    assert stored == [(crypto_id, row[0]) for row in rows]


@pytest.mark.parametrize("count", [0, 1, 20_001])
async def test_numbers_of_any_size_go_there_and_back(module_database, count):
    columns = [3600 * np.arange(count, dtype=np.int64), *(np.arange(count) + part for part in range(5))]
    back, _ = await _there_and_back(module_database, 7, columns)
    assert [column.tolist() for column in back] == [column.tolist() for column in columns]


def test_columns_that_are_read_can_be_used_like_any():
    """Native byte order, and writable: Numba takes no other, and NumPy is slow with it."""
    times, ticks = decode_rows(HEADER + TRAILER, COLUMNS)
    assert [column.dtype for column in (times, *ticks)] == [np.dtype(np.int64)] * 6
    assert all(column.flags.c_contiguous and column.flags.writeable for column in (times, *ticks))
