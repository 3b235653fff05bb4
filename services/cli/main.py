"""The `backcast` command: what it can do, and how a failure ends.

Commands import what they need when they run: so `--help` is instant, and the compute service's workers,
which import this module too (as their main module), never import grpc.
"""

import os
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from services.cli.commands import db as db_commands
from services.cli.options.groups import takes_groups
from services.cli.options.run_options import (
    CandleOptions,
    ExecutionOptions,
    RowOptions,
    RunOptions,
    StrategyOptions,
)
from services.domain.conflict_rule import ConflictRule
from services.domain.errors import BackcastError

app = typer.Typer(
    help="Tells how a trading strategy would have done on hundreds of cryptos.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.add_typer(db_commands.app, name="db")
data_app = typer.Typer(help="What is stored.", no_args_is_help=True)
app.add_typer(data_app, name="data")


class Service(StrEnum):
    """The three services."""

    DATA = "data"
    COMPUTE = "compute"
    GATEWAY = "gateway"


class Detail(StrEnum):
    """How much of each result to get."""

    METRICS = "metrics"
    TRADES = "trades"
    EQUITY = "equity"


class Format(StrEnum):
    """How to print results."""

    TABLE = "table"
    JSONL = "jsonl"


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
    detail: Annotated[Detail, typer.Option(help="How much of each result to get.")] = Detail.METRICS,
    curve_points: Annotated[
        int, typer.Option(help="With --detail equity: points of each curve at most, 0 for all.")
    ] = 0,
    format_: Annotated[
        Format, typer.Option("--format", help="A table, or a line of JSON for every event.")
    ] = Format.TABLE,
) -> None:
    """Backtest a strategy. Exit status 0 only where every crypto succeeded."""
    from services.cli.commands import run as run_command
    from services.cli.options.run_request import run_request
    from services.settings import load_settings

    request = run_request(
        strategy, candles, execution, detail=detail, curve_points=curve_points, options=options
    )
    if not run_command.run(request, load_settings().gateway, format_ is Format.JSONL, rows):
        raise typer.Exit(1)


@app.command()
@takes_groups
def verify(
    strategy: StrategyOptions,
    candles: CandleOptions,
    execution: ExecutionOptions,
    cuts: Annotated[int, typer.Option(help="How many shorter histories.", min=1, max=1000)] = 8,
) -> None:
    """Prove that a run never looked ahead: repeat it on shorter histories, and compare."""
    from services.cli.commands import verify as verify_command
    from services.cli.options.run_request import run_request
    from services.settings import load_settings

    request = run_request(strategy, candles, execution)
    if not verify_command.verify(request, load_settings().gateway, cuts):
        raise typer.Exit(1)


@app.command()
@takes_groups
def sweep(
    strategy: Annotated[str, typer.Argument(help="Which strategy; `backcast strategies` lists them.")],
    candles: CandleOptions,
    execution: ExecutionOptions,
    options: RunOptions,
    param: Annotated[
        list[str] | None,
        typer.Option(
            help="A parameter and its values: period=5..30, oversold=20..40:5 (by 5), kind=sma,ema; or "
            "one that it keeps: overbought=75. Can be repeated."
        ),
    ] = None,
    metric: Annotated[str, typer.Option(help="What to rank by, a field of the results.")] = "sharpe_ratio",
    top: Annotated[int, typer.Option(help="How many of the best to show.")] = 20,
    split: Annotated[
        str | None,
        typer.Option(help="Fraction of the window to rank by, 0.7 or 70%: the rest is reported beside it."),
    ] = None,
    folds: Annotated[
        int | None, typer.Option(help="Or: choose on the past, test on what follows, so many times.")
    ] = None,
    min_trades: Annotated[
        int | None,
        typer.Option(
            help="Do not choose a combination with a median of fewer trades over the cryptos; by default 1."
        ),
    ] = None,
    columns: Annotated[
        str | None,
        typer.Option(help="The metrics that the tables show beside that, separated by commas."),
    ] = None,
    format_: Annotated[
        Format, typer.Option("--format", help="Tables, or a line of JSON for every event.")
    ] = Format.TABLE,
) -> None:
    """Backtest every combination of parameters. Exit status 0 only where every backtest succeeded."""
    from services.cli.commands import sweep as sweep_command
    from services.cli.options.sweep_request import sweep_request
    from services.settings import load_settings

    request = sweep_request(
        *(strategy, param or [], candles, execution),
        metric=metric,
        top=top,
        split=split,
        folds=folds,
        min_trades=min_trades,
        options=options,
    )
    if not sweep_command.sweep(request, load_settings().gateway, format_ is Format.JSONL, columns):
        raise typer.Exit(1)


