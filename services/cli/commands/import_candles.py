"""`backcast import`: reads candle files and sends them to the data service."""

import asyncio
import time
from collections import Counter, defaultdict, deque
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from rich.markup import escape

from backcast.marketdata.v1.market_data_service_pb2_grpc import MarketDataServiceStub
from backcast_engine.errors import BackcastError, InvalidInput, Refused
from backcast_engine.interval import Interval
from backcast_engine.times import utc
from services.cli.client.errors import readable_errors
from services.cli.client.gateway_channel import open_gateway
from services.cli.options.names import with_options
from services.cli.views.console import make_console, say
from services.cli.views.imports import ImportProgress, import_report, passed_over_line, readable_path
from services.domain.conflict_rule import ConflictRule
from services.domain.counted import counted
from services.domain.errors import Denied, Unauthenticated, Unavailable
from services.domain.symbols import canonical_symbol
from services.imports.candle_writer import write_reading
from services.imports.daemon_thread import in_daemon_thread
from services.ingest.columns.names import GivenNames
from services.ingest.detect import read_file
from services.ingest.file_comparison import file_conflicts, grouped
from services.ingest.files import checksum
from services.ingest.files.other_files import is_no_candle_file
from services.ingest.identity.lengths import given_length
from services.ingest.report import FileReading


@dataclass(frozen=True, slots=True)
class ImportOptions:
    """Options for all files; symbol and length are None if each file defines its own.

    `length_s` is the length of the files' candles in seconds; `given` are column names that the user gave.
    """

    symbol: str | None
    on_conflict: ConflictRule
    length_s: int | None = None
    given: GivenNames = GivenNames()  # noqa: RUF009


def import_files(
    paths: list[Path],
    symbol: str | None,
    interval: str | None,
    on_conflict: ConflictRule,
    mappings: list[str],
    address: str,
) -> bool:
    """Import files and folders, and print a line for each file; return whether every file was imported.

    Files of a folder that plainly hold no candles are passed over, and a line names them.
    `symbol` and `interval` (like `1h`) apply to all files, whatever the files say; `mappings` (like
    `datetime=Date`) name their columns.
    """
    length_s = None if interval is None else given_length(interval, Interval.HOUR_1, "--interval")
    if symbol is not None:
        symbol = canonical_symbol(symbol, "--symbol")
    given = GivenNames.parse(mappings)
    files: list[Path] = []
    passed_over: list[Path] = []
    for path in paths:
        if not _is_folder(path):
            files.append(path)
            continue
        for file in _files_in(path):
            (passed_over if is_no_candle_file(file) else files).append(file)
    if not files:
        raise InvalidInput.of("PATH", f"there is no file to import in {', '.join(map(readable_path, paths))}")
    options = ImportOptions(symbol, on_conflict, length_s, given)
    return asyncio.run(_import_all(files, passed_over, options, address))


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:
        return False  # reading it fails with the reason


def _files_in(folder: Path) -> list[Path]:
    # Checksum files are not passed over: they are read with the files beside them.
    return sorted(
        file
        for file in folder.rglob("*")
        if file.is_file() and not file.name.startswith(".") and not file.name.endswith(checksum.SUFFIX)
    )


# Outcomes of a file; there is nothing to write if all of its candles are stored already, or it has none.
_OUTCOMES = _IMPORTED, _NOTHING, _REFUSED = "imported", "with nothing to write", "refused"
# The candles of a file, or why it cannot be read.
_Outcome = FileReading | BackcastError


