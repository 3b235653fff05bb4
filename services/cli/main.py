"""The `backcast` command: its subcommands, and how errors are printed.

Each subcommand imports what it needs when it runs. So `--help` is fast, and the worker processes of the
compute service, which import this module as their main module, never import grpc.
"""

import os
import sys
from typing import Annotated, NoReturn

import typer

from backcast_engine.errors import BackcastError
from services.cli import backtest_commands, candle_commands, process_commands
from services.cli.commands import data as data_commands
from services.cli.commands import db as db_commands
from services.cli.commands import report as report_commands

app = typer.Typer(
    help="Backtest trading strategies on hundreds of cryptos.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.add_typer(backtest_commands.app)
app.add_typer(report_commands.app, name="report")
app.add_typer(candle_commands.app)
app.add_typer(data_commands.app, name="data")
app.add_typer(db_commands.app, name="db")
app.add_typer(process_commands.app)


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
