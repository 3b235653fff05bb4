"""The report of a sweep."""

from collections.abc import Iterator, Sequence

from google.protobuf.json_format import MessageToJson

from backcast.gateway.v1 import backtest_service_pb2 as pb
from backcast.gateway.v1 import sweep_pb2
from backcast_engine.errors import BackcastError
from services.cli.views.best_rows import BestRows
from services.cli.views.command_line import sweep_command
from services.cli.views.failure_lines import failure_lines, left_out_line
from services.cli.views.metric_cells import cell, heading_of, metric_of
from services.cli.views.report.document import Figure, Report, Section
from services.cli.views.report.heat_map import sweep_heat_map
from services.cli.views.report.notes import NOTES
from services.cli.views.report.walk_forward import walk_forward_section
from services.cli.views.sweep_request import started_words
from services.cli.views.sweep_tables import SweepTables
from services.cli.views.sweep_values import dimensions_of
from services.cli.views.sweep_words import overfitting_words, selection_bias_words
from services.domain.counted import counted

_WIDE = 10_000
# Rows of the table of combinations: the best.
_MOST_ROWS = 500


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
            walk, capital = summary.walk_forward, request.spec.execution.initial_capital
            yield walk_forward_section(walk, capital, tables.folds(_WIDE, walk.folds))
        more, metric = len(self._rows) - len(best), metric_of(request.metric)
        figures = [(row.value_indexes, row.train.median) for row in self._rows]
        yield Section(
            "Combinations",
            lines=[f"[dim]the best {len(best):,} of {len(self._rows):,}[/dim]"] if more else [],
            charts=[*sweep_heat_map(dimensions_of(request), metric, "median over the cryptos", figures)],
            tables=[tables.combinations(_WIDE, best)] if best else [],
        )
        if self._best:
            yield Section("Single cryptos", tables=[tables.best(_WIDE, self._best)])
        if self._curves:
            best_first = sorted(self._curves, key=lambda curve: (-curve.metrics.total_return, curve.symbol))
            yield Section("Out of sample, by crypto", tables=[tables.out_of_sample(_WIDE, best_first)])