async def _import_all(
    files: list[Path], passed_over: list[Path], options: ImportOptions, address: str
) -> bool:
    console = make_console()
    failures = 0
    outcomes = Counter[str]()
    numbers = {file: number for number, file in enumerate(files, 1)}
    async with open_gateway(address) as channel:
        stub = MarketDataServiceStub(channel)
        with ImportProgress(console, len(files)) as progress:
            async with aclosing(_readings(numbers, options, progress)) as groups:
                async for group in groups:
                    for file, outcome in _compared(group, options):
                        progress.begin(numbers[file], readable_path(file.name))
                        try:
                            if isinstance(outcome, BackcastError):
                                raise outcome
                            with readable_errors("gateway", address):
                                symbol, counts = await write_reading(
                                    stub, outcome, options.on_conflict, progress.written
                                )
                        except (Unavailable, Unauthenticated, Denied):
                            # The next file would fail in the same way.
                            raise
                        except BackcastError as error:
                            failures += 1
                            outcomes[_REFUSED] += 1
                            # The line names the file already.
                            reason = with_options(str(error).removeprefix("file: "))
                            say(console, f"[red]{escape(f'{readable_path(file)}: {reason}')}[/red]")
                            continue
                        failures += not len(outcome.candles)
                        outcomes[_IMPORTED if counts.inserted or counts.corrected else _NOTHING] += 1
                        brief = console.is_terminal
                        say(console, import_report(file, symbol, outcome, counts, options.on_conflict, brief))
    if passed_over:
        say(console, escape(passed_over_line(passed_over)))
    if len(files) > 1:
        words = ", ".join(f"{outcomes[one]:,} {one}" for one in _OUTCOMES if outcomes[one])
        say(console, f"{counted(len(files), 'file')}: {words}")
    return not failures


async def _readings(
    numbers: dict[Path, int], options: ImportOptions, progress: ImportProgress
) -> AsyncGenerator[list[tuple[Path, _Outcome]]]:
    """Yield the files of each crypto with their outcomes; the next group is read while one is written."""
    # The files of the current group, whose progress is shown.
    shown = set(numbers)

    def read(file: Path) -> _Outcome:
        if file in shown:
            progress.begin(numbers[file], readable_path(file.name))
        try:
            return read_file(
                file,
                Interval.HOUR_1,
                now_s=int(time.time()),
                on_conflict=options.on_conflict,
                progress=partial(progress.read, numbers[file]),
                given=options.given,
                symbol=options.symbol,
                length_s=options.length_s,
            )
        except BackcastError as error:
            return error

    def symbol_in(file: Path) -> str | None:
        outcome = read(file)
        return outcome.symbol if isinstance(outcome, FileReading) else None

    def read_all(group: list[Path]) -> "asyncio.Future[list[tuple[Path, _Outcome]]]":
        return in_daemon_thread(lambda: [(file, read(file)) for file in group])

    groups = deque(await in_daemon_thread(lambda: grouped(list(numbers), options.symbol, symbol_in)))
    shown = set(groups[0])
    ahead = read_all(groups[0])
    try:
        while groups:
            shown = set(groups.popleft())
            present = await ahead
            # At most one group is read ahead: a reading takes as much memory as its file.
            if groups:
                ahead = read_all(groups[0])
            yield present
    finally:
        # asyncio logs an exception that nobody retrieved.
        if not ahead.cancel():
            ahead.exception()


def _compared(group: list[tuple[Path, _Outcome]], options: ImportOptions) -> list[tuple[Path, _Outcome]]:
    """Return the outcomes of a group; files that contradict each other get an error instead.

    Only files of the same group are compared. A file whose name and content disagree on the symbol is in
    none.
    """
    if options.on_conflict in (ConflictRule.REPLACE, ConflictRule.KEEP):
        return group
    compared = list(group)
    by_symbol = defaultdict[str | None, list[int]](list)
    for place, (_, outcome) in enumerate(group):
        if isinstance(outcome, FileReading):
            by_symbol[options.symbol or outcome.symbol].append(place)
    for symbol, places in by_symbol.items():
        readings = [outcome for _, outcome in (group[place] for place in places)]
        conflicts = file_conflicts([each.candles for each in readings if isinstance(each, FileReading)])
        for number, place in enumerate(places if conflicts else ()):
            file = group[place][0]
            if conflict := conflicts.get(number):
                other = readable_path(group[places[conflict.other]][0])
                reason = (
                    f"{other} has other values for {counted(conflict.hours, 'hour')} of {symbol}, "
                    f"the first at {utc(conflict.first_s)}: "
                    f"{conflict.field} {conflict.value} here, {conflict.other_value} there"
                )
            else:
                reason = f"other files of {symbol} contradict each other"
            error = Refused(
                f"{reason}: nothing was written of {symbol}; --on-conflict replace takes the values of the "
                "later file, keep those of the earlier file"
            )
            compared[place] = file, error
    return compared
