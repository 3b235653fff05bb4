"""The report of a run."""

from collections.abc import Iterator

import numpy as np
from google.protobuf.json_format import MessageToJson
from markupsafe import Markup
from numpy.typing import NDArray
from rich.text import Text

from backcast.backtest.v1 import execution_pb2
from backcast.backtest.v1.backtest_spec_pb2 import BacktestSpec
from backcast.backtest.v1.result_pb2 import BacktestResult
from backcast.gateway.v1 import backtest_service_pb2 as pb
from backcast.gateway.v1 import run_events_pb2
from backcast_engine.errors import BackcastError
from services.cli.views.command_line import run_command
from services.cli.views.failure_lines import failure_lines, left_out_line
from services.cli.views.metric_cells import ABSENT, cell, heading_of
from services.cli.views.report.charts import curve_chart, fall_chart, histogram
from services.cli.views.report.document import Figure, Report, Section
from services.cli.views.report.notes import NOTES
from services.cli.views.request import interval_of, run_words
from services.cli.views.result_tables import months_table, ranked, results_table
from services.cli.views.summary import NEVER_TRADED, break_lines, missing_line, spread_table
from services.cli.views.trades_table import trades_table
from services.domain.counted import counted

# Wide enough for every column of a table.
_WIDE = 10_000
# Of more cryptos, the curves are drawn together, and trades and months are left out.
_MOST_DETAILED = 3
_MOST_TRADES = 500
_POINTS = 500
_FIGURES = ("total_return", "buy_and_hold_return", "sharpe_ratio", "max_drawdown", "trade_count")
_HOUR_S = 3600


class RunReport:
    """Makes the report of a run: pass it every event, in order."""

    def __init__(self, asked: pb.RunBacktestsRequest) -> None:
        self.asked = asked
        self._started = pb.RunStarted()
        self._results: list[BacktestResult] = []
        self._failures: list[run_events_pb2.RunFailure] = []
        self._summary = run_events_pb2.RunSummary()

    def add(self, event: pb.RunBacktestsResponse) -> None:
        """Note an event."""
        match event.WhichOneof("event"):
            case "started":
                self._started = event.started
            case "result":
                self._results.append(event.result)
            case "failure":
                self._failures.append(event.failure)
            case "summary":
                self._summary = event.summary

    def document(self) -> Report:
        """Return the report; raise BackcastError if no crypto has a result."""
        if not self._results:
            reason = next((one.status.message for one in self._failures), "there is no crypto")
            raise BackcastError(f"there is nothing to report: {reason}")
        request = self._started.request
        spec, best_first = request.spec, ranked(self._results)
        of = best_first[0].symbol if len(best_first) == 1 else counted(len(best_first), "crypto")
        report = Report(
            title=f"{spec.strategy.WhichOneof('kind')} on {of}",
            lines=[run_words(spec, self._started.crypto_count), *self._warnings(spec)],
            command=run_command(self.asked, request),
            request=MessageToJson(request, preserving_proto_field_name=True),
            figures=[*self._figures()],
            notes=NOTES,
        )
        if len(best_first) <= _MOST_DETAILED:
            report.sections += [_crypto(result, spec) for result in best_first]
        else:
            report.sections += self._over_cryptos(spec)
        report.sections.append(Section("Cryptos", tables=[results_table(_WIDE, best_first)]))
        return report

    def _warnings(self, spec: BacktestSpec) -> Iterator[str]:
        in_parts = spec.execution.break_rule == execution_pb2.BREAK_RULE_SPLIT
        yield from break_lines(self._results, in_parts=in_parts)
        for line in (
            missing_line(self._results, interval_of(spec)),
            left_out_line(self._started.left_out),
        ):
            if line:
                yield line
        if self._summary.cryptos_without_trades == len(self._results):
            yield NEVER_TRADED
        yield from failure_lines((failure.symbol, failure.status.message) for failure in self._failures)

    def _figures(self) -> Iterator[Figure]:
        if len(self._results) == 1:
            for name in (*_FIGURES, "win_rate"):
                yield Figure(heading_of(name), cell(self._results[0].metrics, name))
            return
        spread = self._summary.spread
        for name in _FIGURES:
            low, high = (
                Text.from_markup(cell(quantile, name)).plain
                for quantile in (spread.quantile_25, spread.quantile_75)
            )
            note = f"middle half {low} to {high}"
            yield Figure(f"median {heading_of(name)}", cell(spread.quantile_50, name), note)
        gained = f"{spread.share_gained:.0%}" if spread.HasField("share_gained") else ABSENT
        beat = f"{spread.share_beat_holding:.0%}" if spread.HasField("share_beat_holding") else ABSENT
        yield Figure("gained", gained, f"{beat} beat holding")

    def _over_cryptos(self, spec: BacktestSpec) -> Iterator[Section]:
        times = _times(spec)
        held = np.array([_held(result, spec, times) for result in self._results])
        low, high = np.quantile(held, (0.25, 0.75), axis=0)
        caption = Markup(
            '<span class="key"></span>mean return of the cryptos since the start, '
            '<span class="key band"></span>the middle half of them'
        )
        charts = [curve_chart(caption, times, held.mean(axis=0), (low, high))]
        returns = np.array([result.metrics.total_return for result in self._results])
        yield Section("Over time", charts=charts)
        spread = spread_table(_WIDE, self._summary)
        pictured = [
            histogram(
                Markup("number of cryptos by return; the outermost bars have all beyond them, too"), returns
            )
        ]
        yield Section("Over the cryptos", charts=pictured, tables=[spread])


def _crypto(result: BacktestResult, spec: BacktestSpec) -> Section:
    """Return the curves, months and trades of one crypto."""
    curve = result.equity_curve
    times = np.array(curve.open_time_s, np.int64)
    gains = np.array(curve.equity) / spec.execution.initial_capital - 1
    charts = [
        curve_chart(Markup('<span class="key"></span>return since the start'), times, gains),
        fall_chart(Markup('<span class="key drawdown"></span>drawdown'), times, np.array(curve.drawdown)),
    ]
    tables = [months_table(_WIDE, result.symbol, result.monthly_returns)]
    if result.trades:
        last = result.trades[-_MOST_TRADES:]
        tables.append(trades_table(_WIDE, result.symbol, last, len(result.trades)))
    return Section(result.symbol, charts=charts, tables=tables)


def _times(spec: BacktestSpec) -> NDArray[np.int64]:
    """Return the times of the mean curve, Unix seconds at equal distances from start to end of the window."""
    start, end = spec.start_time.seconds, spec.end_time.seconds
    points = max(2, min(_POINTS, (end - start) // _HOUR_S))
    return start + (end - start) * np.arange(points, dtype=np.int64) // points


def _held(result: BacktestResult, spec: BacktestSpec, times: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the returns of one crypto at `times`: 0 before its first candle, then the last one's."""
    equity = np.array([spec.execution.initial_capital, *result.equity_curve.equity])
    places = np.searchsorted(np.array(result.equity_curve.open_time_s), times, side="right")
    held: NDArray[np.float64] = equity[places] / spec.execution.initial_capital - 1
    return held
