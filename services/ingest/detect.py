"""Reads a candle file of any known format, which is detected by the content, because names often mislead."""

from collections.abc import Iterator
from pathlib import Path
from typing import IO, Protocol

from backcast_engine.errors import InvalidInput
from backcast_engine.interval import Interval
from services.domain.conflict_rule import ConflictRule
from services.ingest.assembly import Assembly
from services.ingest.candle_rows import CandleRows, TextReading
from services.ingest.columns.names import GivenNames
from services.ingest.files.other_files import refuse_other_kinds
from services.ingest.files.text_file import Progress, TextFile, open_file
from services.ingest.files.text_rows import TextRows, shown
from services.ingest.formats import (
    arrow,
    binance_csv,
    cryptodatadownload,
    freqtrade_json,
    headerless_csv,
    json_lines,
    json_tables,
    kraken_csv,
    parquet,
    plain_csv,
    yfinance_csv,
)
from services.ingest.formats.rest_answers import (
    binance,
    bybit,
    coinbase,
    deribit,
    dydx,
    htx,
    kraken,
    kraken_futures,
    kucoin,
    lighter,
    okx,
)
from services.ingest.identity.file_symbol import parse_file_name
from services.ingest.report import FileReading


class TableFormat(Protocol):
    """The interface of modules for files with typed columns."""

    NAME: str

    def sniff(self, magic: bytes) -> bool:
        """Return whether a file that begins with these bytes is of this format."""

    def read(self, content: IO[bytes], given: GivenNames) -> Iterator[CandleRows]:
        """Yield the rows in batches; raises InvalidInput if the file is not of this format after all."""


class TextFormat(Protocol):
    """The interface of modules for text formats; reports show `NAME`."""

    NAME: str

    def sniff(self, head: str) -> bool:
        """Return whether a file that begins with `head` is of this format."""

    def read(self, file: TextFile) -> Iterator[TextRows]:
        """Yield the rows in batches; raises InvalidInput if the file cannot be split into rows."""


class NamedTextFormat(TextFormat, Protocol):
    """A text format with named columns, which the user can map."""

    def read(self, file: TextFile, given: GivenNames = ...) -> Iterator[TextRows]:
        """Yield the rows in batches; raises InvalidInput if the file cannot be split into rows."""


TABLE_FORMATS: tuple[TableFormat, ...] = (arrow, parquet)
# The first format that fits is taken: headers of Binance and CryptoDataDownload are also valid in plain CSV,
# and several exchanges use the name `candles`.
LINE_FORMATS: tuple[TextFormat, ...] = (
    *(json_lines, cryptodatadownload, yfinance_csv, binance_csv, plain_csv, kraken_csv, headerless_csv),
)
JSON_FORMATS: tuple[TextFormat, ...] = (
    *(
        freqtrade_json,
        binance,
        bybit,
        kucoin,
        okx,
        htx,
        kraken,
        deribit,
        lighter,
        dydx,
        kraken_futures,
        coinbase,
    ),
    json_tables,
)
# Formats with named columns, which `--map` can map.
NAMED_FORMATS: tuple[NamedTextFormat, ...] = (
    *(json_lines, yfinance_csv, plain_csv, headerless_csv, json_tables),
)


def read_file(
    path: Path,
    interval: Interval,
    *,
    now_s: int,
    on_conflict: ConflictRule = ConflictRule.REPLACE,
    progress: Progress | None = None,
    given: GivenNames = GivenNames(),  # noqa: B008
    symbol: str | None = None,
    length_s: int | None = None,
) -> FileReading:
    """Return the candles of `interval` in a file, and the outcome of its other rows.

    Candles that are not closed at `now_s` (Unix seconds) are left out, candles of shorter intervals are
    aggregated, and nothing is filled in. If all rows were rejected, there are no candles. `progress` is
    called with the bytes read so far and the size of the file. `given` are column names of the user. `symbol`
    and `length_s`, the length of the file's candles in seconds, override the file. Raises InvalidInput, of
    the field `file`, if the file cannot be read, has no known format or no rows, is of several cryptos, if
    its name says that it has no candles of a crypto, or if its candles are longer than the interval or make
    none of it.
    """
    with open_file(path, progress) as file:
        file_name = parse_file_name(path, file.member)
        if file_name.no_candles and symbol is None:
            raise InvalidInput.of("file", f"{file_name.no_candles}, not candles of a crypto: give --symbol")
        name, row_name, blocks = _rows(file, given)
        assembly = Assembly(interval, now_s, on_conflict, row_name, file_name, symbol, length_s)
        for rows in blocks:
            assembly.add(rows)
    return assembly.reading(name)


def _rows(file: TextFile, given: GivenNames) -> tuple[str, str, Iterator[CandleRows]]:
    """Return the name of the file's format, what its rows are called, and the rows."""
    for table_format in TABLE_FORMATS:
        if table_format.sniff(file.magic):
            return table_format.NAME, "record", table_format.read(file.content(), given)
    refuse_other_kinds(file.magic)
    head = file.head()
    # Asking whether a line of JSON is a header would take longer than reading it.
    is_json = head.lstrip()[:1] in ("[", "{")
    formats = (json_lines, *JSON_FORMATS) if is_json else LINE_FORMATS
    text_format = next((each for each in formats if each.sniff(head)), None)
    row_name = "record" if text_format in JSON_FORMATS else "line"
    if given:
        named_format = _named_format(text_format, given)
        name, rows = named_format.NAME, named_format.read(file, given)
    elif text_format:
        name, rows = text_format.NAME, text_format.read(file)
    else:
        beginning = shown(head.lstrip().split("\n", 1)[0])
        raise InvalidInput.of("file", f"it begins with {beginning}: no known format of candles")
    return name, row_name, map(TextReading().candle_rows, rows)


def _named_format(text_format: TextFormat | None, given: GivenNames) -> NamedTextFormat:
    """Return the format of a file whose columns the user mapped; raise InvalidInput if they have no names."""
    if any(given.names.values()) and text_format in (None, binance_csv, kraken_csv, headerless_csv):
        return plain_csv  # its first line is a header of any names
    for named_format in NAMED_FORMATS:
        if named_format is text_format:
            return named_format
    known = f"its format is {text_format.NAME}" if text_format else "its format is not known"
    raise InvalidInput.of("file", f"--map is for files that name their columns, and {known}")
