"""Migrations: numbered SQL files, each applied once, in order."""

from importlib.resources import files

import structlog

from backcast_engine.errors import Refused
from services.data.schema.find_stored_breaks import find_stored_breaks
from services.data.schema.move_doubles import move_doubles
from services.data.schema.pack_stored_hours import pack_stored_hours
from services.data.store.database import Database

_log = structlog.get_logger()

# Key of the advisory lock: any number, the same in every data service.
_LOCK = 0x6261636B


async def migrate(database: Database) -> None:
    """Apply the missing migrations, under a lock that other services wait for.

    Raises Refused if the database has a migration that this version does not know.
    """
    migrations = {
        int(file.name.split("_")[0]): file
        for file in files("services.data.schema").joinpath("migrations").iterdir()
        if file.name.endswith(".sql")
    }
    async with database.session() as connection:
        await connection.execute("SELECT pg_advisory_lock($1)", _LOCK)
        try:
            await connection.execute(
                "CREATE TABLE IF NOT EXISTS schema_migrations ("
                "version integer PRIMARY KEY, name text NOT NULL, "
                "applied_at timestamptz NOT NULL DEFAULT now())"
            )
            applied = {
                row["version"] for row in await connection.fetch("SELECT version FROM schema_migrations")
            }
            if unknown := applied - migrations.keys():
                raise Refused(f"the database is newer than this version: it has migration {max(unknown)}")
            for version in sorted(migrations.keys() - applied):
                async with connection.transaction():
                    await connection.execute(migrations[version].read_text(encoding="utf-8"))
                    await connection.execute(
                        "INSERT INTO schema_migrations (version, name) VALUES ($1, $2)",
                        version,
                        migrations[version].name,
                    )
                _log.info("migration applied", migration=migrations[version].name)
            await move_doubles(connection, database)
            await find_stored_breaks(connection)
            await pack_stored_hours(connection)
        finally:
            await connection.execute("SELECT pg_advisory_unlock($1)", _LOCK)
