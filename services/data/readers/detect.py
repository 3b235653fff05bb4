"""Reads a file of candles of any known format, told by its content: names of files often mislead."""

from collections.abc import Callable
from pathlib import Path

from services.data.conflict_rule import ConflictRule
from services.data.readers import binance_csv, freqtrade_json, kraken_csv, plain_csv
from services.data.readers.assembly import assemble
from services.data.readers.file_symbol import symbol_of
from services.data.readers.file_text import read_text
from services.data.readers.report import FileReading
from services.data.readers.spacing import refuse_other_lengths
from services.data.readers.text_rows import TextFormat, shown
from services.shared.errors import InvalidInput
from services.shared.interval import Interval

# The first that fits is taken: Binance's header is one of plain CSV too.
TEXT_FORMATS: tuple[TextFormat, ...] = (binance_csv, plain_csv, kraken_csv, freqtrade_json)

_SNIFFED_CHARACTERS = 65_536


def read_file(
    path: Path,
    interval: Interval,
    *,
    now_s: int = 2**62,
    on_conflict: ConflictRule = ConflictRule.REPLACE,
    progress: Callable[[int, int], None] | None = None,
) -> FileReading:
    """Return the candles of `interval` that a file holds, and the rows of it that were rejected.

    Nothing is filled in. Where all rows were rejected, there are no candles. Raises InvalidInput, of the
    field `file`, where the file cannot be read, is of no known format, has no rows at all, or
    holds candles of another interval.
    """
    text = read_text(path)
    text_format = _detected(text)
    rows = text_format.read(text)
    if not rows.lines and not rows.misshapen:
        raise InvalidInput.of("file", "it holds no candles")
    candles, rejections, duplicates = assemble(rows, interval)
    refuse_other_lengths(candles, rejections, interval)
    closed = candles.at(candles.open_time_s <= now_s - interval.seconds)
    return FileReading(
        text_format.NAME,
        symbol_of(path),
        closed,
        rejections,
        duplicates,
        rejected=len(rejections),
        still_open=len(candles) - len(closed),
        zero_volume=int((closed.volume == 0).sum()),
    )


def _detected(text: str) -> TextFormat:
    head = text[:_SNIFFED_CHARACTERS]
    for text_format in TEXT_FORMATS:
        if text_format.sniff(head):
            return text_format
    known = ", ".join(text_format.NAME for text_format in TEXT_FORMATS)
    raise InvalidInput.of(
        "file", f"it begins with {shown(head.lstrip().split(chr(10), 1)[0])}: no known format ({known})"
    )
