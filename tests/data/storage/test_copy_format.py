"""What is written in PostgreSQL's binary format is what is read, to the bit."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from services.data.copy_format import HEADER, TRAILER, decode_candles, encode_rows
from services.data.database import Database
from services.shared.candles import Candles

from .conftest import bits, candles_of

YEAR_1_S, YEAR_10000_S = -62_135_596_800, 253_402_300_800
YEAR_1970_S, YEAR_2000_S = 0, 946_684_800

_times = st.one_of(
    st.integers(YEAR_1_S, YEAR_10000_S - 1),
    *(st.integers(around - 2, around + 2) for around in (YEAR_1970_S, YEAR_2000_S)),
)
_rows = st.lists(
    st.tuples(_times, *[st.floats()] * 5), min_size=1, max_size=20, unique_by=lambda row: row[0]
).map(lambda rows: sorted(rows, key=lambda row: row[0]))
_LEAST, _GREATEST = 5e-324, 1.7976931348623157e308


async def _there_and_back(database: Database, crypto_id: int, candles: Candles) -> tuple[Candles, list]:
    copied = bytearray()

    async def collect(chunk: bytes) -> None:
        copied.extend(chunk)

    async def rows():
        yield HEADER
        yield encode_rows(crypto_id, candles)
        yield TRAILER

    async with database.connection() as connection, connection.transaction():
        await connection.execute("CREATE TEMPORARY TABLE copied (LIKE candles_1h) ON COMMIT DROP")
        await connection.copy_to_table("copied", source=rows(), format="binary")
        ids = await connection.fetch(
            "SELECT crypto_id, extract(epoch FROM ts)::bigint FROM copied ORDER BY ts"
        )
        await connection.copy_from_query(
            "SELECT ts, open, high, low, close, volume FROM copied ORDER BY ts",
            output=collect,
            format="binary",
        )
    return decode_candles(copied), [tuple(row) for row in ids]


@settings(deadline=None, max_examples=100)
@given(crypto_id=st.integers(1, 2**31 - 1), rows=_rows)
@example(crypto_id=1, rows=[(YEAR_1_S, 0.0, -0.0, float("nan"), float("inf"), -float("inf"))])
@example(crypto_id=1, rows=[(YEAR_10000_S - 1, _LEAST, _GREATEST, 1 / 3, 0.1 + 0.2, 2.0**53 + 2)])
async def test_candles_go_there_and_back(module_database, crypto_id, rows):
    candles = candles_of(rows)
    back, stored = await _there_and_back(module_database, crypto_id, candles)
    assert bits(back) == bits(candles)
    assert stored == [(crypto_id, time_s) for time_s in candles.open_time_s.tolist()]


@pytest.mark.parametrize("count", [0, 1, 20_001])
async def test_of_any_number(module_database, count):
    column = np.arange(count, dtype=np.float64)
    candles = Candles(3600 * np.arange(count, dtype=np.int64), *(column + part for part in range(5)))
    back, _ = await _there_and_back(module_database, 7, candles)
    assert bits(back) == bits(candles)


def test_columns_that_are_read_can_be_used_like_any():
    """Native byte order, and writable: Numba takes no other, and NumPy is slow with it."""
    back = decode_candles(HEADER + TRAILER)
    assert [column.dtype for column in back.columns()] == [np.dtype(np.int64)] + [np.dtype(np.float64)] * 5
    assert all(column.flags.c_contiguous and column.flags.writeable for column in back.columns())