@app.command()
def rules(
    strategy: Annotated[
        str | None, typer.Argument(help="Which strategy; without one, what rules are written with.")
    ] = None,
    param: Annotated[
        list[str] | None, typer.Option(help="A parameter of the strategy: period=7. Can be repeated.")
    ] = None,
) -> None:
    """Show a strategy as rules, to be changed and run: `backcast run rules --entry … --exit …`."""
    from services.cli.commands.rules import print_language, print_rules

    if strategy is None:
        print_language()
    else:
        print_rules(strategy, param or [])


@app.command("import")
def import_(
    paths: Annotated[list[Path], typer.Argument(help="Files or folders; .gz and .zip too.", metavar="PATH…")],
    symbol: Annotated[
        str | None,
        typer.Option(help="The crypto, whatever the files tell: BTCUSDT, BTCUSDT.P, BTCUSDT_240329."),
    ] = None,
    interval: Annotated[
        str | None, typer.Option(help="How long the files' candles are, whatever they tell: 1m to 1h.")
    ] = None,
    on_conflict: Annotated[
        ConflictRule,
        typer.Option(
            help="What to do with candles of the same time that differ. guarded: take the later one, but "
            "refuse a file that would change much of what is stored. replace: take the later one. keep: keep "
            "the earlier one. fail: refuse the file."
        ),
    ] = ConflictRule.GUARDED,
    map_: Annotated[
        list[str] | None,
        typer.Option(
            "--map",
            help="A column of another name: datetime=Date, close_price=Last; volume= where there is none. "
            "Can be repeated.",
            metavar="NAME=COLUMN",
        ),
    ] = None,
) -> None:
    """Import candles from files; their formats are told by their content."""
    from services.cli.commands.import_candles import import_files
    from services.settings import load_settings

    if not import_files(paths, symbol, interval, on_conflict, map_ or [], load_settings().gateway):
        raise typer.Exit(1)


@data_app.command()
def check(
    symbols: Annotated[
        list[str] | None, typer.Argument(help="Cryptos; by default all.", metavar="[SYMBOL…]")
    ] = None,
    format_: Annotated[
        Format, typer.Option("--format", help="A table, or a line of JSON for every crypto.")
    ] = Format.TABLE,
) -> None:
    """Show gaps, breaks, candles without volume, first and last, and what looks wrong of what is stored."""
    from services.cli.commands.check import check_histories
    from services.settings import load_settings

    check_histories(symbols or [], load_settings().gateway, format_ is Format.JSONL)


@data_app.command()
def breaks(
    symbols: Annotated[
        list[str] | None, typer.Argument(help="Cryptos; by default all.", metavar="[SYMBOL…]")
    ] = None,
    confirm: Annotated[
        str | None,
        typer.Option(help="Confirm the break whose first candle after it opens at TIME.", metavar="TIME"),
    ] = None,
    add: Annotated[
        str | None,
        typer.Option(help="Add a break that no import found, before the candle at TIME.", metavar="TIME"),
    ] = None,
    remove: Annotated[
        str | None, typer.Option(help="Remove the break at TIME: it is none.", metavar="TIME")
    ] = None,
    reset: Annotated[
        str | None,
        typer.Option(
            help="Forget what was set by hand at TIME: what imports find counts again.", metavar="TIME"
        ),
    ] = None,
) -> None:
    """Show where histories were relisted or redenominated, and correct it by hand."""
    from services.cli.commands import breaks as breaks_command
    from services.settings import load_settings

    said = {"--confirm": confirm, "--add": add, "--remove": remove, "--reset": reset}
    breaks_command.breaks(symbols or [], said, load_settings().gateway)


