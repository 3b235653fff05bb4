"""`python -m tests.bench.continuous_aggregates`: what it costs to keep longer candles up to date.

It compares tables that the import writes with continuous aggregates of TimescaleDB, and verifies that both
hold the same candles. It needs TimescaleDB (see tests/data/timescale_server.py), takes ten minutes or so on
two cores, and leaves nothing behind.
"""

import argparse
import asyncio
import tempfile
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import structlog
from rich import box
from rich.console import Console
from rich.progress import track
from rich.table import Table

from backcast_engine.candles import Candles
from services.cli.views.console import make_console, say
from services.local.sample_market import sample_market
from tests.bench.candles.market import START_S, server_kind
from tests.bench.continuous_aggregates.designs import (
    ContinuousAggregates,
    Design,
    History,
    Tables,
    Writing,
    open_database,
)
from tests.bench.machine import machine_lines
from tests.bench.timing import Spread
from tests.data.timescale_server import TimescaleServer, timescale_programs

# Two years: 3.7 million candles.
_HOURS = 2 * 8_760
_END_S = START_S + 3600 * _HOURS
_ROUNDS = 3
_POLICY_S = 10
_READS = 50
_YEAR_S = 365 * 86_400


@dataclass(frozen=True, slots=True)
class Bench:
    """Both designs, filled with the same hourly candles."""

    market: list[History]
    tables: Tables
    aggregates: ContinuousAggregates

    @property
    def designs(self) -> tuple[Design, Design]:
        """Ours first."""
        return self.tables, self.aggregates


@dataclass(slots=True)
class Figures:
    """What was measured, of Backcast's tables first; reads and staleness are in seconds, sizes in bytes."""

    writings: dict[str, tuple[list[Writing], list[Writing]]] = field(default_factory=dict)
    sizes: dict[str, list[int]] = field(default_factory=dict)
    reads: dict[str, list[float]] = field(default_factory=dict)
    stale_s: list[float] = field(default_factory=list)

    def add(self, change: str, ours: Writing, theirs: Writing) -> None:
        """Add a sample of a change."""
        samples = self.writings.setdefault(change, ([], []))
        samples[0].append(ours)
        samples[1].append(theirs)


async def bench(rounds: int, console: Console) -> None:
    """Measure the fill once and all else in `rounds` rounds, after one that warms everything up; print it."""
    figures = Figures()
    async with _servers() as (kind, tables, aggregates):
        filled = Bench(list(sample_market(_HOURS, START_S)), tables, aggregates)
        with console.status(
            f"filling two databases with {len(filled.market) * _HOURS / 1e6:.1f} million candles"
        ):
            await _fill(filled, figures)
        for number in track(range(rounds + 1), "changing candles", console=console, transient=True):
            for change, histories in _changes(filled.market, number).items():
                ours, theirs = await tables.write(histories), await aggregates.write(histories)
                if number:
                    figures.add(change, ours, theirs)
        with console.status("waiting for policies, compressing, reading"):
            await _go_stale(filled, figures, rounds)
            await _compare(filled)
            for design in filled.designs:
                await design.compress()
            figures.sizes["size on disk, compressed"] = [await design.size() for design in filled.designs]
            await _read(filled, figures)
        console.print(_table(kind, len(filled.market), rounds, figures))
        say(console, "\n".join(("Both hold the same longer candles, value by value.", "", *machine_lines())))


@asynccontextmanager
async def _servers() -> AsyncGenerator[tuple[str, Tables, ContinuousAggregates]]:
    programs = timescale_programs()
    assert programs
    with tempfile.TemporaryDirectory(prefix="backcast-bench-") as name:
        folder = Path(name)
        # The database's account, which need not be ours, passes through.
        folder.chmod(0o755)
        server = TimescaleServer(folder, programs)
        try:
            server.start()
            async with open_database(server, "tables") as ours, open_database(server, "aggregates") as theirs:
                yield await server_kind(ours), Tables(ours), ContinuousAggregates(theirs)
        finally:
            server.stop()


async def _fill(filled: Bench, figures: Figures) -> None:
    await filled.aggregates.create()
    figures.add(
        "first fill",
        await filled.tables.write(filled.market),
        await filled.aggregates.write(filled.market),
    )
    figures.sizes["size on disk, as rows"] = [await design.size() for design in filled.designs]
    for design in filled.designs:
        await design.compress_ended(_END_S)


