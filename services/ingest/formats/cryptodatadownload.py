"""CryptoDataDownload's files: a line about the site, one of several headers, newest candle first."""

from collections.abc import Iterator

from backcast_engine.errors import InvalidInput
from services.ingest.columns.names import GivenNames, column_key, find_columns
from services.ingest.files.text_file import TextFile
from services.ingest.files.text_rows import TextRows, shown
from services.ingest.formats.delimited import first_row, header_names, lines_above_header
from services.ingest.formats.plain_csv import read_columns

NAME = "cryptodatadownload"

_SITE = "cryptodatadownload"
_PRICES = ("open", "high", "low", "close")


def sniff(head: str) -> bool:
    """Return whether the first line names the site, or a header names the volumes as only this site does."""
    names = set(map(column_key, header_names(head)))
    return _SITE in head.split("\n", 1)[0].lower() or {"symbol", "volumefrom"} <= names


def read(file: TextFile) -> Iterator[TextRows]:
    """Yield the rows; raises InvalidInput, naming the column, if one is missing."""
    head = file.head()
    header_lines = 2 if _SITE in head.split("\n", 1)[0].lower() else lines_above_header(head) + 1
    names = header_names(head.split("\n", header_lines - 1)[-1])
    keys = list(map(column_key, names))
    missing = [name for name in (*_PRICES, "symbol") if name not in keys]
    if missing:
        raise InvalidInput.of("file", f"it has no column {', '.join(missing)}")
    row = first_row(head, header_lines, len(names))
    volume = _base_volume(keys, row[keys.index("symbol")] if row else "")
    columns = find_columns(names, GivenNames({"volume": names[keys.index(volume)]}), row)
    return read_columns(file, header_lines, len(names), columns)


def _base_volume(names: list[str], symbol: str) -> str:
    """Return the column of the volume in the crypto itself.

    The other volume is in the quote currency, and only the symbol says which is which: `volumebtc` is the
    quote volume of XRPBTC, but the base volume of BTCUSD, where a plain `volume` beside it is the quote
    volume.
    """
    if "volumefrom" in names:
        return "volumefrom"
    found = [
        name
        for name in names
        if name.startswith("volume")
        and name.removeprefix("volume")
        and symbol.upper().startswith(name.removeprefix("volume").upper())
    ]
    if len(found) != 1:
        raise InvalidInput.of("file", f"its header does not name the volume in the crypto of {shown(symbol)}")
    return found[0]
