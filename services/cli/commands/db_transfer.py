"""`backcast db migrate-from`, `dump` and `restore`: candles from and to other places."""

import asyncio
import sys
import time
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Annotated, Any

import typer

_Folder = Annotated[Path, typer.Argument(help="The dump's folder.", metavar="FOLDER")]


def migrate_from(
    url: Annotated[
        str, typer.Argument(help="The other database: postgresql://user:password@host:port/database.")
    ],
    table: Annotated[str, typer.Option(help="Its table of candles; SCHEMA.TABLE too.")] = "crypto_prices",
    symbols_table: Annotated[str, typer.Option(help="Its table of cryptos.")] = "cryptos",
    map_: Annotated[
        list[str] | None,
        typer.Option(
            "--map",
            metavar="NAME=COLUMN",
            help="A column with another name, as datetime=time. Can be repeated. The names are crypto_id, "
            "datetime, open_price, high_price, low_price, close_price and volume; id and symbol of cryptos.",
        ),
    ] = None,
) -> None:
    """Copy hourly candles from a table of another PostgreSQL database, and verify them.

    The other database is only read. Broken off, it goes on when it is run again. Exit status 0 only where
    every row is here afterwards.
    """
    from services.cli.options.db_target import open_database
    from services.cli.views.db_migrate import move_and_verify
    from services.settings import load_settings
    from services.transfer.source import Source
    from services.transfer.source_names import SourceNames

    names = SourceNames.parse(table, symbols_table, map_ or [])

    async def run() -> bool:
        async with AsyncExitStack() as stack:
            source = await stack.enter_async_context(Source.open(url, names))
            database = await stack.enter_async_context(open_database(load_settings()))
            return await move_and_verify(source, database, int(time.time()))

    _run(run(), "what is moved stays, and to run it again goes on")


def dump(folder: _Folder) -> None:
    """Save all candles to a new folder of Parquet files, as they are at one moment."""
    from services.cli.options.db_target import open_database
    from services.cli.views.db_dump import dump_with_bar
    from services.settings import load_settings

    async def run() -> bool:
        async with open_database(load_settings()) as database:
            return await dump_with_bar(database, folder)

    _run(run(), f"{folder} is no whole dump")


def restore(folder: _Folder) -> None:
    """Write the candles of a dump; a crypto that has other candles here is left as it is.

    Broken off, it goes on when it is run again. Exit status 0 only where all candles are here afterwards.
    """
    from services.cli.options.db_target import open_database
    from services.cli.views.db_dump import restore_with_bar
    from services.settings import load_settings
    from services.transfer.manifest import read_manifest

    manifest = read_manifest(folder)

    async def run() -> bool:
        async with open_database(load_settings()) as database:
            return await restore_with_bar(database, folder, manifest)

    _run(run(), "what is restored stays, and to run it again goes on")


def _run(work: Coroutine[Any, Any, bool], interrupted: str) -> None:
    """Do the work; where it is broken off, tell what that means."""
    try:
        succeeded = asyncio.run(work)
    except KeyboardInterrupt:
        print(f"backcast: interrupted: {interrupted}", file=sys.stderr)
        raise
    if not succeeded:
        raise typer.Exit(1)
