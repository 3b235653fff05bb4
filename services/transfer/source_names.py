"""Names of the tables and columns of a migration's source."""

from dataclasses import dataclass
from typing import Self

from backcast_engine.errors import InvalidInput
from services.ingest.columns.names import CANDLE_COLUMNS

# `id` is the key in the table of cryptos, `crypto_id` the key in the table of candles.
_ALL_COLUMNS = ("crypto_id", *CANDLE_COLUMNS, "id", "symbol")


@dataclass(frozen=True, slots=True)
class SourceNames:
    """The tables as the user wrote them, and the columns with other names than the default ones."""

    table: str
    symbols_table: str
    mapped: dict[str, str]

    @classmethod
    def parse(cls, table: str, symbols_table: str, mappings: list[str]) -> Self:
        """Parse mappings like `datetime=time`; raise InvalidInput if one is invalid."""
        mapped: dict[str, str] = {}
        for mapping in mappings:
            name, equals, column = mapping.partition("=")
            if not equals or not column or name not in _ALL_COLUMNS:
                raise InvalidInput.of(
                    "--map", f"{mapping!r} is not NAME=COLUMN; the names are {', '.join(_ALL_COLUMNS)}"
                )
            if name in mapped:
                raise InvalidInput.of("--map", f"{name} is given twice")
            mapped[name] = column
        return cls(table, symbols_table, mapped)

    def column(self, name: str) -> str:
        """Return the source's name of a column."""
        return self.mapped.get(name, name)


def quoted(name: str) -> str:
    """Quote a name as an SQL identifier."""
    return '"{}"'.format(name.replace('"', '""'))


def quoted_table(name: str, option: str) -> str:
    """Return `table` or `schema.table` as SQL; raise InvalidInput, naming the option, for anything else."""
    parts = name.split(".")
    if len(parts) > 2 or not all(parts) or "\0" in name:
        raise InvalidInput.of(option, f"{name!r} is not TABLE or SCHEMA.TABLE")
    return ".".join(map(quoted, parts))
