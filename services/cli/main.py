"""The `backcast` command: its subcommands and options, and how errors are printed.

Each subcommand imports what it needs when it runs. So `--help` is fast, and the worker processes of the
compute service, which import this module as their main module, never import grpc.
"""

import os
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from backcast_engine.errors import BackcastError
from services.cli.commands import data as data_commands
from services.cli.commands import db as db_commands
from services.cli.commands import report as report_commands
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
from services.domain.conflict_rule import ConflictRule

app = typer.Typer(
    help="Backtest trading strategies on hundreds of cryptos.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.add_typer(db_commands.app, name="db")
app.add_typer(data_commands.app, name="data")
app.add_typer(report_commands.app, name="report")


class Service(StrEnum):
    """The three services, the page, and the feed."""

    DATA = "data"
    COMPUTE = "compute"
    GATEWAY = "gateway"
    WEB = "web"
    FEED = "feed"


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"backcast {version('backcast')}")
        raise typer.Exit


@app.callback()
def backcast(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    """Take the options that stand before a command."""


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
        int, typer.Option(help="With --detail equity: the most points of each curve; 0 for all.")
    ] = 0,
    format_: Annotated[
        Format, typer.Option("--format", help="Print a table, or each event as a line of JSON.")
    ] = Format.TABLE,
) -> None:
    """Backtest a strategy. The exit status is 0 only if every crypto succeeds.

    In a run of all cryptos, those with too few candles do not count.
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
        Detail, typer.Option(help="What a folder of --output gets besides the metrics.")
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

    Options outside the quotes are for all strategies.
    Options of one strategy, those of `backcast run`, stand within its quotes.

    The exit status is 0 only if every crypto succeeds with every strategy.
    In a comparison of all cryptos, those with too few candles do not count.
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
    cuts: Annotated[int, typer.Option(help="Number of shorter histories.", min=1, max=1000)] = 8,
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

    Of the other options, these can have several values too, such as
    --stop-loss 1%..5%:1%,none: interval, stops, size, direction, fill, fee,
    slippage, borrow rate, funding rate and ATR period.

    In a sweep of all cryptos, those with too few candles do not count.
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
        int, typer.Option(help="With --detail equity: the most points of the curve; 0 for all.")
    ] = 0,
    format_: Annotated[
        Format, typer.Option("--format", help="Print tables, or each event as a line of JSON.")
    ] = Format.TABLE,
) -> None:
    """Trade many cryptos with one account."""
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
    format_: Annotated[
        Format, typer.Option("--format", help="Print tables, or each event as a line of JSON.")
    ] = Format.TABLE,
) -> None:
    """Trade every combination of values with one account, and rank the accounts.

    Stops, size, direction, fill, fee, slippage, borrow rate, funding rate and ATR period can have several
    values too: --stop-loss 1%..5%:1%,none. The exit status is 0 only if every portfolio succeeds.
    """
    from services.cli.commands import portfolio_sweep
    from services.settings import load_settings

    request = swept.request(candles, execution, options)
    if not portfolio_sweep.sweep_portfolio(request, load_settings().gateway, format_ is Format.JSONL):
        raise typer.Exit(1)


@app.command()
def rules(
    strategy: Annotated[
        str | None, typer.Argument(help="A strategy; without one, the language of rules is shown.")
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


@app.command("import")
def import_(
    paths: Annotated[
        list[Path], typer.Argument(help="Files and folders, also .gz and .zip.", metavar="PATH")
    ],
    symbol: Annotated[
        str | None,
        typer.Option(help="The crypto, whatever the files say: BTCUSDT, BTCUSDT.P, BTCUSDT_240329."),
    ] = None,
    interval: Annotated[
        str | None, typer.Option(help="The length of the candles, whatever the files say: 1m to 1h.")
    ] = None,
    on_conflict: Annotated[
        ConflictRule,
        typer.Option(
            help="Which of two different candles of the same time is stored. guarded: the later one, but a "
            "file that would change many stored candles is refused. replace: the later one. keep: the "
            "earlier one. fail: the file is refused."
        ),
    ] = ConflictRule.GUARDED,
    map_: Annotated[
        list[str] | None,
        typer.Option(
            "--map",
            help="The file's column for a field: datetime=Date, close_price=Last; volume= if there is no "
            "volume. Can be repeated.",
            metavar="NAME=COLUMN",
        ),
    ] = None,
) -> None:
    """Import candles from files; their format is detected by their content."""
    from services.cli.commands.import_candles import import_files
    from services.settings import load_settings

    if not import_files(paths, symbol, interval, on_conflict, map_ or [], load_settings().gateway):
        raise typer.Exit(1)


@app.command()
def fetch(
    exchange: Annotated[str, typer.Argument(help="binance, okx, bybit, coinbase or kraken.")],
    since: Annotated[str, typer.Option(help="Time of the first candles, UTC: 2020-01-01.")],
    symbols: Annotated[
        str | None, typer.Option(help="Spot pairs, separated by commas: BTC/USDT,ETH/USDT.")
    ] = None,
    quote: Annotated[
        str | None, typer.Option(help="Instead: all pairs of this quote currency: USDT.")
    ] = None,
    delisted: Annotated[
        bool, typer.Option("--delisted", help="With --quote: also pairs that are no longer traded.")
    ] = False,
    until: Annotated[
        str | None, typer.Option(help="End, UTC, exclusive; by default the newest closed hour.")
    ] = None,
    again: Annotated[
        bool,
        typer.Option(
            "--again", help="Also ask for hours that were asked for before, and replace stored candles."
        ),
    ] = False,
    url: Annotated[
        str | None, typer.Option(help="Address of a server that answers as the exchange does.")
    ] = None,
) -> None:
    """Fetch hourly candles from an exchange. The exit status is 0 only if every crypto succeeds.

    A fetch that was interrupted goes on where it was.
    """
    from services.cli.commands.fetch import FetchOptions
    from services.cli.commands.fetch import fetch as fetch_candles
    from services.settings import load_settings

    options = FetchOptions(symbols, quote, delisted, since, until, again, url)
    if not fetch_candles(exchange, options, load_settings().gateway):
        raise typer.Exit(1)


@app.command()
def follow(
    exchange: Annotated[str, typer.Argument(help="binance, okx, bybit, coinbase or kraken.")],
    quote: Annotated[str, typer.Option(help="All pairs of this quote currency.")] = "USDT",
    url: Annotated[
        str | None, typer.Option(help="Address of a server that answers as the exchange does.")
    ] = None,
) -> None:
    """Fetch the newest candles of an exchange every hour, and what it corrects, until Ctrl-C."""
    from services.cli.commands.follow import follow as follow_exchange
    from services.settings import load_settings

    follow_exchange(exchange, quote, url, load_settings().gateway)


@app.command()
def feeds() -> None:
    """List what is followed: the newest hour, its age, corrections and failures of each feed."""
    from services.cli.commands.feeds import list_feeds
    from services.settings import load_settings

    list_feeds(load_settings().gateway)


@app.command()
def runs() -> None:
    """List runs in progress, and paused and ended runs that can still be watched."""
    from services.cli.commands.runs import list_runs
    from services.settings import load_settings

    list_runs(load_settings().gateway)


@app.command()
def watch(
    run_id: Annotated[str, typer.Argument(help="A run; `backcast runs` lists them.")],
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
def cancel(run_id: Annotated[str, typer.Argument(help="A run; `backcast runs` lists them.")]) -> None:
    """Cancel a run or a sweep, for all clients that watch it."""
    from services.cli.commands.runs import cancel_run
    from services.settings import load_settings

    cancel_run(run_id, load_settings().gateway)


@app.command()
def cryptos() -> None:
    """List the cryptos that have candles."""
    from services.cli.commands.lists import list_cryptos
    from services.settings import load_settings

    list_cryptos(load_settings().gateway)


@app.command()
def strategies() -> None:
    """List the strategies and their parameters."""
    from services.cli.commands.lists import list_strategies
    from services.settings import load_settings

    list_strategies(load_settings().gateway)


@app.command()
def up(
    data_dir: Annotated[
        Path | None, typer.Option(help="Folder of the data and logs; it survives a restart.")
    ] = None,
    follow: Annotated[
        str | None,
        typer.Option(help="Also fetch the newest candles of this exchange every hour: binance, okx, …"),
    ] = None,
    quote: Annotated[
        str | None, typer.Option(help="With --follow: the quote currency of the pairs; by default USDT.")
    ] = None,
) -> None:
    """Run PostgreSQL, Valkey, the three services and the page on this machine, until Ctrl-C."""
    from services.cli.commands.up import up as run_up
    from services.settings import load_settings

    run_up(load_settings(), data_dir, follow, quote)


@app.command()
def sample() -> None:
    """Import a made-up market for trying things: 211 cryptos, one year of hourly candles."""
    from services.cli.commands.sample import sample as write_sample
    from services.settings import load_settings

    write_sample(load_settings().gateway)


@app.command()
def token(
    name: Annotated[str, typer.Argument(help="The client's name, in logs and lists of runs.")],
    rights: Annotated[
        str, typer.Option(help="One or more of run, import and admin, separated by commas.")
    ] = "run",
) -> None:
    """Make a token for a client of the gateway; `backcast token NAME >> FILE` adds its entry to a file."""
    from services.cli.commands.token import print_token

    print_token(name, rights)


@app.command()
def demo() -> None:
    """Show what Backcast does, on a made-up market; leaves nothing behind."""
    from services.cli.commands.demo import demo as run_demo

    run_demo()


@app.command()
def health(address: Annotated[str, typer.Argument(help="host:port of a service without TLS.")]) -> None:
    """Exit with status 0 if the service at ADDRESS is ready; for health checks of containers."""
    import asyncio

    from services.domain.errors import Unavailable
    from services.local.health import is_serving

    if not asyncio.run(is_serving(address)):
        raise Unavailable(f"not ready: {address}")


@app.command()
def serve(service: Annotated[Service, typer.Argument(help="The service to run.")]) -> None:
    """Run one service, configured by environment variables (BACKCAST_…), until SIGINT or SIGTERM."""
    import asyncio

    from services.domain.process_memory import freeze_objects
    from services.settings import load_settings
    from services.telemetry.logs import configure_logs, failures_logged

    configure_logs(service.value)
    match service:
        case Service.DATA:
            from services.data.app import run as run_service
        case Service.COMPUTE:
            from services.compute.app import run as run_service
        case Service.GATEWAY:
            from services.gateway.app import run as run_service
        case Service.WEB:
            from services.web.app import run as run_service
        case Service.FEED:
            from services.feed.app import run as run_service
    with failures_logged():
        # Here, and not in the event loop: it takes 100 ms.
        freeze_objects()
        asyncio.run(run_service(load_settings()))


def main() -> NoReturn:
    """Run the command line; every failure ends in one line on standard error, never in a traceback."""
    # Otherwise gRPC prints a line for every failed handshake; our own errors explain them.
    os.environ.setdefault("GRPC_VERBOSITY", "ERROR")
    try:
        sys.exit(app())
    except BackcastError as error:
        sys.exit(f"backcast: {error}")
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        # The reader of our output has gone; nobody would read a message either.
        sys.stderr.close()
        sys.exit(1)
    except Exception as error:
        if "BACKCAST_DEBUG" in os.environ:
            raise
        sys.exit(f"backcast: internal error: {error!r} (BACKCAST_DEBUG=1 shows the traceback)")


if __name__ == "__main__":
    main()
