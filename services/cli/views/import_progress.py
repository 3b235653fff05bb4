"""The progress of an import on a terminal."""

from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn
from rich.table import Column


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
