"""Output of `backcast db dump` and `backcast db restore`."""

import asyncio
from contextlib import aclosing
from pathlib import Path

from rich.markup import escape

from services.cli.views.console import make_console, say
from services.cli.views.db_migrate import counted, make_progress
from services.data.store.database import Database
from services.transfer.dump import dump
from services.transfer.manifest import Manifest
from services.transfer.restore import check_files, restore


async def dump_with_bar(database: Database, folder: Path) -> bool:
    """Dump all cryptos with a progress bar over their candles."""
    console = make_console()
    cryptos = candles = 0
    with make_progress(console) as progress:
        bar = progress.add_task("dumping", total=None)
        async with aclosing(dump(database, folder)) as dumped:
            async for crypto, total in dumped:
                progress.update(
                    bar, advance=crypto.candle_count, total=total, description=f"dumped {crypto.symbol}"
                )
                cryptos += 1
                candles += crypto.candles
    say(
        console,
        f"dumped {counted(candles, 'candle')} of {counted(cryptos, 'crypto')} to {escape(str(folder))}",
    )
    return True


async def restore_with_bar(database: Database, folder: Path, manifest: Manifest) -> bool:
    """Check all files, then restore all cryptos, with a progress bar; return whether all are stored."""
    console = make_console()
    written = there = refused = 0
    with make_progress(console) as progress:
        bar = progress.add_task("checking", total=2 * manifest.candles)
        checked = check_files(folder, manifest)
        while crypto := await asyncio.to_thread(next, checked, None):
            progress.update(bar, advance=crypto.candles, description=f"checked {crypto.symbol}")
        async with aclosing(restore(database, folder, manifest)) as restored:
            async for each in restored:
                symbol, candles = each.crypto.symbol, each.crypto.candles
                progress.update(bar, advance=candles, description=f"restored {symbol}")
                if each.refusal:
                    refused += 1
                    say(console, f"[red]{escape(f'{symbol}: {each.refusal}')}[/red]")
                elif each.was_there:
                    there += candles
                else:
                    written += candles
    all_ = len(manifest.cryptos)
    already = f", {there:,} were already there" if there else ""
    say(
        console,
        f"restored {counted(written, 'candle')}{already}: "
        f"{all_ - refused:,} of {counted(all_, 'crypto')} are as in the dump",
    )
    return not refused
