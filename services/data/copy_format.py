"""PostgreSQL's binary COPY format, to and from columns, without a Python object per row.

A candle's row has a fixed size, because no column is null: a field count, then for each field its size
and its value, all big-endian. https://www.postgresql.org/docs/current/sql-copy.html, "Binary Format".
"""

import numpy as np

from services.shared.candles import Candles, TimeColumn

_COLUMNS = ("ts", "open", "high", "low", "close", "volume")


def _row(**types: str) -> np.dtype[np.void]:
    sized = (((f"{name}_size", ">i4"), (name, kind)) for name, kind in types.items())
    return np.dtype([("field_count", ">i2"), *(field for pair in sized for field in pair)])


_CANDLE = {name: ">i8" if name == "ts" else ">f8" for name in _COLUMNS}
_READ_ROW = _row(**_CANDLE)
_WRITTEN_ROW = _row(crypto_id=">i4", **_CANDLE)
# Signature, flags, and the length of a header extension that there is not.
HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)
TRAILER = b"\xff\xff"

# PostgreSQL counts microseconds from 2000-01-01.
_POSTGRES_EPOCH_S = 946_684_800
_MICROSECONDS = 1_000_000


def decode_candles(copied: bytes | bytearray) -> Candles:
    """Return the candles of a whole COPY of ts, open, high, low, close, volume."""
    count = (len(copied) - len(HEADER)) // _READ_ROW.itemsize
    rows = np.frombuffer(copied, _READ_ROW, offset=len(HEADER), count=count)
    open_time_s: TimeColumn = rows["ts"].astype(np.int64) // _MICROSECONDS + _POSTGRES_EPOCH_S
    return Candles(open_time_s, *(rows[name].astype(np.float64) for name in _COLUMNS[1:]))


def encode_rows(crypto_id: int, candles: Candles) -> bytes:
    """Return the rows of a COPY of crypto_id and the candles' columns, without header and trailer."""
    rows = np.empty(len(candles), _WRITTEN_ROW)
    rows["field_count"] = 1 + len(_COLUMNS)
    rows["crypto_id_size"] = 4
    rows["crypto_id"] = crypto_id
    for name, column in zip(_COLUMNS, candles.columns(), strict=True):
        rows[f"{name}_size"] = 8
        rows[name] = (column - _POSTGRES_EPOCH_S) * _MICROSECONDS if name == "ts" else column
    return rows.tobytes()
