"""Reads a file of candles of any known format, told by its content: names of files often mislead."""

from collections.abc import Iterator
from pathlib import Path

from services.data.conflict_rule import ConflictRule
from services.data.readers import (
    arrow,
    binance_csv,
    cryptodatadownload,
    freqtrade_json,
    kraken_csv,
    parquet,
    plain_csv,
)
from services.data.readers.assembly import Assembly
from services.data.readers.candle_rows import CandleRows, TableFormat, from_text
from services.data.readers.file_symbol import told_by_name
from services.data.readers.report import FileReading
from services.data.readers.rest_answers import (
    binance,
    bybit,
    coinbase,
    deribit,
    dydx,
    kraken,
    kraken_futures,
    lighter,
    okx,
)
from services.data.readers.text_file import Progress, TextFile, open_file
from services.data.readers.text_rows import TextFormat, shown
from services.shared.errors import InvalidInput
from services.shared.interval import Interval

TABLE_FORMATS: tuple[TableFormat, ...] = (arrow, parquet)
# The first that fits is taken: headers of Binance and CryptoDataDownload are ones of plain CSV too, and
# several exchanges speak of `candles`.
LINE_FORMATS: tuple[TextFormat, ...] = (cryptodatadownload, binance_csv, plain_csv, kraken_csv)
JSON_FORMATS: tuple[TextFormat, ...] = (
    *(freqtrade_json, binance, bybit, okx, kraken, deribit, lighter, dydx, kraken_futures, coinbase),
)


def read_file(
    path: Path,
    interval: Interval,
    *,
    now_s: int,
    on_conflict: ConflictRule = ConflictRule.REPLACE,
    progress: Progress | None = None,
    symbol: str | None = None,
    length_s: int | None = None,
) -> FileReading:
    """Return the candles of `interval` that a file holds, and what became of its other rows.

    Candles that are not closed at `now_s` (Unix seconds) are left out; those of shorter intervals are
    aggregated, and nothing is filled in. Where all rows were rejected, there are no candles. `progress` is
    told how many bytes were read, and how many there are. A `symbol` and `length_s`, how many seconds long
    the file's candles are, decide whatever the file tells of them. Raises InvalidInput, of the field `file`,
    where the file cannot be read, is of no known format, has no rows at all, is of several cryptos, its name
    tells that it holds no candles of a crypto, or its candles are longer than the interval or make none.
    """
    file_name = told_by_name(path)
    if file_name.no_candles and symbol is None:
        raise InvalidInput.of("file", f"{file_name.no_candles}, not candles of a crypto: give --symbol")
    with open_file(path, progress) as file:
        name, row_name, blocks = _rows(file)
        assembly = Assembly(interval, now_s, on_conflict, row_name, file_name, symbol, length_s)
        for rows in blocks:
            assembly.add(rows)
    return assembly.reading(name)


def _rows(file: TextFile) -> tuple[str, str, Iterator[CandleRows]]:
    """Return the name of the file's format, what its rows are called, and the rows."""
    for table_format in TABLE_FORMATS:
        if table_format.sniff(file.magic):
            return table_format.NAME, "record", table_format.read(file.content())
    head = file.head()
    for text_format in LINE_FORMATS + JSON_FORMATS:
        if text_format.sniff(head):
            row_name = "line" if text_format in LINE_FORMATS else "record"
            return text_format.NAME, row_name, map(from_text, text_format.read(file))
    beginning = shown(head.lstrip().split("\n", 1)[0])
    raise InvalidInput.of("file", f"it begins with {beginning}: no known format of candles")
