"""The report of a portfolio."""

from collections.abc import Iterator

import numpy as np
from google.protobuf.json_format import MessageToJson
from markupsafe import Markup
from numpy.typing import NDArray

from backcast.backtest.v1 import execution_pb2, portfolio_pb2
from backcast.backtest.v1.backtest_spec_pb2 import BacktestSpec
from backcast.backtest.v1.result_pb2 import DETAIL_EQUITY, EquityCurve
from backcast.backtest.v1.strategy_pb2 import BuyAndHold, Strategy
from backcast.gateway.v1.backtest_service_pb2 import RunBacktestsRequest, RunBacktestsResponse
from backcast.gateway.v1.portfolio_service_pb2 import (
    PortfolioStarted,
    RunPortfolioRequest,
    RunPortfolioResponse,
)
from backcast_engine.errors import BackcastError
from services.cli.views.command_line import portfolio_command
from services.cli.views.failure_lines import later_line, left_out_line
from services.cli.views.metric_cells import ABSENT, cell, colored, heading_of
from services.cli.views.portfolio import portfolio_words
from services.cli.views.portfolio_tables import (
    account_table,
    correlation_lines,
    cryptos_table,
    never_entered_line,
    skipped_line,
    without_candles_line,
)
from services.cli.views.report.charts import curves_chart, fall_chart, level_chart, ranked_bars
from services.cli.views.report.document import Figure, Report, Section
from services.cli.views.report.notes import PORTFOLIO_NOTES
from services.cli.views.result_tables import months_table
from services.cli.views.trades_table import trades_table
from services.domain.counted import counted

# Wide enough for every column of a table.
_WIDE = 10_000
_MOST_TRADES = 500
_FIGURES = ("total_return", "sharpe_ratio", "max_drawdown")


