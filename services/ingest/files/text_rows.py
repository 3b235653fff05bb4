"""Rows of a file as text: what a text format makes of a file, before any value is looked at."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeAlias

import pyarrow as pa

from services.ingest.report import Rejection

if TYPE_CHECKING:
    from services.ingest.columns.names import GivenNames
    from services.ingest.files.text_file import TextFile

# What a row tells of a candle, in this order.
CANDLE_FIELDS = ("time", "open", "high", "low", "close", "volume")

# Arrow's columns are read without an object for each text.
TextColumn: TypeAlias = "list[str] | pa.StringArray"

_SHOWN_CHARACTERS = 32


@dataclass(frozen=True, slots=True)
class TextRows:
    """Rows of a file whose shape is right, and the others.

    `columns` are time, open, high, low, close and volume as the file writes them, each n long, in the
    file's order; `lines` are the n line numbers (from 1; in JSON the records' numbers). `symbol` and
    `length_s`, the candles' length in seconds, are what the content itself tells, None if it does not.
    `close_time` is when the candles close as the file writes it, n long, None if it has no such column.
    `still_open` counts the rows that were left out because the file says that their candles had not closed.
    """

    lines: Sequence[int]
    columns: tuple[TextColumn, ...]
    misshapen: tuple[Rejection, ...] = ()
    symbol: str | None = None
    length_s: int | None = None
    close_time: "TextColumn | None" = None
    still_open: int = 0


class TextFormat(Protocol):
    """A format of text files: what the modules offer that `detect` lists. `NAME` is for reports."""

    NAME: str

    def sniff(self, head: str) -> bool:
        """Return whether a file that begins with `head` is of this format."""

    def read(self, file: "TextFile") -> Iterator[TextRows]:
        """Yield the rows, some at once; raises InvalidInput if they cannot be told apart."""


class NamedTextFormat(TextFormat, Protocol):
    """A format of text files that name their columns, by names that the user may tell."""

    def read(self, file: "TextFile", given: "GivenNames" = ...) -> Iterator[TextRows]:
        """Yield the rows, some at once; raises InvalidInput if they cannot be told apart."""


def shown(text: str) -> str:
    """Return a file's text as messages show it: quoted, harmless to terminals, and short."""
    return repr(text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}…")
