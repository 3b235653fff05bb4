"""Commands that backtest, and those that list, watch and cancel what runs.

Each imports what it needs when it runs: see `main`.
"""

from typing import Annotated

import typer

from services.cli.options.groups import takes_groups
from services.cli.options.output import OutputOptions
from services.cli.options.portfolio_sweep import PortfolioSweepOptions
from services.cli.options.run_options import (
    Cache,
    CacheOption,
    CandleOptions,
    Detail,
    ExecutionOptions,
    Format,
    PortfolioOptions,
    RowOptions,
    RunOptions,
    Strategies,
    StrategyOptions,
)
from services.cli.options.sweep_options import SweepOptions

app = typer.Typer()


@app.command()
@takes_groups
def run(
    strategy: StrategyOptions,
    candles: CandleOptions,
    execution: ExecutionOptions,
    options: RunOptions,
    rows: RowOptions,
    output: OutputOptions,
    detail: Annotated[Detail, typer.Option(help="What each result contains.")] = Detail.METRICS,
    curve_points: Annotated[
        int, typer.Option(help="With --detail equity: maximum number of points per curve; 0 for all.")
    ] = 0,
    format_: Annotated[
        Format, typer.Option("--format", help="Print a table, or each event as a line of JSON.")
    ] = Format.TABLE,
) -> None:
    """Backtest a strategy. The exit status is 0 only if every crypto succeeds.

    In a run of all cryptos, those with too few candles are not failures.
    """
    from services.cli.commands import run as run_command
    from services.cli.options.requests import run_request
    from services.settings import load_settings

    request = run_request(
        strategy, candles, execution, detail=detail, curve_points=curve_points, options=options
    )
    if not run_command.run(request, load_settings().gateway, format_ is Format.JSONL, rows, output):
        raise typer.Exit(1)


@app.command()
@takes_groups
def compare(
    strategies: Annotated[
        list[str],
        typer.Argument(
            metavar="STRATEGY",
            help="Two to six strategies, each in quotes with options of its own: 'supertrend --interval 4h'.",
        ),
    ],
    candles: CandleOptions,
    execution: ExecutionOptions,
    output: OutputOptions,
    detail: Annotated[
        Detail, typer.Option(help="What --output writes to a folder besides the metrics.")
    ] = Detail.METRICS,
    cache: CacheOption = Cache.DEFAULT,
    columns: Annotated[
        str | None, typer.Option(help="The metrics to show in the tables, separated by commas.")
    ] = None,
    format_: Annotated[
        Format, typer.Option("--format", help="Print tables, or lines of JSON.")
    ] = Format.TABLE,
) -> None:
    """Backtest several strategies on the same cryptos and window, and compare them with the first one.

    Options outside the quotes apply to all strategies. Options within a
    strategy's quotes apply to it alone, and are those of `backcast run`.

    The exit status is 0 only if every crypto succeeds with every strategy.
    In a comparison of all cryptos, those with too few candles are not failures.
    """
    from services.cli.commands import compare as compare_command
    from services.cli.options.compared import compared_requests
    from services.settings import load_settings

    requests = compared_requests(strategies, candles, execution, cache, detail)
    jsonl = format_ is Format.JSONL
    if not compare_command.compare(requests, load_settings().gateway, jsonl, columns, output):
        raise typer.Exit(1)


@app.command()
@takes_groups
def verify(
    strategy: StrategyOptions,
    candles: CandleOptions,
    execution: ExecutionOptions,
    cuts: Annotated[int, typer.Option(help="Number of shorter histories to compare.", min=1, max=1000)] = 8,
) -> None:
    """Check a run for look-ahead: repeat it on shorter histories and compare the results."""
    from services.cli.commands import verify as verify_command
    from services.cli.options.requests import run_request
    from services.settings import load_settings

    request = run_request(strategy, candles, execution)
    if not verify_command.verify(request, load_settings().gateway, cuts):
        raise typer.Exit(1)


@app.command()
@takes_groups
def sweep(
    swept: SweepOptions,
    candles: CandleOptions,
    execution: ExecutionOptions,
    options: RunOptions,
    output: OutputOptions,
    columns: Annotated[
        str | None,
        typer.Option(help="Further metrics that the tables show, separated by commas."),
    ] = None,
    format_: Annotated[
        Format, typer.Option("--format", help="Print tables, or each event as a line of JSON.")
    ] = Format.TABLE,
) -> None:
    """Backtest every combination of parameters. The exit status is 0 only if every backtest succeeds.

    Interval, stops, size, direction, fill, fee, slippage, borrow rate, funding
    rate and ATR period can have several values too: --stop-loss 1%..5%:1%,none.

    In a sweep of all cryptos, those with too few candles are not failures.
    """
    from services.cli.commands import sweep as sweep_command
    from services.settings import load_settings

    request = swept.request(candles, execution, options)
    jsonl = format_ is Format.JSONL
    if not sweep_command.sweep(request, load_settings().gateway, jsonl, columns, output):
        raise typer.Exit(1)