@data_app.command()
def delete(
    symbols: Annotated[list[str], typer.Argument(help="Cryptos.", metavar="SYMBOL…")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Delete cryptos: their candles of all lengths, and what is cached of them cannot be reached any more."""
    from services.cli.commands.delete import delete_cryptos
    from services.settings import load_settings

    if not delete_cryptos(symbols, yes, load_settings().gateway):
        raise typer.Exit(1)


@app.command()
def runs() -> None:
    """List the runs under way, and those that can be watched again."""
    from services.cli.commands.runs import list_runs
    from services.settings import load_settings

    list_runs(load_settings().gateway)


@app.command()
def watch(
    run_id: Annotated[str, typer.Argument(help="Which run; `backcast runs` lists them.")],
    after: Annotated[int, typer.Option(help="Take it up after the event with this number.")] = 0,
    format_: Annotated[
        Format, typer.Option("--format", help="A table, or a line of JSON for every event.")
    ] = Format.TABLE,
) -> None:
    """Watch a run of `backcast run`, or take it up where its stream broke."""
    from services.cli.commands.runs import watch_run
    from services.settings import load_settings

    if not watch_run(run_id, after, load_settings().gateway, format_ is Format.JSONL):
        raise typer.Exit(1)


@app.command()
def cancel(run_id: Annotated[str, typer.Argument(help="Which run; `backcast runs` lists them.")]) -> None:
    """End a run, whoever watches it."""
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
        Path | None, typer.Option(help="Folder of the embedded servers; what is in it survives a restart.")
    ] = None,
) -> None:
    """Run everything on this machine: embedded servers and the three services, until Ctrl-C."""
    from services.cli.commands.up import up as run_up
    from services.settings import load_settings

    run_up(load_settings(), data_dir)


@app.command()
def sample() -> None:
    """Write a made-up market to try things on: 211 cryptos, one year of hourly candles."""
    from services.cli.commands.sample import sample as write_sample
    from services.settings import load_settings

    write_sample(load_settings().gateway)


@app.command()
def token(
    name: Annotated[str, typer.Argument(help="Whose it is, as logs and lists of runs name it.")],
    rights: Annotated[
        str, typer.Option(help="Of run, import, admin: one or more, separated by commas.")
    ] = "run",
) -> None:
    """Make a token for a client of the gateway: `backcast token NAME >> FILE` adds it to its file."""
    from services.cli.commands.token import print_token

    print_token(name, rights)


@app.command()
def demo() -> None:
    """Show everything once, on a made-up market; leaves nothing behind."""
    from services.cli.commands.demo import demo as run_demo

    run_demo()


@app.command()
def health(address: Annotated[str, typer.Argument(help="Where it listens, without TLS: host:port.")]) -> None:
    """Exit with status 0 where the service at ADDRESS is ready: for the health checks of containers."""
    import asyncio

    from services.domain.errors import Unavailable
    from services.local.health import is_serving

    if not asyncio.run(is_serving(address)):
        raise Unavailable(f"not ready: {address}")


@app.command()
def serve(service: Annotated[Service, typer.Argument(help="Which service.")]) -> None:
    """Run one service, configured by environment (BACKCAST_…), until SIGINT or SIGTERM."""
    import asyncio

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
    with failures_logged():
        asyncio.run(run_service(load_settings()))


def main() -> NoReturn:
    """Run the command line; whatever fails ends in one line on standard error, never in a traceback."""
    # gRPC would tell of every handshake that fails, in lines of its own; ours say what it means.
    os.environ.setdefault("GRPC_VERBOSITY", "ERROR")
    try:
        sys.exit(app())
    except BackcastError as error:
        sys.exit(f"backcast: {error}")
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        # Whoever read our output has gone, and with it whoever would read a message.
        sys.stderr.close()
        sys.exit(1)
    except Exception as error:
        if "BACKCAST_DEBUG" in os.environ:
            raise
        sys.exit(f"backcast: this should not happen: {error!r} (BACKCAST_DEBUG=1 shows where)")


if __name__ == "__main__":
    main()
