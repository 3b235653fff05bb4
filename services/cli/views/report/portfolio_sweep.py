"""The report of a sweep over portfolios."""

from collections.abc import Iterator

from google.protobuf.json_format import MessageToJson

from backcast.gateway.v1 import portfolio_sweep_pb2 as pb
from backcast_engine.errors import BackcastError
from services.cli.views.command_line import portfolio_sweep_command
from services.cli.views.failure_lines import later_line, left_out_line
from services.cli.views.metric_cells import cell, heading_of, metric_of
from services.cli.views.portfolio_sweep_tables import ACCOUNTS, accounts_table, failed_lines, folds_table
from services.cli.views.report.document import Figure, Report, Section
from services.cli.views.report.heat_map import sweep_heat_map
from services.cli.views.report.notes import PORTFOLIO_SWEEP_NOTES
from services.cli.views.report.walk_forward import walk_forward_section
from services.cli.views.sweep_request import portfolios_words
from services.cli.views.sweep_values import dimensions_of
from services.cli.views.sweep_words import bias_words
from services.domain.counted import counted

# Wide enough for every column of a table.
_WIDE = 10_000
_FIGURES = ("total_return", "max_drawdown", "trade_count")


class PortfolioSweepReport:
    """Makes the report of a sweep over portfolios: pass it every event, in order."""

    def __init__(self, asked: pb.SweepPortfoliosRequest) -> None:
        self.asked = asked
        self._started = pb.PortfolioSweepStarted()
        self._best: list[pb.PortfolioSweepRow] = []
        self._rows: list[pb.PortfolioSweepRow] = []
        self._summary = pb.PortfolioSweepSummary()

    def add(self, event: pb.SweepPortfoliosResponse) -> None:
        """Note an event."""
        match event.WhichOneof("event"):
            case "started":
                self._started = event.started
            case "best":
                self._best = list(event.best.rows)
            case "rows":
                self._rows += event.rows.rows
            case "summary":
                self._summary = event.summary

    def document(self) -> Report:
        """Return the report; raise BackcastError if no portfolio succeeded."""
        if not self._summary.progress.completed:
            reason = next((row.failure.message for row in self._rows if row.HasField("failure")), "")
            raise BackcastError(f"there is nothing to report: {reason or 'no portfolio was traded'}")
        request = self._started.request
        names = [str(each.strategy.WhichOneof("kind")) for each in request.spec.strategies]
        return Report(
            title=f"{' and '.join(names)}: {counted(len(self._rows), 'combination')}, each "
            f"one account of {counted(self._started.crypto_count, 'crypto')}",
            lines=[portfolios_words(self._started), *self._warnings()],
            command=portfolio_sweep_command(self.asked, request),
            request=MessageToJson(request, preserving_proto_field_name=True),
            figures=[*self._figures()],
            sections=[*self._sections()],
            notes=PORTFOLIO_SWEEP_NOTES,
        )

    def _warnings(self) -> Iterator[str]:
        started = self._started
        for line in (left_out_line(started.left_out), later_line(started.cryptos_with_later_candles)):
            if line:
                yield line
        yield from failed_lines([row for row in self._rows if row.HasField("failure")])

    def _figures(self) -> Iterator[Figure]:
        """Yield the figures of the best account."""
        if not self._best:
            return
        row, request = self._best[0], self._started.request
        swept = ", ".join(
            f"{one.name} {one.values[index]}"
            for one, index in zip(dimensions_of(request), row.value_indexes, strict=True)
            if len(one.values) > 1
        )
        metric = metric_of(request.metric)
        yield Figure(f"best {heading_of(metric)}", cell(row.train, metric), swept)
        for name in _FIGURES:
            if name != metric:
                yield Figure(f"its {heading_of(name)}", cell(row.train, name))
        if row.HasField("test"):
            yield Figure(f"its {heading_of(metric)} in the test", cell(row.test, metric))

    def _sections(self) -> Iterator[Section]:
        request, metric = self._started.request, metric_of(self._started.request.metric)
        summary = self._summary
        if self._best and summary.HasField("selection_bias"):
            words = bias_words(summary.selection_bias, summary.winner.train, metric)
            yield Section("Selection bias", lines=[words])
        if summary.HasField("walk_forward"):
            walk, capital = summary.walk_forward, request.spec.execution.initial_capital
            yield walk_forward_section(walk, capital, folds_table(_WIDE, request, walk), ACCOUNTS)
        figures = [(row.value_indexes, row.train) for row in self._rows]
        more = len(self._rows) - len(self._best)
        shown = f"[dim]the best {len(self._best):,} of {len(self._rows):,}[/dim]"
        if not self._best:
            shown = f"no combination has a rank by {heading_of(metric)}"
        yield Section(
            "Combinations",
            lines=[shown] if more else [],
            charts=[*sweep_heat_map(dimensions_of(request), metric, "of the account", figures)],
            tables=[accounts_table(_WIDE, request, self._best)] if self._best else [],
        )