@app.command()
@takes_groups
def portfolio(
    strategies: Strategies,
    portfolio: PortfolioOptions,
    candles: CandleOptions,
    execution: ExecutionOptions,
    options: RunOptions,
    output: OutputOptions,
    detail: Annotated[Detail, typer.Option(help="What the result contains.")] = Detail.METRICS,
    curve_points: Annotated[
        int, typer.Option(help="With --detail equity: maximum number of points of the curve; 0 for all.")
    ] = 0,
    format_: Annotated[
        Format, typer.Option("--format", help="Print tables, or each event as a line of JSON.")
    ] = Format.TABLE,
) -> None:
    """Backtest one account that trades many cryptos."""
    from services.cli.commands import portfolio as portfolio_command
    from services.cli.options.portfolio import portfolio_request
    from services.settings import load_settings

    request = portfolio_request(
        *(strategies, candles, execution, portfolio),
        detail=detail,
        curve_points=curve_points,
        options=options,
    )
    portfolio_command.portfolio(request, load_settings().gateway, format_ is Format.JSONL, output)


@app.command()
@takes_groups
def sweep_portfolio(
    swept: PortfolioSweepOptions,
    candles: CandleOptions,
    execution: ExecutionOptions,
    options: RunOptions,
    output: OutputOptions,
    format_: Annotated[
        Format, typer.Option("--format", help="Print tables, or each event as a line of JSON.")
    ] = Format.TABLE,
) -> None:
    """Backtest one account with every combination of values, and rank the accounts.

    Stops, size, direction, fill, fee, slippage, borrow rate, funding rate and ATR period can have several
    values too: --stop-loss 1%..5%:1%,none. The exit status is 0 only if every portfolio succeeds.
    """
    from services.cli.commands import portfolio_sweep
    from services.settings import load_settings

    request = swept.request(candles, execution, options)
    jsonl = format_ is Format.JSONL
    if not portfolio_sweep.sweep_portfolio(request, load_settings().gateway, jsonl, output):
        raise typer.Exit(1)


@app.command()
def rules(
    strategy: Annotated[
        str | None,
        typer.Argument(help="Name of a strategy; without one, the language of rules is explained."),
    ] = None,
    param: Annotated[
        list[str] | None, typer.Option(help="A parameter of the strategy: period=7. Can be repeated.")
    ] = None,
) -> None:
    """Print a strategy as rules, which you can change and run: `backcast run rules --entry … --exit …`."""
    from services.cli.commands.rules import print_language, print_rules

    if strategy is None:
        print_language()
    else:
        print_rules(strategy, param or [])


@app.command()
def strategies() -> None:
    """List the strategies and their parameters."""
    from services.cli.commands.lists import list_strategies
    from services.settings import load_settings

    list_strategies(load_settings().gateway)


@app.command()
def runs() -> None:
    """List runs in progress, and paused and ended runs that can still be watched."""
    from services.cli.commands.runs import list_runs
    from services.settings import load_settings

    list_runs(load_settings().gateway)


@app.command()
def watch(
    run_id: Annotated[str, typer.Argument(help="Id of a run; `backcast runs` lists them.")],
    after: Annotated[int, typer.Option(help="Resume after the event with this number.")] = 0,
    format_: Annotated[
        Format, typer.Option("--format", help="Print a table, or each event as a line of JSON.")
    ] = Format.TABLE,
) -> None:
    """Watch a run from the beginning, or resume it where its stream broke."""
    from services.cli.commands.runs import watch_run
    from services.settings import load_settings

    if not watch_run(run_id, after, load_settings().gateway, format_ is Format.JSONL):
        raise typer.Exit(1)


@app.command()
def cancel(run_id: Annotated[str, typer.Argument(help="Id of a run; `backcast runs` lists them.")]) -> None:
    """Cancel a run or a sweep, for all clients that watch it."""
    from services.cli.commands.runs import cancel_run
    from services.settings import load_settings

    cancel_run(run_id, load_settings().gateway)
