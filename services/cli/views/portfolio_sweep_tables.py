"""The table of a sweep over portfolios, and the lines of what failed."""

from collections.abc import Iterator, Sequence

from rich.markup import escape
from rich.table import Table

from backcast.gateway.v1 import portfolio_sweep_pb2 as pb
from backcast.gateway.v1.sweep_pb2 import WalkForward
from services.cli.views.fitted_table import TableColumn, fitted_table
from services.cli.views.metric_cells import cell, heading_of, metric_of
from services.cli.views.sweep_tables import SweepTables
from services.cli.views.sweep_values import dimensions_of
from services.domain.counted import counted

_METRICS = ("total_return", "sharpe_ratio", "max_drawdown", "trade_count")
_MOST_FAILURES = 5
ACCOUNTS = "the accounts of the folds' choices, one after the other"
"""Whose curve it is that a walk-forward has out of sample."""


def accounts_table(
    width: int, request: pb.SweepPortfoliosRequest, rows: Sequence[pb.PortfolioSweepRow]
) -> Table:
    """Return the best combinations: what differs between them, and the metrics of their accounts."""
    metric = metric_of(request.metric)
    metrics = [metric, *(name for name in _METRICS if name != metric)]
    columns = [TableColumn("", [str(number) for number in range(1, len(rows) + 1)], left=True)]
    for place, dimension in enumerate(dimensions_of(request)):
        if len(dimension.values) > 1:
            cells = [dimension.values[row.value_indexes[place]] for row in rows]
            columns.append(TableColumn(dimension.name, cells))
    parts = [("", [row.train for row in rows])]
    if request.WhichOneof("cut"):
        parts.append(("test ", [row.test for row in rows]))
    for prefix, figures in parts:
        for order, name in enumerate(metrics):
            # The metric ranked by is never left out.
            left_out = 2 * (len(metrics) - order) - (1 if prefix else 0) if order else 0
            cells = [cell(each, name) for each in figures]
            columns.append(TableColumn(f"{prefix}{heading_of(name)}", cells, left_out))
    means = f", means over {counted(request.fold_count, 'fold')}" if request.fold_count > 1 else ""
    return fitted_table(width, columns, f"the best accounts{means}")


def folds_table(width: int, request: pb.SweepPortfoliosRequest, walk: WalkForward) -> Table:
    """Return the folds of a walk-forward: the chosen combination, and its account in train and test."""
    tables = SweepTables(
        dimensions_of(request), metric_of(request.metric), cut=True, folds=request.fold_count
    )
    return tables.folds(width, walk.folds, "walk-forward")


def failed_lines(rows: Sequence[pb.PortfolioSweepRow]) -> Iterator[str]:
    """Yield why combinations failed: the first of them."""
    for row in rows[:_MOST_FAILURES]:
        yield f"[red]combination {row.combination}: {escape(row.failure.message)}[/red]"
