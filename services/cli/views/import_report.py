"""The report on an imported file: one line, and a line for each break and rejected row."""

from collections.abc import Sequence
from pathlib import Path

from rich.markup import escape

from backcast.marketdata.v1.market_data_service_pb2 import ImportCandlesResponse
from services.cli.views.console import counted
from services.domain.conflict_rule import ConflictRule
from services.imports.report import notes, report_line
from services.ingest.report import FileReading

# Rejected rows that a terminal shows; a file gets all that were kept.
_REJECTIONS_SHOWN = 10
# Files that the line about files without candles names.
_PASSED_OVER_SHOWN = 5


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
