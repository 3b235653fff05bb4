"""What the services hold when nothing runs: memory, descriptors, files."""

import asyncio
from dataclasses import dataclass
from pathlib import Path

import psutil
from rich import box
from rich.table import Table

from services.local.stack import LocalStack
from tests.end_to_end.processes import cpu_seconds, process_at, workers_of
from tests.waiting import LIMIT_S

# Of the memory at the first count, which is after a tenth of the runs; and the noise of small processes.
_MOST_GROWTH, _NOISE_BYTES = 0.1, 16 * 2**20
_MOST_MORE = 8


@dataclass(frozen=True, slots=True)
class Holding:
    """What one part of the services holds."""

    memory_bytes: int
    descriptors: int

    def has_grown_since(self, before: "Holding") -> bool:
        """Return whether it is more than chance explains."""
        most_bytes = (1 + _MOST_GROWTH) * before.memory_bytes + _NOISE_BYTES
        return self.memory_bytes > most_bytes or self.descriptors > before.descriptors + _MOST_MORE


@dataclass(frozen=True, slots=True)
class Holdings:
    """What all parts hold, and how many files compute has, after so many runs."""

    runs: int
    parts: dict[str, Holding]
    files: int


async def count_holdings(stack: LocalStack, columns: Path, runs: int) -> Holdings:
    """Count once nothing runs any more."""
    compute = process_at(stack.compute_address)
    services = {
        "gateway": [process_at(stack.gateway_address)],
        "compute": [compute],
        "data": [process_at(stack.data_address)],
        "workers": workers_of(compute),
    }
    await _until_idle(*(process for processes in services.values() for process in processes))
    parts = {name: _holding(processes) for name, processes in services.items()}
    return Holdings(runs, parts, sum(1 for path in columns.iterdir() if path.is_file()))


async def _until_idle(*processes: psutil.Process) -> None:
    """Wait until processes and their descendants no longer work; raises TimeoutError where they go on."""
    async with asyncio.timeout(LIMIT_S):
        before = cpu_seconds(*processes)
        while True:
            # There is no event for the end of all activity.
            await asyncio.sleep(0.5)
            now = cpu_seconds(*processes)
            if now - before < 0.03:
                return
            before = now


def _holding(processes: list[psutil.Process]) -> Holding:
    return Holding(
        sum(process.memory_full_info().uss for process in processes),
        sum(process.num_fds() for process in processes),
    )


def holdings_table(counts: list[Holdings]) -> Table:
    """Return a row for each count."""
    table = Table(title="held when nothing runs", title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("after runs", justify="right")
    for part in counts[0].parts:
        table.add_column(f"{part}: MiB", justify="right")
        table.add_column("descriptors", justify="right")
    table.add_column("column files", justify="right")
    for count in counts:
        cells = (
            cell
            for holding in count.parts.values()
            for cell in (f"{holding.memory_bytes / 2**20:.0f}", str(holding.descriptors))
        )
        table.add_row(f"{count.runs:,}", *cells, str(count.files))
    return table


def growth_lines(counts: list[Holdings]) -> list[str]:
    """Return a line for each part that holds more in the end than at the first count."""
    first, last = counts[0], counts[-1]
    lines = [
        f"{part} has grown" for part in last.parts if last.parts[part].has_grown_since(first.parts[part])
    ]
    if last.files > first.files + _MOST_MORE:
        lines.append("compute has more files")
    return lines
