"""Tables that fit the console: whole columns are left out, figures are never cut."""

from collections.abc import Sequence
from dataclasses import dataclass

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

# Characters that stay of a heading that has to be cut.
_SHORTEST_HEADING = 5


@dataclass(frozen=True, slots=True)
class TableColumn:
    """A heading, and a cell for each row, in rich's markup.

    If there is no room, columns are left out: the one with `left_out` 1 first, those with 0 never.
    """

    heading: str
    cells: Sequence[str]
    left_out: int = 0
    left: bool = False
    style: str | None = None


def fitted_table(width: int, columns: Sequence[TableColumn], title: str | None = None) -> Table:
    """Return a table with as many columns as fit into `width` characters.

    If the columns that are never left out do not fit, their headings are cut, never their cells.
    """
    kept = list(columns)
    table = _table(kept, title)
    while _width(table) > width and any(column.left_out for column in kept):
        first = min((column for column in kept if column.left_out), key=lambda column: column.left_out)
        kept.remove(first)
        table = _table(kept, title)
    longest = max((len(column.heading) for column in kept), default=0)
    while _width(table) > width and longest > _SHORTEST_HEADING:
        longest -= 1
        table = _table(kept, title, longest)
    return table


def _table(columns: Sequence[TableColumn], title: str | None, longest: int | None = None) -> Table:
    table = Table(
        title=title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True
    )
    for column in columns:
        heading = column.heading
        if longest is not None and len(heading) > longest:
            heading = f"{heading[: longest - 1]}…"
        table.add_column(
            escape(heading),
            justify="left" if column.left else "right",
            style=column.style,
            no_wrap=True,
        )
    for row in zip(*(column.cells for column in columns), strict=True):
        table.add_row(*row)
    return table


def _width(table: Table) -> int:
    # Measured on a console without limits: the width that the table needs.
    return Console(width=10_000).measure(table).maximum
