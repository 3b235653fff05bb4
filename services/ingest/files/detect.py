"""Reads a file of candles of any known format, told by its content: names of files often mislead."""

from collections.abc import Iterator
from pathlib import Path

from services.domain.conflict_rule import ConflictRule
from services.domain.errors import InvalidInput
from services.domain.interval import Interval
from services.ingest.assembly import Assembly
from services.ingest.candle_rows import CandleRows, TableFormat, TextReading
from services.ingest.columns.names import GivenNames
from services.ingest.files.text_file import Progress, TextFile, open_file
from services.ingest.files.text_rows import NamedTextFormat, TextFormat, shown
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
from services.ingest.identity.file_symbol import told_by_name
from services.ingest.identity.other_kinds import refuse_other_kinds
from services.ingest.report import FileReading

TABLE_FORMATS: tuple[TableFormat, ...] = (arrow, parquet)
# The first that fits is taken: headers of Binance and CryptoDataDownload are ones of plain CSV too, and
# several exchanges speak of `candles`.
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
# Those that name their columns: the user may say what they are called, with `--map`.
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
    """Return the candles of `interval` that a file holds, and what became of its other rows.

    Candles that are not closed at `now_s` (Unix seconds) are left out; those of shorter intervals are
    aggregated, and nothing is filled in. Where all rows were rejected, there are no candles. `progress` is
    told how many bytes were read, and how many there are. `given` is what the user says that columns are
    called. A `symbol` and `length_s`, how many seconds long the file's candles are, decide whatever the file
    tells of them. Raises InvalidInput, of the field `file`, if the file cannot be read, is of no known
    format, has no rows at all, is of several cryptos, its name tells that it holds no candles of a crypto, or
    its candles are longer than the interval or make none.
    """
    with open_file(path, progress) as file:
        file_name = told_by_name(path, file.member)
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
    """Return the format of a file whose columns the user names; raise InvalidInput if it has no names."""
    if any(given.names.values()) and text_format in (None, binance_csv, kraken_csv, headerless_csv):
        return plain_csv  # its first line is a header, of whatever words
    for named_format in NAMED_FORMATS:
        if named_format is text_format:
            return named_format
    known = f"its format is {text_format.NAME}" if text_format else "its format is not known"
    raise InvalidInput.of("file", f"--map is for files that name their columns, and {known}")
