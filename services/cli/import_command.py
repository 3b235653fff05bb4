"""`backcast import`: candles from files into the data service."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from rich.markup import escape

from backcast.marketdata.v1 import market_data_service_pb2 as pb
from backcast.marketdata.v1.market_data_service_pb2_grpc import MarketDataServiceStub
from services.cli.candle_writer import write_candles
from services.cli.console import make_console, say
from services.cli.errors import readable_errors
from services.data.readers.detect import read_file
from services.data.readers.report import FileReading
from services.shared.errors import BackcastError, InvalidInput, Unavailable
from services.shared.interval import Interval
from services.shared.rpc_channel import open_channel
from services.shared.symbols import canonical_symbol

if TYPE_CHECKING:
    from backcast.marketdata.v1.market_data_service_pb2_grpc import MarketDataServiceAsyncStub

# On a terminal; a file gets all of them.
_REJECTIONS_SHOWN = 10


def import_files(paths: list[Path], symbol: str | None, interval: Interval, address: str) -> bool:
    """Import files and folders, with a line for each file; return whether every file could be imported."""
    if interval is not Interval.HOUR_1:
        raise InvalidInput.of("--interval", "only 1h candles can be imported: longer ones derive from them")
    if symbol is not None:
        symbol = canonical_symbol(symbol, "--symbol")
    return asyncio.run(_import_all(list(_files(paths)), symbol, interval, address))


def _files(paths: list[Path]) -> Iterator[Path]:
    for path in paths:
        if path.is_dir():
            yield from sorted(
                file for file in path.rglob("*") if file.is_file() and not file.name.startswith(".")
            )
        else:
            yield path


async def _import_all(files: list[Path], symbol: str | None, interval: Interval, address: str) -> bool:
    console = make_console()
    if not files:
        raise InvalidInput.of("PATH", "there is no file to import")
    failures = 0
    async with open_channel(address) as channel:
        stub = MarketDataServiceStub(channel)
        with console.status("") as status:
            for number, file in enumerate(files, 1):
                status.update(f"{number} of {len(files)}: {file.name}")
                try:
                    reading = await asyncio.to_thread(read_file, file, interval)
                    with readable_errors("data", address):
                        say(console, await _import(stub, file, reading, symbol, console.is_terminal))
                    failures += not len(reading.candles)
                except Unavailable:
                    raise
                except BackcastError as error:
                    failures += 1
                    # A reader's only field is the file, which the line begins with already.
                    reason = str(error).removeprefix("file: ")
                    say(console, f"[red]{escape(f'{file}: {reason}')}[/red]")
    return not failures


async def _import(
    stub: "MarketDataServiceAsyncStub", file: Path, reading: FileReading, symbol: str | None, brief: bool
) -> str:
    """Import what was read; return what to tell about it."""
    symbol = symbol or reading.symbol
    if symbol is None:
        raise InvalidInput.of("symbol", "the file's name does not tell it: give --symbol")
    counts = pb.ImportCandlesResponse()
    if len(reading.candles):
        counts = await write_candles(stub, symbol, reading.candles)
    told = f"{symbol}: {counts.inserted + counts.corrected:,} written"
    if counts.corrected:
        told += f" ({counts.corrected:,} of them corrected)"
    told += f", {counts.unchanged:,} unchanged, {len(reading.rejections):,} rejected"
    if reading.duplicates:
        told += f", {reading.duplicates:,} repeated"
    told += f" [dim]({reading.format}, {escape(file.name)})[/dim]"
    shown = _REJECTIONS_SHOWN if brief else len(reading.rejections)
    for rejection in reading.rejections[:shown]:
        told += f"\n  [yellow]line {rejection.line}: {escape(rejection.reason)}[/yellow]"
    if len(reading.rejections) > shown:
        told += f"\n  [yellow]… and {len(reading.rejections) - shown:,} more[/yellow]"
    return told
