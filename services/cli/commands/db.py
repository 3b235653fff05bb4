"""`backcast db …`: statistics and maintenance of the database."""

import asyncio
import time
from typing import Annotated

import typer

from services.cli.commands import db_transfer as db_move_commands

app = typer.Typer(help="Inspect, maintain, fill and back up the database.", no_args_is_help=True)
for command in (db_move_commands.migrate_from, db_move_commands.dump, db_move_commands.restore):
    app.command()(command)


@app.command()
def stats(
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead of tables.")] = False,
) -> None:
    """Show the sizes, compression, aggregates and maintenance tasks of the tables."""
    from services.cli.options.db_target import open_database
    from services.cli.views.db import print_stats
    from services.data.maintenance.stats import read_stats
    from services.settings import load_settings

    async def read_and_print() -> None:
        async with open_database(load_settings()) as database:
            print_stats(await read_stats(database), json)

    asyncio.run(read_and_print())


@app.command()
def compress() -> None:
    """Compress old chunks that are not compressed, or have received candles since (TimescaleDB only)."""
    from services.cli.options.db_target import open_database
    from services.cli.views.db import compress_with_bar
    from services.settings import load_settings

    async def run() -> None:
        settings = load_settings()
        async with open_database(settings) as database:
            await compress_with_bar(database, settings.columnstore_after_days)

    asyncio.run(run())


@app.command()
def retention(
    days: Annotated[
        int | None,
        typer.Option(
            min=0,
            max=1_000_000,
            help="Age in days above which candles are dropped, instead of BACKCAST_RETENTION_DAYS; 0 drops "
            "nothing.",
        ),
    ] = None,
) -> None:
    """Drop old hourly candles, in whole spans of 365 days; longer candles stay."""
    from services.cli.options.db_target import open_database
    from services.cli.views.console import make_console, say
    from services.data.maintenance.retention import apply_retention
    from services.settings import load_settings

    async def run() -> str:
        settings = load_settings()
        kept_days = settings.retention_days if days is None else days
        if not kept_days:
            return "nothing is dropped: retention is off"
        async with open_database(settings) as database:
            dropped = await apply_retention(database, kept_days, int(time.time()))
        if not dropped:
            return "no hourly candle is old enough to be dropped"
        return f"dropped {dropped:,} hourly candles; longer candles stay"

    say(make_console(), asyncio.run(run()))
