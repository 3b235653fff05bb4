"""`python -m tests.bench.candles`: what serving and importing nine million candles costs.

On TimescaleDB where one is found (see tests/data/timescale_server.py), otherwise on the embedded
PostgreSQL. It takes some minutes, most of them for filling the database, and leaves nothing behind.
"""

import argparse
import asyncio
import tempfile
from pathlib import Path

from rich import box
from rich.console import Console
from rich.progress import track
from rich.table import Table

from services.cli.views.console import make_console, say
from tests.bench.candles.market import HOURS, Market, open_market
from tests.bench.candles.measures import Measure, measures
from tests.bench.machine import machine_lines
from tests.bench.timing import Spread

_ROUNDS = 7
_IMPORT_GOAL_PER_S = 400_000

Samples = dict[str, tuple[list[float], list[float]]]


async def bench(rounds: int, console: Console) -> None:
    """Measure `rounds` rounds, after one that warms everything up, and print them."""
    with tempfile.TemporaryDirectory(prefix="backcast-bench-") as name:
        folder = Path(name)
        # The database's account, which need not be ours, passes through.
        folder.chmod(0o755)
        (folder / "db").mkdir()
        with console.status("filling a database with 9.2 million candles"):
            opened = open_market(folder / "db")
            market = await opened.__aenter__()
        try:
            found = measures(market, folder)
            samples = await _measure(found, rounds, console)
            console.print(_table(market, found, samples, rounds))
            say(console, "\n".join(await _disk_lines(market)))
            say(console, "\n".join(("", *machine_lines())))
        finally:
            await opened.__aexit__(None, None, None)


async def _measure(found: list[Measure], rounds: int, console: Console) -> Samples:
    samples: Samples = {measure.name: ([], []) for measure in found}
    for number in track(range(rounds + 1), "measuring", console=console, transient=True):
        for measure in found:
            took_s, floor_s = await measure.run(), await measure.floor()
            if number:
                samples[measure.name][0].append(took_s)
                samples[measure.name][1].append(floor_s)
    return samples


def _table(market: Market, found: list[Measure], samples: Samples, rounds: int) -> Table:
    table = Table(
        title=f"{len(market.symbols)} cryptos × {HOURS:,} hourly candles on {market.kind}; "
        f"{rounds} rounds, milliseconds",
        title_justify="left",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
    )
    table.add_column("")
    for heading in ("min", "median", "max", "goal", "floor", "median", "ratio"):
        table.add_column(heading, justify="left" if heading == "floor" else "right", no_wrap=True)
    for measure in found:
        spread, floor = (Spread.of(each) for each in samples[measure.name])
        goal = "" if measure.goal_s is None else f"< {1000 * measure.goal_s:g}"
        missed = measure.goal_s is not None and spread.median >= measure.goal_s
        median = f"[bold]{1000 * spread.median:.1f}[/bold]"
        name = measure.name
        if measure.candles:
            name += f": {measure.candles / spread.median:,.0f} candles/s"
            goal = f"< {1000 * measure.goal_s:.0f}" if measure.goal_s else ""
        table.add_row(
            name,
            f"{1000 * spread.least:.1f}",
            f"[red]{median}[/red]" if missed else median,
            f"{1000 * spread.greatest:.1f}",
            goal,
            measure.floor_name,
            f"{1000 * floor.median:.1f}",
            f"{spread.median / floor.median:.2f}",
        )
    return table


async def _disk_lines(market: Market) -> list[str]:
    lines = [
        f"import from NumPy blocks, three at once, longer candles included: "
        f"{market.imported_per_s:,.0f} candles/s (goal {_IMPORT_GOAL_PER_S:,}); "
        f"bare COPYs of the hourly rows alone: {market.copied_per_s:,.0f}/s"
    ]
    async with market.database.connection() as connection:
        if not market.kind.startswith("TimescaleDB"):
            size = await connection.fetchval("SELECT pg_total_relation_size('packed_hours')")
            return [*lines, f"packed_hours: {size / 1e6:,.0f} MB with their index"]
        for table in ("candles_1h", "candles_4h", "candles_1d"):
            row = await connection.fetchrow(
                "SELECT before_compression_total_bytes, after_compression_total_bytes "
                "FROM hypertable_columnstore_stats($1::regclass)",
                table,
            )
            assert row
            before, after = row
            lines.append(
                f"{table}: {before / 1e6:,.0f} MB of rows and index, {after / 1e6:,.0f} MB compressed: "
                f"{100 * (1 - after / before):.1f} % less"
            )
    return lines


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.bench.candles", description=__doc__)
    parser.add_argument("--rounds", type=int, default=_ROUNDS, help=f"how many rounds; default {_ROUNDS}")
    asyncio.run(bench(parser.parse_args().rounds, make_console()))
