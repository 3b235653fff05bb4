"""`backcast db migrate-from`, `dump` and `restore`."""

import asyncio
import sys
import time
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Annotated, Any

import typer

_Folder = Annotated[Path, typer.Argument(help="Folder of the dump.", metavar="FOLDER")]


def migrate_from(
    url: Annotated[
        str, typer.Argument(help="The source database: postgresql://user:password@host:port/database.")
    ],
    table: Annotated[
        str, typer.Option(help="The source's table of candles; or SCHEMA.TABLE.")
    ] = "crypto_prices",
    symbols_table: Annotated[str, typer.Option(help="The source's table of cryptos.")] = "cryptos",
    map_: Annotated[
        list[str] | None,
        typer.Option(
            "--map",
            metavar="NAME=COLUMN",
            help="The source's column for a field: datetime=time. Can be repeated. The fields are crypto_id, "
            "datetime, open_price, high_price, low_price, close_price and volume; of cryptos, id and symbol.",
        ),
    ] = None,
) -> None:
    """Copy hourly candles from a table of another PostgreSQL database, and verify them.

    The source is only read. If the command is interrupted, run it again: it continues. The exit status is 0
    only if every row is stored afterwards.
    """
    from services.cli.options.db_target import open_database
    from services.cli.views.db_transfer import move_and_verify
    from services.settings import load_settings
    from services.transfer.source import Source
    from services.transfer.source_names import SourceNames

    names = SourceNames.parse(table, symbols_table, map_ or [])

    async def run() -> bool:
        async with AsyncExitStack() as stack:
            source = await stack.enter_async_context(Source.open(url, names))
            database = await stack.enter_async_context(open_database(load_settings()))
            return await move_and_verify(source, database, int(time.time()))

    _run(run(), "what was copied stays; run the command again to continue")


def dump(folder: _Folder) -> None:
    """Save a snapshot of all candles to a new folder of Parquet files."""
    from services.cli.options.db_target import open_database
    from services.cli.views.db_transfer import dump_with_bar
    from services.settings import load_settings

    async def run() -> bool:
        async with open_database(load_settings()) as database:
            return await dump_with_bar(database, folder)

    _run(run(), f"the dump in {folder} is incomplete")


def restore(folder: _Folder) -> None:
    """Write the candles of a dump; a crypto that is stored with other candles is left unchanged.

    If the command is interrupted, run it again: it continues. The exit status is 0 only if all candles are
    stored afterwards.
    """
    from services.cli.options.db_target import open_database
    from services.cli.views.db_transfer import restore_with_bar
    from services.settings import load_settings
    from services.transfer.manifest import read_manifest

    manifest = read_manifest(folder)

    async def run() -> bool:
        async with open_database(load_settings()) as database:
            return await restore_with_bar(database, folder, manifest)

    _run(run(), "what was restored stays; run the command again to continue")


def _run(work: Coroutine[Any, Any, bool], interrupted: str) -> None:
    """Do the work; if it is interrupted, print `interrupted`; if it fails, exit with status 1."""
    try:
        succeeded = asyncio.run(work)
    except KeyboardInterrupt:
        print(f"backcast: interrupted: {interrupted}", file=sys.stderr)
        raise
    if not succeeded:
        raise typer.Exit(1)
