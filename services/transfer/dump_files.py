"""The files of a dump: Parquet, one for each crypto and interval.

Prices and volumes are ticks, as in the database: nothing is rounded, and integers compress well.
"""

from hashlib import sha256
from pathlib import Path
from urllib.parse import quote

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from backcast_engine.candles import VALUE_COLUMNS
from backcast_engine.errors import InvalidInput
from backcast_engine.interval import Interval
from services.domain.ticks import TickColumn
from services.transfer.manifest import DumpedCrypto, DumpedFile

Columns = dict[str, TickColumn]

_TYPES = {"ts": pa.timestamp("ms", tz="UTC"), "candle_count": pa.int16()}
_MILLISECONDS = 1000


def column_names(interval: Interval) -> tuple[str, ...]:
    """Return the columns of the interval's table, without the crypto."""
    counts = () if interval is Interval.HOUR_1 else ("candle_count",)
    return (*counts, "ts", *VALUE_COLUMNS)


def write_file(folder: Path, symbol: str, interval: Interval, columns: Columns) -> DumpedFile:
    """Write columns of int64, shape (n,), `ts` in Unix seconds; raise InvalidInput if that fails."""
    table = pa.table(
        {
            name: pa.array(column * _MILLISECONDS if name == "ts" else column).cast(
                _TYPES.get(name, pa.int64())
            )
            for name, column in columns.items()
        }
    )
    sink = pa.BufferOutputStream()
    pq.write_table(
        table, sink, compression="zstd", use_dictionary=False, column_encoding="DELTA_BINARY_PACKED"
    )
    content = sink.getvalue()
    path = _path(folder, symbol, interval)
    try:
        path.write_bytes(content)
    except OSError as error:
        raise InvalidInput.of("FOLDER", f"{path} cannot be written: {error.strerror}") from None
    return DumpedFile(candles=table.num_rows, sha256=sha256(content).hexdigest())


def read_file(folder: Path, crypto: DumpedCrypto, interval: Interval) -> Columns:
    """Read the columns of a file that passed `check_file`; they are empty if the dump has no such file."""
    names = column_names(interval)
    if interval.value not in crypto.files:
        return {name: np.empty(0, np.int64) for name in names}
    path = _path(folder, crypto.symbol, interval)
    try:
        # From memory: memory-mapping or pyarrow's threads would be no faster.
        table = pq.read_table(pa.BufferReader(path.read_bytes()), columns=list(names), use_threads=False)
        columns = {name: table[name].cast(pa.int64()).to_numpy() for name in names}
    except (OSError, KeyError, pa.ArrowException):
        raise InvalidInput.of("FOLDER", f"{path} is not a file of a dump") from None
    return {**columns, "ts": columns["ts"] // _MILLISECONDS}


def check_file(folder: Path, crypto: DumpedCrypto, interval: Interval) -> None:
    """Raise InvalidInput if a file is missing, or is not the one that was dumped."""
    path = _path(folder, crypto.symbol, interval)
    try:
        with path.open("rb") as file:
            digest = sha256()
            while block := file.read(2**20):
                digest.update(block)
    except FileNotFoundError:
        raise InvalidInput.of("FOLDER", f"{path} is missing") from None
    except OSError as error:
        raise InvalidInput.of("FOLDER", f"{path} cannot be read: {error.strerror}") from None
    if digest.hexdigest() != crypto.files[interval.value].sha256:
        raise InvalidInput.of("FOLDER", f"{path} is damaged: its checksum is not the manifest's")


def _path(folder: Path, symbol: str, interval: Interval) -> Path:
    # Quoted, so that no symbol leads out of the folder.
    return folder / interval.value / f"{quote(symbol, safe='')}.parquet"
