"""The statements that read a migration's source, built from its catalog."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from backcast_engine.errors import InvalidInput
from services.ingest.columns.names import CANDLE_COLUMNS
from services.transfer.source_names import SourceNames, quoted, quoted_table

if TYPE_CHECKING:
    import asyncpg

    Connection = asyncpg.Connection[asyncpg.Record]

# The expression that sends each type of time as eight bytes; a missing time is sent as infinity.
_SENT_TIMES = {
    "timestamp with time zone": "timestamptz_send(coalesce({}, 'infinity'))",
    "timestamp without time zone": "timestamp_send(coalesce({}, 'infinity'))",
    "date": "timestamp_send(coalesce({}::timestamp, 'infinity'))",
}
_SENT_NUMBER = "float8send(coalesce({}::float8, 'NaN'))"
_NUMBERS = ("smallint", "integer", "bigint", "numeric", "real", "double precision")


@dataclass(frozen=True, slots=True)
class SourceQueries:
    """The statements: `market` lists key, symbol and number of rows; `rows` has all columns of the crypto $1.

    `rows` returns each column as one value, eight bytes per row: the time, then the numbers as doubles. With
    `has_epochs`, the times are doubles too.
    """

    market: str
    rows: str
    has_epochs: bool


async def read_queries(connection: "Connection", names: SourceNames) -> SourceQueries:
    """Build the statements; raise InvalidInput, naming the option, if a table or column does not exist."""
    table = quoted_table(names.table, "--table")
    symbols_table = quoted_table(names.symbols_table, "--symbols-table")
    types = await _types(connection, table, names.table, "--table")
    symbols_types = await _types(connection, symbols_table, names.symbols_table, "--symbols-table")
    # Both names are common; if the source has neither, the error names the default one.
    if "id" not in names.mapped and "id" not in symbols_types and "crypto_id" in symbols_types:
        names = SourceNames(names.table, names.symbols_table, {**names.mapped, "id": "crypto_id"})
    crypto_id = _column(names, "crypto_id", types, names.table)
    key = _column(names, "id", symbols_types, names.symbols_table)
    symbol = _column(names, "symbol", symbols_types, names.symbols_table)
    columns = {name: _column(names, name, types, names.table) for name in CANDLE_COLUMNS}

    time, *numbers = columns
    time_type = types[names.column(time)]
    if time_type not in _SENT_TIMES and time_type not in _NUMBERS:
        raise _wrong_type(names, time, time_type, "a time or an epoch")
    for name in numbers:
        if types[names.column(name)] not in _NUMBERS:
            raise _wrong_type(names, name, types[names.column(name)], "a number")
    sent = [
        _SENT_TIMES.get(time_type, _SENT_NUMBER).format(columns[time]),
        *(_SENT_NUMBER.format(columns[name]) for name in numbers),
    ]
    return SourceQueries(
        market=f"SELECT listed.key, symbols.{symbol}::text, listed.rows "
        f"FROM (SELECT {crypto_id} AS key, count(*) AS rows FROM {table} GROUP BY 1) AS listed "
        f"LEFT JOIN {symbols_table} AS symbols ON symbols.{key} = listed.key ORDER BY 2, 1",
        rows=f"SELECT {', '.join(f'string_agg({each}, NULL)' for each in sent)} "
        f"FROM {table} WHERE {crypto_id} = $1",
        has_epochs=time_type not in _SENT_TIMES,
    )


async def _types(connection: "Connection", table: str, name: str, option: str) -> dict[str, str]:
    """Return the type of each column; for a domain, its base type."""
    rows = await connection.fetch(
        "SELECT attname, format_type(coalesce(nullif(typbasetype, 0), atttypid), NULL) AS type "
        "FROM pg_attribute JOIN pg_type ON pg_type.oid = atttypid "
        "WHERE attrelid = to_regclass($1) AND attnum > 0 AND NOT attisdropped",
        table,
    )
    if not rows:
        raise InvalidInput.of(option, f"the source has no table {name!r}")
    return {row["attname"]: row["type"] for row in rows}


def _column(names: SourceNames, name: str, types: dict[str, str], table: str) -> str:
    """Return a column as SQL; raise InvalidInput if the table has no column of this name."""
    column = names.column(name)
    if column not in types:
        raise InvalidInput.of(
            "--map", f"{table} has no column {column!r} for {name}: it has {', '.join(sorted(types))}"
        )
    return quoted(column)


def _wrong_type(names: SourceNames, name: str, type_: str, wanted: str) -> InvalidInput:
    return InvalidInput.of("--map", f"{names.column(name)!r} of {names.table} is {type_}, not {wanted}")
