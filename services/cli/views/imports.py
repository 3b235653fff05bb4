"""Output of `backcast import`: its progress, and the report on each file."""

from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn
from rich.table import Column

from backcast.marketdata.v1.market_data_service_pb2 import ImportCandlesResponse
from services.domain.conflict_rule import ConflictRule
from services.domain.counted import counted
from services.imports.report import notes, report_line
from services.ingest.report import FileReading

# Rejected rows that a terminal shows; a file gets all that were kept.
_REJECTIONS_SHOWN = 10
# Files that the line about files without candles names.
_PASSED_OVER_SHOWN = 5


class ImportProgress:
    """Progress of the current file: its number, its name, and how much of it is read, then written.

    Nothing is shown without a terminal.
    """

    def __init__(self, console: Console, files: int) -> None:
        self._files = files
        self._present = 0
        self._progress = Progress(
            TextColumn("{task.fields[number]}"),
            # Names are cut, so that narrow terminals still show the bar.
            TextColumn(
                "{task.description}",
                markup=False,
                table_column=Column(no_wrap=True, overflow="ellipsis", max_width=30),
            ),
            TextColumn("{task.fields[step]}"),
            BarColumn(bar_width=20),
            TaskProgressColumn(),
            TimeElapsedColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._bar = self._progress.add_task("", visible=False, number="", step="")

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def begin(self, number: int, name: str) -> None:
        """Show file `number`, counted from 1."""
        self._present = number
        self._progress.update(
            self._bar,
            description=name,
            number=f"{number} of {self._files}",
            step="reading",
            visible=True,
            completed=0,
            total=1,
        )

    def read(self, number: int, done: int, total: int) -> None:
        """Update the number of bytes read of file `number`, from any thread; files read ahead are ignored."""
        if number == self._present:
            self._progress.update(self._bar, completed=done, total=total)

    def written(self, done: int, total: int) -> None:
        """Update the number of candles sent of the current file."""
        self._progress.update(self._bar, step="writing", completed=done, total=total)


def import_report(
    file: Path,
    symbol: str,
    reading: FileReading,
    counts: ImportCandlesResponse,
    on_conflict: ConflictRule,
    brief: bool,
) -> str:
    """Return the report on a file; counts of zero are left out."""
    line = report_line(symbol, reading, counts, on_conflict)
    lines = notes(reading, counts, _REJECTIONS_SHOWN if brief else None)
    return "\n  ".join(
        [
            f"{line} [dim]({reading.format}, {escape(readable_path(file.name))})[/dim]",
            *(f"[yellow]{escape(text)}[/yellow]" for text in lines),
        ]
    )


def passed_over_line(files: Sequence[Path]) -> str:
    """Return the sentence about files in folders that hold no candles."""
    names = [readable_path(file) for file in files[:_PASSED_OVER_SHOWN]]
    if len(files) > len(names):
        names.append(f"and {len(files) - len(names):,} more")
    return f"{counted(len(files), 'file')} without candles passed over: {', '.join(names)}"


def readable_path(path: Path | str) -> str:
    """Return a path that can be printed: file names are bytes, and some are not valid text."""
    return str(path).encode(errors="replace").decode()