class PortfolioReport:
    """Makes the report of a portfolio: pass it every event, in order."""

    def __init__(self, asked: RunPortfolioRequest) -> None:
        self.asked = asked
        self._started = PortfolioStarted()
        self._result = portfolio_pb2.PortfolioResult()
        self._benchmark = EquityCurve()

    def add(self, event: RunPortfolioResponse) -> None:
        """Note an event."""
        match event.WhichOneof("event"):
            case "started":
                self._started = event.started
            case "result":
                self._result = event.result

    def benchmark_request(self) -> RunBacktestsRequest | None:
        """Return the request of the benchmark's curve, which no event has; None without a benchmark.

        Buying and holding without costs is what a portfolio is compared with.
        """
        if not self._result.HasField("benchmark"):
            return None
        request = self._started.request
        spec = request.spec
        execution = execution_pb2.Execution(
            fee_rate=0,
            slippage_bps=0,
            fill_time=spec.execution.fill_time,
            break_rule=spec.execution.break_rule,
        )
        return RunBacktestsRequest(
            symbols=[self._result.benchmark.symbol],
            spec=BacktestSpec(
                strategy=Strategy(buy_and_hold=BuyAndHold()),
                interval=spec.interval,
                start_time=spec.start_time,
                end_time=spec.end_time,
                execution=execution,
            ),
            detail=DETAIL_EQUITY,
            curve_points=request.curve_points,
            cache_mode=request.cache_mode,
        )

    def add_benchmark(self, event: RunBacktestsResponse) -> None:
        """Note an event of the run that `benchmark_request` asks for."""
        if event.WhichOneof("event") == "result":
            self._benchmark = event.result.equity_curve

    def document(self) -> Report:
        """Return the report; raise BackcastError if there is no candle in the window."""
        request, result = self._started.request, self._result
        if not result.curve.equity:
            raise BackcastError("there is nothing to report: there are no candles in the window")
        names = [str(each.strategy.WhichOneof("kind")) for each in request.spec.strategies]
        of = counted(len(result.cryptos), "crypto")
        return Report(
            title=f"{' and '.join(names)}: one account of {of}",
            lines=[portfolio_words(request.spec, self._started.crypto_count), *self._warnings()],
            command=portfolio_command(self.asked, request),
            request=MessageToJson(request, preserving_proto_field_name=True),
            figures=[*self._figures()],
            sections=[*self._sections()],
            notes=PORTFOLIO_NOTES,
        )

    def _warnings(self) -> Iterator[str]:
        started = self._started
        for line in (
            left_out_line(started.left_out),
            later_line(started.cryptos_with_later_candles),
            without_candles_line(self._result),
        ):
            if line:
                yield line

    def _figures(self) -> Iterator[Figure]:
        result = self._result
        for name in _FIGURES:
            yield Figure(heading_of(name), cell(result.metrics, name), f"hold all {cell(result.hold, name)}")
        for name in ("trade_count", "win_rate", "fees_paid"):
            yield Figure(heading_of(name), cell(result.metrics, name))
        if result.HasField("benchmark"):
            benchmark = result.benchmark
            alpha = colored(benchmark.alpha) if benchmark.HasField("alpha") else ABSENT
            beta, ratio = (
                f"{getattr(benchmark, name):z,.2f}" if benchmark.HasField(name) else ABSENT
                for name in ("beta", "information_ratio")
            )
            yield Figure("alpha a year", alpha, f"against {benchmark.symbol}")
            yield Figure("beta", beta, f"information ratio {ratio}")

    def _sections(self) -> Iterator[Section]:
        result, execution = self._result, self._started.request.spec.execution
        yield Section("Over time", charts=[*self._charts()])
        yield Section(
            "The account beside holding",
            tables=[
                account_table(_WIDE, result),
                months_table(_WIDE, "the account", result.monthly_returns),
            ],
        )
        ranked = sorted(result.cryptos, key=lambda one: (-one.contribution, one.symbol))
        capital = execution.initial_capital
        yield Section(
            "Contribution of each crypto",
            lines=[never_entered_line(result) or skipped_line(result)],
            charts=[
                ranked_bars(
                    "profit of all trades of a crypto, of the initial capital",
                    [(one.symbol, one.contribution / capital) for one in ranked],
                )
            ],
            tables=[cryptos_table(_WIDE, result.cryptos, capital, len(result.cryptos))],
        )
        if result.trades:
            last = result.trades[-_MOST_TRADES:]
            trades, symbols = [each.trade for each in last], [each.symbol for each in last]
            table = trades_table(_WIDE, "the account", trades, len(result.trades), symbols=symbols)
            yield Section("Trades", lines=correlation_lines(result.correlation), tables=[table])

    def _charts(self) -> Iterator[Markup]:
        curve, capital = self._result.curve, self._started.request.spec.execution.initial_capital
        times = np.array(curve.open_time_s, np.int64)
        curves = {"hold": np.array(curve.hold) / capital - 1}
        caption = Markup(
            '<span class="key"></span>return since the start, <span class="key hold"></span>hold all'
        )
        if self._benchmark.equity:
            symbol = self._result.benchmark.symbol
            curves["benchmark"] = _at(times, self._benchmark)
            caption += Markup(', <span class="key benchmark"></span>hold {}').format(symbol)
        curves["account"] = np.array(curve.equity) / capital - 1
        yield curves_chart(caption, times, curves)
        caption = Markup('<span class="key drawdown"></span>drawdown')
        yield fall_chart(caption, times, np.array(curve.drawdown))
        caption = Markup('<span class="key band"></span>{}')
        yield level_chart(
            caption.format("open positions"), times, np.array(curve.position_count, np.float64), ",.0f"
        )
        yield level_chart(
            caption.format("exposure: value of all positions over the equity"),
            times,
            np.array(curve.exposure),
            ".0%",
        )


def _at(times: NDArray[np.int64], curve: EquityCurve) -> NDArray[np.float64]:
    """Return the returns of a curve at other times: 0 before its first candle, then the last one's."""
    # The first point is at the capital: buying costs nothing here.
    equity = np.array([curve.equity[0], *curve.equity])
    places = np.searchsorted(np.array(curve.open_time_s), times, side="right")
    returns: NDArray[np.float64] = equity[places] / equity[0] - 1
    return returns
