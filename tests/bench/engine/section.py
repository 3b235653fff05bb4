"""What was measured, as people read it."""

from dataclasses import dataclass, field

from rich import box
from rich.console import Console
from rich.table import Table

from services.cli.views.console import say
from tests.bench.engine.sampling import ratio
from tests.bench.timing import Spread

_VERDICTS = {
    True: "[green]met[/green]",
    False: "[red]missed[/red]",
    None: "[bold red]NOT MEASURED[/bold red]",
}


@dataclass(frozen=True, slots=True)
class Row:
    """Seconds of each round; next to a floor, and, where it is a peer's, next to ours."""

    name: str
    samples: list[float]
    floor: list[float] | None = None
    ours: list[float] | None = None


@dataclass(frozen=True, slots=True)
class Goal:
    """What should be, and what is; `met` is None where it could not be measured."""

    name: str
    met: bool | None
    measured: str


@dataclass(frozen=True, slots=True)
class Section:
    """One table, with what has to be said about it."""

    title: str
    rows: list[Row]
    goals: list[Goal] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def print(self, console: Console) -> None:
        """Print the table, then notes, then goals."""
        say(console, f"{self.title}; {len(self.rows[0].samples)} rounds, milliseconds")
        console.print(self._table())
        say(console, "\n".join((*self.notes, *map(_goal_line, self.goals), "")))

    def _table(self) -> Table:
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
        table.add_column("", no_wrap=True)
        headings = ("min", "median", "max", "× floor", *(("× ours",) if self._has_peers else ()))
        for heading in headings:
            table.add_column(heading, justify="right", no_wrap=True)
        for row in self.rows:
            spread = Spread.of(row.samples)
            table.add_row(
                row.name,
                _milliseconds(spread.least),
                f"[bold]{_milliseconds(spread.median)}[/bold]",
                _milliseconds(spread.greatest),
                f"{ratio(row.samples, row.floor):,.2f}" if row.floor else "",
                *((f"{ratio(row.samples, row.ours):,.1f}" if row.ours else "",) if self._has_peers else ()),
            )
        return table

    @property
    def _has_peers(self) -> bool:
        return any(row.ours for row in self.rows)


def _goal_line(goal: Goal) -> str:
    return f"goal: {goal.name}: {_VERDICTS[goal.met]}, {goal.measured}"


def _milliseconds(seconds: float) -> str:
    digits = 0 if seconds >= 1 else 1 if seconds >= 0.01 else 3
    return f"{1000 * seconds:,.{digits}f}"
