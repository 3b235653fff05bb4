"""`backcast import`: candles from files into the data service."""

import asyncio
import time
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from rich.markup import escape

from backcast.marketdata.v1.market_data_service_pb2 import ImportCandlesResponse
from backcast.marketdata.v1.market_data_service_pb2_grpc import MarketDataServiceStub
from services.cli.candle_writer import write_candles
from services.cli.console import make_console, say
from services.cli.daemon_thread import in_daemon_thread
from services.cli.errors import readable_errors
from services.cli.gateway_channel import open_gateway
from services.cli.import_progress import ImportProgress
from services.cli.import_report import import_report, readable_path
from services.data.conflict_rule import ConflictRule
from services.data.readers import checksum
from services.data.readers.columns import GivenNames
from services.data.readers.detect import read_file
from services.data.readers.report import FileReading
from services.shared.errors import BackcastError, Denied, InvalidInput, Unauthenticated, Unavailable
from services.shared.interval import Interval
from services.shared.symbols import canonical_symbol

if TYPE_CHECKING:
    from backcast.marketdata.v1.market_data_service_pb2_grpc import MarketDataServiceAsyncStub


@dataclass(frozen=True, slots=True)
class ImportOptions:
    """What is the same for all files; the symbol is None where each file tells its own.

    `given` is what the user says that columns are called.
    """

    symbol: str | None
    on_conflict: ConflictRule
    given: GivenNames = GivenNames()  # noqa: RUF009


def import_files(
    paths: list[Path], symbol: str | None, on_conflict: ConflictRule, mappings: list[str], address: str
) -> bool:
    """Import files and folders, with a line for each file; return whether every file could be imported."""
    if symbol is not None:
        symbol = canonical_symbol(symbol, "--symbol")
    given = GivenNames.parse(mappings)
    files = [file for path in paths for file in _files(path)]
    if not files:
        raise InvalidInput.of("PATH", f"there is no file to import in {', '.join(map(readable_path, paths))}")
    return asyncio.run(_import_all(files, ImportOptions(symbol, on_conflict, given), address))


def _files(path: Path) -> Iterator[Path]:
    try:
        is_folder = path.is_dir()
    except OSError:
        is_folder = False  # reading it will tell what is wrong
    if is_folder:
        yield from sorted(
            file
            for file in path.rglob("*")
            if file.is_file() and not file.name.startswith(".") and not file.name.endswith(checksum.SUFFIX)
        )
    else:
        yield path


async def _import_all(files: list[Path], options: ImportOptions, address: str) -> bool:
    console = make_console()
    failures = 0
    async with open_gateway(address) as channel:
        stub = MarketDataServiceStub(channel)
        with ImportProgress(console, len(files)) as progress:
            async with aclosing(_readings(files, options, progress)) as readings:
                async for file, reading_to_come in readings:
                    try:
                        reading = await reading_to_come
                        with readable_errors("gateway", address):
                            symbol, counts = await _write(stub, reading, options, progress)
                    except (Unavailable, Unauthenticated, Denied):
                        # The next file would fare no better.
                        raise
                    except BackcastError as error:
                        failures += 1
                        # A reader's only field is the file, which the line begins with already.
                        reason = str(error).removeprefix("file: ")
                        say(console, f"[red]{escape(f'{readable_path(file)}: {reason}')}[/red]")
                        continue
                    failures += not len(reading.candles)
                    brief = console.is_terminal
                    say(console, import_report(file, symbol, reading, counts, options.on_conflict, brief))
    return not failures


async def _readings(
    files: list[Path], options: ImportOptions, progress: ImportProgress
) -> "AsyncGenerator[tuple[Path, asyncio.Future[FileReading]]]":
    """Yield each file with its future reading; the next file is read while one is written."""

    def read(number: int, file: Path) -> "asyncio.Future[FileReading]":
        return in_daemon_thread(
            partial(
                read_file,
                file,
                Interval.HOUR_1,
                now_s=int(time.time()),
                on_conflict=options.on_conflict,
                progress=partial(progress.read, number),
                given=options.given,
            )
        )

    ahead = read(1, files[0])
    try:
        for number, file in enumerate(files, 1):
            present = ahead
            progress.begin(number, readable_path(file.name))
            await asyncio.wait([present])
            # No more than one ahead: a reading takes as much memory as its file.
            if number < len(files):
                ahead = read(number + 1, files[number])
            yield file, present
    finally:
        # What came of it is taken in any case: asyncio complains of an error that nobody has seen.
        if not ahead.cancel():
            ahead.exception()


async def _write(
    stub: "MarketDataServiceAsyncStub", reading: FileReading, options: ImportOptions, progress: ImportProgress
) -> tuple[str, ImportCandlesResponse]:
    """Write what was read; return whose candles they are, and what was done with them."""
    symbol = options.symbol or reading.symbol
    if symbol is None:
        raise InvalidInput.of("symbol", "neither the file nor its name tells it: give --symbol")
    if not len(reading.candles):
        return symbol, ImportCandlesResponse()
    counts = await write_candles(
        stub, symbol, reading.candles, on_conflict=options.on_conflict, progress=progress.written
    )
    return symbol, counts