def _changes(market: list[History], number: int) -> dict[str, list[History]]:
    """Return what round `number` imports, and what it is called; rounds change different cryptos."""
    (one, one_history), (whole, whole_history) = market[2 * number : 2 * number + 2]
    hour = _HOURS // 2 + 1000 * number
    return {
        "a new hour of all cryptos": [(symbol, _next_hour(candles, number)) for symbol, candles in market],
        "one corrected candle": [(one, _corrected(one_history[hour : hour + 1]))],
        "one crypto's whole history corrected": [(whole, _corrected(whole_history))],
    }


def _next_hour(candles: Candles, number: int) -> Candles:
    last = candles[-1:]
    return Candles(last.open_time_s + 3600 * (number + 1), *last.columns()[1:])


def _corrected(candles: Candles) -> Candles:
    return Candles(*candles.columns()[:-1], np.round(candles.volume + 1, 2))


async def _go_stale(filled: Bench, figures: Figures, rounds: int) -> None:
    """Measure how long after a correction the week has its new volume, where policies refresh it."""
    async with filled.aggregates.refreshed_every(_POLICY_S):
        for symbol, history in filled.market[-rounds:]:
            correction, time_s = [(symbol, _corrected(history[1000:1001]))], int(history.open_time_s[1000])
            await filled.tables.write(correction)
            right = await filled.tables.week_volume(symbol, time_s)
            await filled.aggregates.write_hours(correction)
            began = time.perf_counter()
            while await filled.aggregates.week_volume(symbol, time_s) != right:
                await asyncio.sleep(0.02)
            figures.stale_s.append(time.perf_counter() - began)


async def _compare(filled: Bench) -> None:
    """Refuse to print figures of designs that hold different candles."""
    ours, theirs = [await design.checksums() for design in filled.designs]
    if ours != theirs:
        raise RuntimeError(f"the longer candles differ: {ours} and {theirs}")


async def _read(filled: Bench, figures: Figures) -> None:
    async def read(design: Design) -> list[float]:
        symbols = [symbol for symbol, _ in filled.market[:_READS]]
        return [await design.read_days(symbol, _END_S - _YEAR_S) for symbol in symbols]

    figures.reads["tables"] = await read(filled.tables)
    figures.reads["aggregates"] = await read(filled.aggregates)
    await filled.aggregates.set_real_time(True)
    figures.reads["real time"] = await read(filled.aggregates)


def _table(kind: str, cryptos: int, rounds: int, figures: Figures) -> Table:
    table = Table(
        title=f"{cryptos} cryptos × {_HOURS:,} hourly candles on {kind}; medians of {rounds} rounds",
        title_justify="left",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
    )
    table.add_column("")
    for heading in ("tables: import", "aggregates: import of hours", "+ refresh", "= together"):
        table.add_column(heading, justify="right", no_wrap=True)
    for change, (ours, theirs) in figures.writings.items():

        def median(of: list[Writing], part: Callable[[Writing], float]) -> str:
            return _seconds([part(writing) for writing in of])

        table.add_row(
            change,
            median(ours, lambda writing: writing.total_s),
            median(theirs, lambda writing: writing.import_s),
            median(theirs, lambda writing: writing.refresh_s),
            median(theirs, lambda writing: writing.total_s),
        )
    stale = Spread.of(figures.stale_s)
    table.add_row(
        f"how long a week is stale, policies every {_POLICY_S} s",
        *("0", "", ""),
        f"{stale.least:.1f} to {stale.greatest:.1f} s",
    )
    for name, (ours_bytes, their_bytes) in figures.sizes.items():
        table.add_row(name, f"{ours_bytes / 1e6:,.0f} MB", "", "", f"{their_bytes / 1e6:,.0f} MB")
    table.add_row(
        "a year of days read",
        _seconds(figures.reads["tables"]),
        "",
        "",
        _seconds(figures.reads["aggregates"]),
    )
    table.add_row("the same, aggregates in real time", "", "", "", _seconds(figures.reads["real time"]))
    return table


def _seconds(samples: list[float]) -> str:
    median = Spread.of(samples).median
    return f"{median:,.1f} s" if median >= 1 else f"{1000 * median:,.1f} ms"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.bench.continuous_aggregates", description=__doc__)
    parser.add_argument("--rounds", type=int, default=_ROUNDS, help=f"how many rounds; default {_ROUNDS}")
    arguments = parser.parse_args()
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())
    if timescale_programs():
        asyncio.run(bench(arguments.rounds, make_console()))
    else:
        print("NO TIMESCALEDB: none is installed here, and BACKCAST_TEST_PG_BIN names none")
