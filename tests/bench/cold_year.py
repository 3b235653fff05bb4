"""`python -m tests.bench.cold_year`: the first run of a year, where a database holds much more.

On TimescaleDB where one is found (see tests/data/timescale_server.py), otherwise on the embedded PostgreSQL.
The floor is a bare COPY of the columns that the run reads. It leaves nothing behind.
"""

import argparse
import asyncio
import tempfile
import time
from contextlib import suppress
from pathlib import Path

import structlog
from google.protobuf.timestamp_pb2 import Timestamp
from rich import box
from rich.console import Console
from rich.progress import track
from rich.table import Table

from backcast.gateway.v1.backtest_service_pb2_grpc import BacktestServiceStub
from services.cli.views.console import make_console, say
from services.data.schema.migrate import migrate
from services.data.store.database import Database
from services.local.interrupts import Interrupts
from services.local.postgres import EmbeddedPostgres
from services.local.sample_market import CRYPTO_COUNT, sample_market
from services.local.stack import LocalStack, StackSettings
from services.rpc.channel import open_channel
from tests.bench.candles.market import compress_chunks, server_kind, timed_imports
from tests.bench.machine import machine_lines
from tests.bench.runs import request, timed_run
from tests.bench.timing import Spread, Timing
from tests.data.timescale_server import TimescaleServer, timescale_programs

_ROUNDS = 7
_HOURS = round(2.7 * 365 * 24)
_START_S = 1_600_000_000 // 3600 * 3600
_END_S = _START_S + 3600 * _HOURS
_YEAR_S = 365 * 86_400
_GOAL_S = 0.4


async def bench(rounds: int, console: Console) -> None:
    """Measure `rounds` rounds, after one that warms everything up, and print them."""
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())
    with Interrupts(), tempfile.TemporaryDirectory(prefix="backcast-bench-") as name:
        folder = Path(name).resolve()
        # The database's account, which need not be ours, passes through.
        folder.chmod(0o755)
        (folder / "db").mkdir()
        programs = timescale_programs()
        server = TimescaleServer(folder / "db", programs) if programs else EmbeddedPostgres(folder / "db")
        try:
            server.start()
            async with Database.connect(server.url, 8) as database:
                with console.status(f"filling a database with {CRYPTO_COUNT * _HOURS:,} candles"):
                    await _fill(database)
                settings = StackSettings(folder, 0, 0, 0, database_url=server.url, redis_url=None)
                async with LocalStack(settings) as stack:
                    runs, floors = await _measure(stack, database, folder / "columns", rounds, console)
                kind = await server_kind(database)
        finally:
            server.stop()
    console.print(_table(runs, floors, kind))
    median_s = Spread.of([run.total_s for run in runs]).median
    met = "met" if median_s < _GOAL_S else "missed"
    say(
        console, "\n".join((f"under {_GOAL_S:g} s on 2 cores: {met}, {median_s:.3f} s", "", *machine_lines()))
    )


async def _fill(database: Database) -> None:
    await migrate(database)
    await timed_imports(database, list(sample_market(_HOURS, _START_S)))
    if timescale_programs():
        await compress_chunks(database, 1)


async def _measure(
    stack: LocalStack, database: Database, columns: Path, rounds: int, console: Console
) -> tuple[list[Timing], list[float]]:
    """Return the runs, and the seconds of the floor."""
    runs, floors = [], []
    async with open_channel(stack.gateway_address) as channel:
        gateway = BacktestServiceStub(channel)
        for number in track(range(rounds + 1), "measuring", console=console, transient=True):
            # Renamed: to delete as many files would keep the file system busy during the run.
            with suppress(FileNotFoundError):
                columns.rename(columns.with_name(f"columns-before-{number}"))
            wanted = request(number, cached=False)
            wanted.spec.start_time.CopyFrom(Timestamp(seconds=_END_S - _YEAR_S))
            run, floor_s = await timed_run(gateway, wanted, from_cache=0), await _copied_s(database)
            if number:
                runs.append(run)
                floors.append(floor_s)
    return runs, floors


async def _copied_s(database: Database) -> float:
    """Return how many seconds a bare COPY of the columns takes that a run of a year reads."""

    async def ignore(_: bytes) -> None:
        pass

    async with database.connection() as connection:
        began = time.perf_counter()
        await connection.copy_from_query(
            "SELECT crypto_id, ts, open, close FROM candles_1h "
            f"WHERE ts >= to_timestamp({_END_S - _YEAR_S}) ORDER BY crypto_id, ts",
            output=ignore,
            format="binary",
        )
        return time.perf_counter() - began


def _table(runs: list[Timing], floors: list[float], kind: str) -> Table:
    table = Table(
        title=f"{CRYPTO_COUNT} cryptos, the last year of {_HOURS:,} hours in {kind}; {len(runs)} rounds",
        title_justify="left",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
    )
    table.add_column("", no_wrap=True)
    for heading in ("min, ms", "median, ms", "max, ms"):
        table.add_column(heading, justify="right")
    for name, samples in (
        ("the run, compute has no candles", [run.total_s for run in runs]),
        ("its first result", [run.first_s for run in runs if run.first_s is not None]),
        ("floor: a bare COPY of the hours, their opens and closes", floors),
    ):
        spread = Spread.of(samples)
        table.add_row(name, *(f"{1000 * s:.1f}" for s in (spread.least, spread.median, spread.greatest)))
    return table


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.bench.cold_year", description=__doc__)
    parser.add_argument("--rounds", type=int, default=_ROUNDS, help=f"how many rounds; default {_ROUNDS}")
    asyncio.run(bench(parser.parse_args().rounds, make_console()))
