"""Output of `backcast db migrate-from`, `dump` and `restore`."""

import asyncio
from collections.abc import Iterator
from contextlib import aclosing
from pathlib import Path

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from backcast_engine.times import utc
from services.cli.views.console import make_console, say
from services.data.store.database import Database
from services.domain.counted import counted
from services.transfer.dump import dump
from services.transfer.manifest import Manifest
from services.transfer.migrate import MigratedCrypto, move, verify
from services.transfer.restore import check_files, restore
from services.transfer.source import Source
from services.transfer.verification import HistoryDifference, HistorySum

_ABSENT = "–"
# Digits of a checksum that are shown: enough to see that two differ.
_DIGITS = 12


def make_progress(console: Console) -> Progress:
    """Return a progress bar that names the current crypto; it is hidden without a terminal."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=30),
        TaskProgressColumn(),
        TimeElapsedColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )


async def move_and_verify(source: Source, database: Database, now_s: int) -> bool:
    """Copy all cryptos and verify them; return whether every row of the source is stored."""
    console = make_console()
    differences: list[HistoryDifference] = []
    succeeded, candles = True, 0
    with make_progress(console) as progress:
        bar = progress.add_task("counting rows", total=None)
        market = await source.market()
        rows = {crypto.symbol: crypto.rows for crypto in market.cryptos}
        progress.update(bar, total=2 * sum(rows.values()))
        for sentence in market.left_out:
            say(console, f"[red]{escape(sentence)}[/red]")
        async with aclosing(move(source, market.cryptos, database, now_s)) as moved:
            async for each in moved:
                progress.update(bar, advance=rows[each.symbol], description=f"moved {each.symbol}")
                say(console, _moved(each))
                succeeded &= not each.filtered.rejected and each.refusal is None
        async with aclosing(verify(source, market.cryptos, database, now_s)) as verified:
            async for each_verified in verified:
                symbol = each_verified.symbol
                progress.update(bar, advance=rows[symbol], description=f"verified {symbol}")
                candles += each_verified.candles
                if each_verified.difference:
                    differences.append(each_verified.difference)
    if not rows:
        say(console, "there are no candles to be moved")
    elif differences:
        console.print(_differences(differences))
        for difference in differences:
            say(console, f"[red]{_difference(difference)}[/red]")
        verb = "differs" if len(differences) == 1 else "differ"
        all_ = counted(len(rows), "crypto")
        say(console, f"[red]{len(differences):,} of {all_} {verb} from the source[/red]")
    else:
        say(
            console,
            f"verified: {counted(candles, 'candle')} of {counted(len(rows), 'crypto')} "
            "are equal in number, first, last and checksum",
        )
    return succeeded and not differences and not market.left_out


def _moved(moved: MigratedCrypto) -> str:
    filtered = moved.filtered
    parts = [
        *([f"{moved.inserted:,} written"] if moved.inserted else []),
        *([f"{moved.unchanged:,} already there"] if moved.unchanged else []),
        *([f"{filtered.repeated:,} repeated"] if filtered.repeated else []),
        *([f"[yellow]{filtered.rejected:,} rejected[/yellow]"] if filtered.rejected else []),
        *([f"[red]nothing written: {moved.refusal}[/red]"] if moved.refusal else []),
    ]
    return "\n  ".join([f"{moved.symbol}: {', '.join(parts)}", *_rejections(moved)])


def _rejections(moved: MigratedCrypto) -> Iterator[str]:
    for sentence in moved.filtered.rejections:
        yield f"[yellow]{sentence}[/yellow]"
    more = moved.filtered.rejected - len(moved.filtered.rejections)
    if more:
        yield f"[yellow]… and {more:,} more[/yellow]"


def _differences(differences: list[HistoryDifference]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    table.add_column("differs", no_wrap=True)
    table.add_column("in", no_wrap=True)
    table.add_column("candles", justify="right", no_wrap=True)
    for heading in ("first", "last", "checksum"):
        table.add_column(heading, no_wrap=True)
    for each in differences:
        table.add_row(each.symbol, "source", *_sum(each.source))
        table.add_row("", "here", *_sum(each.here))
    return table


def _sum(sum_: HistorySum) -> tuple[str, str, str, str]:
    return f"{sum_.candles:,}", _time(sum_.first_s), _time(sum_.last_s), sum_.checksum[:_DIGITS]


def _time(time_s: int | None) -> str:
    return _ABSENT if time_s is None else utc(time_s).removesuffix(" UTC")


def _difference(difference: HistoryDifference) -> str:
    parts = [
        *([f"{difference.missing:,} not here"] if difference.missing else []),
        *([f"{difference.additional:,} only here"] if difference.additional else []),
        *([f"{difference.changed:,} with other values"] if difference.changed else []),
    ]
    return f"{difference.symbol}: {', '.join(parts)}, the first at {utc(difference.first_s)}"


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
