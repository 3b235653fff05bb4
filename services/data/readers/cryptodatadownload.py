"""CryptoDataDownload's files: a line about the site, one of several headers, the newest candle first."""

from collections.abc import Iterator

from services.data.readers.delimited import header_names, read_lines
from services.data.readers.plain_csv import time_name
from services.data.readers.symbol_column import told_by_last_column
from services.data.readers.text_file import TextFile
from services.data.readers.text_rows import TextRows, shown
from services.shared.errors import InvalidInput

NAME = "cryptodatadownload"

_SITE = "cryptodatadownload"
_PRICES = ("open", "high", "low", "close")


def sniff(head: str) -> bool:
    """Tell whether the first line names the site, or a header names the volumes as only this site does."""
    return _SITE in head.split("\n", 1)[0].lower() or {"symbol", "volumefrom"} <= set(header_names(head))


def read(file: TextFile) -> Iterator[TextRows]:
    """Yield the rows; raises InvalidInput, naming the column, where one is missing."""
    head = file.head()
    header_lines = 2 if _SITE in head.split("\n", 1)[0].lower() else 1
    first, *rows = head.split("\n")[header_lines - 1 :] or [""]
    names = header_names(first)
    missing = [name for name in (*_PRICES, "symbol") if name not in names]
    if missing:
        raise InvalidInput.of("file", f"it has no column {', '.join(missing)}")
    symbol = next(
        (row.split(",")[names.index("symbol")] for row in rows if row.count(",") + 1 == len(names)), ""
    )
    wanted = (time_name(names), *_PRICES, _base_volume(names, symbol), "symbol")
    return told_by_last_column(
        read_lines(file, header_lines, len(names), [names.index(name) for name in wanted])
    )


def _base_volume(names: list[str], symbol: str) -> str:
    """Return the column of the volume that is counted in the crypto itself.

    The other is in the currency that it is priced in; which is which, only the symbol tells: XRPBTC's
    `volume_btc` is the price's, that of BTCUSD is the crypto's, and plain `volume` beside it the price's.
    """
    if "volumefrom" in names:
        return "volumefrom"
    found = [
        name
        for name in names
        if name.startswith("volume_") and symbol.upper().startswith(name.removeprefix("volume_").upper())
    ]
    if len(found) != 1:
        raise InvalidInput.of("file", f"its header does not name the volume in the crypto of {shown(symbol)}")
    return found[0]
