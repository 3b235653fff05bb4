"""The report of a sweep."""

from collections.abc import Iterator, Sequence

import numpy as np
from google.protobuf.json_format import MessageToJson
from markupsafe import Markup
from rich.text import Text

from backcast.backtest.v1.result_pb2 import Metrics
from backcast.gateway.v1 import backtest_service_pb2 as pb
from backcast.gateway.v1 import sweep_pb2
from backcast_engine.errors import BackcastError
from services.cli.views.best_rows import BestRows
from services.cli.views.command_line import sweep_command
from services.cli.views.failure_lines import failure_lines, left_out_line
from services.cli.views.metric_cells import cell, heading_of, metric_of
from services.cli.views.report.charts import curve_chart, fall_chart, heat_map
from services.cli.views.report.document import Figure, Report, Section
from services.cli.views.report.notes import NOTES
from services.cli.views.sweep_tables import SweepTables
from services.cli.views.sweep_values import dimensions_of
from services.cli.views.sweep_words import (
    overfitting_words,
    selection_bias_words,
    started_words,
    walk_forward_words,
)
from services.domain.counted import counted

_WIDE = 10_000
# Rows of the table of combinations: the best.
_MOST_ROWS = 500
_MOST_CELLS = 10_000


class SweepReport:
    """Makes the report of a sweep: pass it every event, in order."""

    def __init__(self, asked: pb.SweepBacktestsRequest) -> None:
        self.asked = asked
        self._started = pb.SweepStarted()
        self._rows: list[sweep_pb2.SweepRow] = []
        self._best: list[sweep_pb2.SweepTrial] = []
        self._failures: list[sweep_pb2.SweepFailure] = []
        self._curves: list[sweep_pb2.OutOfSample] = []
        self._summary = sweep_pb2.SweepSummary()

    def add(self, event: pb.SweepBacktestsResponse) -> None:
        """Note an event."""
        match event.WhichOneof("event"):
            case "started":
                self._started = event.started
            case "rows":
                self._rows += event.rows.rows
            case "best":
                self._best = list(event.best.trials)
            case "failure":
                self._failures.append(event.failure)
            case "out_of_sample":
                self._curves.append(event.out_of_sample)
            case "summary":
                self._summary = event.summary

    def document(self) -> Report:
        """Return the report; raise BackcastError if no backtest succeeded."""
        if not self._summary.progress.completed:
            reason = next((one.status.message for one in self._failures), "no backtest was made")
            raise BackcastError(f"there is nothing to report: {reason}")
        request = self._started.request
        rows = BestRows(metric_of(request.metric), _MOST_ROWS, request.min_trades)
        rows.add(self._rows)
        best = rows.best()
        tables = SweepTables(
            dimensions_of(request),
            metric_of(request.metric),
            cut=request.WhichOneof("cut") is not None,
            folds=request.fold_count,
        )
        name = request.spec.strategy.WhichOneof("kind")
        return Report(
            title=f"Sweep of {name}: {counted(rows.count, 'combination')} on "
            f"{counted(len(request.symbols), 'crypto')}",
            lines=[started_words(self._started), *self._warnings()],
            command=sweep_command(self.asked, request),
            request=MessageToJson(request, preserving_proto_field_name=True),
            figures=[*self._figures(best)],
            sections=[*self._sections(tables, best)],
            notes=NOTES,
        )

    def _warnings(self) -> Iterator[str]:
        if line := left_out_line(self._started.left_out):
            yield line
        yield from failure_lines(
            (
                one.symbol,
                f"failed in {counted(one.backtest_count, 'backtest')}, first because {one.status.message}",
            )
            for one in self._failures
        )

    def _figures(self, best: Sequence[sweep_pb2.SweepRow]) -> Iterator[Figure]:
        """Yield the figures of the best combination, as the median over the cryptos."""
        if not best:
            return
        row = best[0]
        swept = ", ".join(
            f"{one.name} {one.values[index]}"
            for one, index in zip(dimensions_of(self._started.request), row.value_indexes, strict=True)
        )
        metric = metric_of(self._started.request.metric)
        yield Figure(f"best median {heading_of(metric)}", cell(row.train.median, metric), swept)
        for name in ("total_return", "max_drawdown"):
            if name != metric:
                yield Figure(f"its median {heading_of(name)}", cell(row.train.median, name))
        if row.test.HasField("median"):
            yield Figure(f"its median {heading_of(metric)} in the test", cell(row.test.median, metric))
        if self._summary.HasField("overfitting"):
            yield Figure(
                "probability of overfitting", f"{self._summary.overfitting.probability:.3f}", "chance is 0.5"
            )

    def _sections(self, tables: SweepTables, best: Sequence[sweep_pb2.SweepRow]) -> Iterator[Section]:
        request, summary = self._started.request, self._summary
        verdict = []
        if self._best and summary.HasField("selection_bias"):
            verdict.append(selection_bias_words(summary, metric_of(request.metric)))
        if summary.HasField("overfitting"):
            verdict.append(overfitting_words(summary.overfitting))
        if verdict:
            yield Section("Selection bias", lines=verdict)
        if summary.HasField("walk_forward"):
            yield self._walk_forward(tables)
        more = len(self._rows) - len(best)
        yield Section(
            "Combinations",
            lines=[f"[dim]the best {len(best):,} of {len(self._rows):,}[/dim]"] if more else [],
            charts=[*self._heat_map()],
            tables=[tables.combinations(_WIDE, best)] if best else [],
        )
        if self._best:
            yield Section("Single cryptos", tables=[tables.best(_WIDE, self._best)])
        if self._curves:
            best_first = sorted(self._curves, key=lambda curve: (-curve.metrics.total_return, curve.symbol))
            yield Section("Out of sample, by crypto", tables=[tables.out_of_sample(_WIDE, best_first)])

    def _walk_forward(self, tables: SweepTables) -> Section:
        walk = self._summary.walk_forward
        charts = []
        if walk.HasField("out_of_sample"):
            curve = walk.out_of_sample.equity_curve
            times = np.array(curve.open_time_s, np.int64)
            gains = np.array(curve.equity) / self._started.request.spec.execution.initial_capital - 1
            caption = '<span class="key"></span>return of all cryptos out of sample, with equal weights'
            charts = [
                curve_chart(Markup(caption), times, gains),
                fall_chart(
                    Markup('<span class="key drawdown"></span>drawdown'), times, np.array(curve.drawdown)
                ),
            ]
        # The chart stands for the curve that the command draws with characters.
        lines = [
            line for line in walk_forward_words(self._summary, _WIDE) if not line.startswith("their equity")
        ]
        return Section("Walk-forward", lines=lines, charts=charts, tables=[tables.folds(_WIDE, walk.folds)])

    def _heat_map(self) -> Iterator[Markup]:
        """Yield a picture of the first two dimensions, and the metric ranked by."""
        dimensions, metric = dimensions_of(self._started.request), metric_of(self._started.request.metric)
        across, *down = sorted(range(len(dimensions[:2])), key=lambda place: len(dimensions[place].values))
        places = (down[0] if down else across), across
        first, second = (dimensions[place] for place in places)
        labels = [list(one.values) for one in (first, second)]
        if len(labels[0]) * len(labels[1]) > _MOST_CELLS:
            return
        found: dict[tuple[str, str], list[float]] = {}
        for row in self._rows:
            if row.train.median.HasField(metric):  # type: ignore[arg-type]  # a field's name
                in_row, in_column = (row.value_indexes[place] for place in places)
                at = first.values[in_row], second.values[in_column]
                found.setdefault(at, []).append(getattr(row.train.median, metric))
        caption = f"median {heading_of(metric)} over the cryptos"
        if len(dimensions) > len(places):
            caption += "; mean over the other dimensions"
        if not down:
            cells = [[_cell(found.get((label, label)), metric)] for label in labels[0]]
            yield heat_map(caption, (first.name, ""), (labels[0], [heading_of(metric)]), cells)
        else:
            grid = [[_cell(found.get((row, column)), metric) for column in labels[1]] for row in labels[0]]
            yield heat_map(caption, (first.name, second.name), (labels[0], labels[1]), grid)


def _cell(values: Sequence[float] | None, metric: str) -> tuple[float, str] | None:
    if not values:
        return None
    mean = float(np.mean(values))
    return mean, Text.from_markup(cell(Metrics(**{metric: mean}), metric)).plain
