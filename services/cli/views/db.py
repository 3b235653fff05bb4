"""Output of `backcast db stats` and `backcast db compress`."""

import dataclasses
import json
from contextlib import aclosing
from datetime import datetime, timedelta

from rich import box
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from services.cli.views.console import CountColumn, make_console, say
from services.data.maintenance.columnstore import compress
from services.data.maintenance.stats import DatabaseStats
from services.data.store.database import Database

_ABSENT = "–"


def print_stats(stats: DatabaseStats, as_json: bool) -> None:
    """Print the tables, or one JSON object: times as ISO in UTC, sizes in bytes, durations in seconds."""
    if as_json:
        print(json.dumps(_object(stats), indent=2, default=_as_json))
        return
    console = make_console()
    timescale = f"TimescaleDB {stats.timescale}" if stats.timescale else "plain PostgreSQL"
    say(console, f"PostgreSQL {stats.server}, {timescale}; times are UTC, sizes with indexes, rows counted")
    say(
        console,
        f"{stats.cryptos:,} cryptos, {stats.candles:,} hourly candles"
        + (f" from {_time(stats.first)} to {_time(stats.last)}" if stats.candles else ""),
    )
    console.print(_sizes(stats))
    if not stats.timescale:
        of = f"{stats.packed_cryptos:,} of {stats.cryptos:,} cryptos"
        say(console, f"packed hours of {of}: {_size(stats.packed_bytes)}")
    console.print(_aggregates(stats))
    if stats.policies:
        console.print(_policies(stats))
    if stats.tasks:
        console.print(_tasks(stats))


async def compress_with_bar(database: Database, after_days: int) -> None:
    """Compress the chunks that are due, with a progress bar."""
    console = make_console()
    progress = Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=40),
        CountColumn(),
        TimeElapsedColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )
    done = 0
    with progress:
        bar = progress.add_task("compressing chunks", total=None)
        async with aclosing(compress(database, after_days)) as chunks:
            async for chunk in chunks:
                done = chunk.number
                progress.update(bar, completed=done, total=chunk.total, description=chunk.table)
    if done:
        say(console, f"compressed {done:,} {'chunk' if done == 1 else 'chunks'}")
    else:
        say(console, f"nothing to compress: no chunk that ended {after_days:,} days ago has new candles")


def _sizes(stats: DatabaseStats) -> Table:
    table = _table("candles")
    for heading in ("rows", "chunks", "compressed", "before", "after", "saved", "plain"):
        table.add_column(heading, justify="right", no_wrap=True)
    for each in stats.tables:
        is_compressed = each.saved is not None
        table.add_row(
            each.interval,
            f"{each.rows:,}",
            f"{each.chunks:,}" if each.chunks else _ABSENT,
            f"{each.compressed_chunks:,}" if each.chunks else _ABSENT,
            _size(each.before_bytes) if is_compressed else _ABSENT,
            _size(each.compressed_bytes) if is_compressed else _ABSENT,
            _ABSENT if each.saved is None else f"{each.saved:.1%}",
            _size(each.plain_bytes),
        )
    return table


def _aggregates(stats: DatabaseStats) -> Table:
    table = _table("aggregates")
    table.add_column("newest", no_wrap=True)
    table.add_column("up to date", no_wrap=True)
    for each in stats.aggregates:
        table.add_row(
            each.interval,
            _time(each.newest),
            f"[red]{each.behind:,} cryptos behind" if each.behind else "yes",
        )
    return table


def _policies(stats: DatabaseStats) -> Table:
    table = _table("policies")
    for heading in ("table", "after", "every", "last run", "", "next run"):
        table.add_column(heading, no_wrap=True)
    for each in stats.policies:
        outcome = {None: "", True: "succeeded", False: "[red]failed"}[each.succeeded]
        times = _time(each.last_run), outcome, _time(each.next_run)
        table.add_row(each.policy, each.table, each.after or "", _duration(each.every), *times)
    return table


def _tasks(stats: DatabaseStats) -> Table:
    table = _table("tasks")
    table.add_column("last run", no_wrap=True)
    table.add_column("outcome")
    for each in stats.tasks:
        table.add_row(each.task, _time(each.ended_at), each.outcome)
    return table


def _table(heading: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    table.add_column(heading, no_wrap=True)
    return table


def _time(time: datetime | None) -> str:
    return f"{time:%Y-%m-%d %H:%M}" if time else _ABSENT


def _duration(duration: timedelta) -> str:
    hours, seconds = divmod(int(duration.total_seconds()), 3600)
    return f"{hours} h" if not seconds else f"{duration}"


def _size(size: int) -> str:
    return f"{size / 1e6:,.1f} MB"


def _object(stats: DatabaseStats) -> object:
    answer = dataclasses.asdict(stats)
    answer["tables"] = [{**dataclasses.asdict(each), "saved": each.saved} for each in stats.tables]
    return answer


def _as_json(value: object) -> object:
    match value:
        case datetime():
            return value.isoformat()
        case timedelta():
            return value.total_seconds()
    raise TypeError(f"{value!r} has no form in JSON")
