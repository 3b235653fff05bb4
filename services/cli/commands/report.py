"""`backcast report …`: one HTML file of a run, a portfolio or a sweep of either, to be sent to others."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from backcast_engine.errors import InvalidInput
from services.cli.options.groups import takes_groups
from services.cli.options.output import Overwrite
from services.cli.options.portfolio_sweep import PortfolioSweepOptions
from services.cli.options.run_options import (
    Cache,
    CacheOption,
    CandleOptions,
    ExecutionOptions,
    PortfolioOptions,
    RunOptions,
    Strategies,
    StrategyOptions,
)
from services.cli.options.sweep_options import SweepOptions

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from services.cli.views.report.document import Report
    from services.cli.views.report.portfolio import PortfolioReport
    from services.cli.views.report.portfolio_sweep import PortfolioSweepReport
    from services.cli.views.report.run import RunReport
    from services.cli.views.report.sweep import SweepReport

app = typer.Typer(
    help="Write the report of a run, a portfolio or a sweep to one HTML file, with charts, tables "
    "and the command that repeats it.",
    no_args_is_help=True,
)

# Enough for the width of a screen.
_CURVE_POINTS = 500


@dataclass(frozen=True, slots=True)
class ReportOptions:
    """The file of a report."""

    output: Annotated[Path, typer.Option(help="File that the report is written to: report.html.")]
    overwrite: Overwrite = False


@app.command()
@takes_groups
def run(
    strategy: StrategyOptions,
    candles: CandleOptions,
    execution: ExecutionOptions,
    file: ReportOptions,
    cache: CacheOption = Cache.DEFAULT,
) -> None:
    """Write a report of a run; its options are those of `backcast run`.

    The exit status is 0 only if every crypto succeeds. In a run of all cryptos, those with too few candles
    are not failures.
    """
    from services.cli.client.event_stream import run_events
    from services.cli.options.requests import run_request
    from services.cli.views.report.run import RunReport
    from services.settings import load_settings

    request = run_request(
        strategy,
        candles,
        execution,
        detail="equity",
        curve_points=_CURVE_POINTS,
        options=RunOptions(cache=cache),
    )
    _check(file)
    _write(RunReport(request), run_events(load_settings().gateway, request), file)


@app.command()
@takes_groups
def sweep(
    swept: SweepOptions,
    candles: CandleOptions,
    execution: ExecutionOptions,
    file: ReportOptions,
    cache: CacheOption = Cache.DEFAULT,
) -> None:
    """Write a report of a sweep; its options are those of `backcast sweep`.

    The exit status is 0 only if every backtest succeeds. In a sweep of all cryptos, those with too few
    candles are not failures.
    """
    from backcast.gateway.v1.backtest_service_pb2_grpc import BacktestServiceStub
    from services.cli.client.event_stream import events_of
    from services.cli.views.report.sweep import SweepReport
    from services.settings import load_settings

    request = swept.request(candles, execution, RunOptions(cache=cache))
    _check(file)
    gateway = load_settings().gateway
    events = events_of(gateway, lambda channel: BacktestServiceStub(channel).SweepBacktests, request)
    _write(SweepReport(request), events, file)


@app.command()
@takes_groups
def portfolio(
    strategies: Strategies,
    portfolio: PortfolioOptions,
    candles: CandleOptions,
    execution: ExecutionOptions,
    file: ReportOptions,
    cache: CacheOption = Cache.DEFAULT,
) -> None:
    """Write a report of a portfolio; its options are those of `backcast portfolio`."""
    import asyncio

    from services.cli.options.portfolio import portfolio_request
    from services.cli.views.report.portfolio import PortfolioReport
    from services.settings import load_settings

    request = portfolio_request(
        *(strategies, candles, execution, portfolio),
        detail="equity",
        curve_points=_CURVE_POINTS,
        options=RunOptions(cache=cache),
    )
    _check(file)
    report = PortfolioReport(request)
    asyncio.run(_follow_portfolio(report, load_settings().gateway))
    _save(report.document(), file)


@app.command()
@takes_groups
def sweep_portfolio(
    swept: PortfolioSweepOptions,
    candles: CandleOptions,
    execution: ExecutionOptions,
    file: ReportOptions,
    cache: CacheOption = Cache.DEFAULT,
) -> None:
    """Write a report of a sweep over portfolios; its options are those of `backcast sweep-portfolio`.

    The exit status is 0 only if every portfolio succeeds.
    """
    from backcast.gateway.v1.portfolio_service_pb2_grpc import PortfolioServiceStub
    from services.cli.client.event_stream import events_of
    from services.cli.views.report.portfolio_sweep import PortfolioSweepReport
    from services.settings import load_settings

    request = swept.request(candles, execution, RunOptions(cache=cache))
    _check(file)
    gateway = load_settings().gateway
    events = events_of(gateway, lambda channel: PortfolioServiceStub(channel).SweepPortfolios, request)
    _write(PortfolioSweepReport(request), events, file)


async def _follow_portfolio(report: "PortfolioReport", gateway: str) -> None:
    """Follow the portfolio, and then the run of its benchmark, to their ends."""
    from contextlib import aclosing

    from services.cli.client.event_stream import portfolio_events, run_events

    async with aclosing(portfolio_events(gateway, report.asked)) as events:
        async for event in events:
            report.add(event)
    if benchmark := report.benchmark_request():
        async with aclosing(run_events(gateway, benchmark)) as of_benchmark:
            async for one in of_benchmark:
                report.add_benchmark(one)


def _check(file: ReportOptions) -> None:
    """Raise InvalidInput, naming the option, if the file cannot be made."""
    from services.cli.files.new_files import check_absent, check_folder

    if file.output.suffix.lower() not in (".html", ".htm"):
        raise InvalidInput.of("--output", f"{str(file.output)!r} does not end with .html")
    check_folder(file.output.parent)
    if not file.overwrite:
        check_absent([file.output])


def _write(
    report: "RunReport | SweepReport | PortfolioSweepReport",
    events: "AsyncGenerator[object]",
    file: ReportOptions,
) -> None:
    """Follow the events to their end, and write the report; exit with status 1 if something failed."""
    import asyncio

    from services.cli.client.event_stream import excuses_short_histories, follow

    excused = excuses_short_histories(report.asked)
    succeeded = asyncio.run(follow(events, report.add, excuse_short_histories=excused))
    _save(report.document(), file)
    if not succeeded:
        raise typer.Exit(1)


def _save(report: "Report", file: ReportOptions) -> None:
    """Write a report, and say so."""
    from rich.markup import escape

    from services.cli.files.new_files import new_files
    from services.cli.views.console import make_console, say

    text = report.html()
    with new_files([file.output], overwrite=file.overwrite) as (unfinished,):
        unfinished.write_text(text, encoding="utf-8")
    say(make_console(), escape(f"{len(text.encode()) / 1000:,.0f} kB in {file.output}"))
