"""What the source of a move calls its tables and columns."""

from dataclasses import dataclass
from typing import Self

from services.domain.errors import InvalidInput
from services.ingest.columns.names import CANDLE_COLUMNS

# `id` is the key of the cryptos' table, `crypto_id` the one of the candles' table.
_ALL_COLUMNS = ("crypto_id", *CANDLE_COLUMNS, "id", "symbol")


@dataclass(frozen=True, slots=True)
class SourceNames:
    """The tables as the user writes them, and the columns that are not called by their default names."""

    table: str
    symbols_table: str
    mapped: dict[str, str]

    @classmethod
    def parse(cls, table: str, symbols_table: str, mappings: list[str]) -> Self:
        """Take `datetime=time`, for each column that has another name; raise InvalidInput for others."""
        mapped: dict[str, str] = {}
        for mapping in mappings:
            name, equals, column = mapping.partition("=")
            if not equals or not column or name not in _ALL_COLUMNS:
                raise InvalidInput.of(
                    "--map", f"{mapping!r} is no NAME=COLUMN; the names are {', '.join(_ALL_COLUMNS)}"
                )
            if name in mapped:
                raise InvalidInput.of("--map", f"{name} is there twice")
            mapped[name] = column
        return cls(table, symbols_table, mapped)

    def column(self, name: str) -> str:
        """Return what the source calls a column."""
        return self.mapped.get(name, name)


def quoted(name: str) -> str:
    """Return the name of a column or a part of a table's as SQL's identifier."""
    return '"{}"'.format(name.replace('"', '""'))


def quoted_table(name: str, option: str) -> str:
    """Return `table` or `schema.table` as SQL; raise InvalidInput, naming the option, for anything else."""
    parts = name.split(".")
    if len(parts) > 2 or not all(parts) or "\0" in name:
        raise InvalidInput.of(option, f"{name!r} is no table: TABLE or SCHEMA.TABLE")
    return ".".join(map(quoted, parts))
