"""Column files that tests write."""

from pathlib import Path

from backcast_engine.breaks import Break
from backcast_engine.candles import Candles
from backcast_engine.history import PartialCandles
from backcast_engine.interval import Interval
from backcast_engine.times import EARLIEST_S
from services.compute.candles.column_files import ColumnFiles
from services.compute.candles.fetched import FetchedHistory
from services.compute.candles.file_header import HEADER_WORDS
from services.compute.candles.location import DataVersion
from services.compute.candles.stored import NO_PARTIAL, StoredCandles
from tests.candle_making import random_candles

HOUR = Interval.HOUR_1


CANDLES = random_candles(1, 1000)


LATER_S = int(CANDLES.open_time_s[700])


CLOSE = ("close",)


# Of the file with the times and one column of CANDLES, in bytes: with room for later candles.
SIZE = 8 * (HEADER_WORDS + 2 * (1000 + 1000 // 16 + 24))


def put(
    files: ColumnFiles,
    symbol: str,
    fingerprint: str,
    columns: tuple[str, ...] = CLOSE,
    candles: Candles = CANDLES,
    unchanged_before_s: int | None = None,
    breaks: tuple[Break, ...] = (),
    partial: PartialCandles = NO_PARTIAL,
    since_s: int = EARLIEST_S,
) -> StoredCandles:
    """Write what a run that misses these columns since then would have fetched."""
    data = DataVersion(symbol, fingerprint)
    (missing,) = files.missing([data], HOUR, columns, since_s)
    candles = candles[int(candles.open_time_s.searchsorted(missing.since_s)) :]
    blocks = [candles[:600], candles[600:]]
    fetched = FetchedHistory(
        symbol, fingerprint, unchanged_before_s, blocks, breaks, partial, missing.since_s
    )
    files.write(missing, HOUR, fetched)
    return files.stored(data, HOUR, columns, since_s)


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}
