"""`backcast data`: inspects, corrects and deletes stored candles through the gateway."""

from typing import Annotated

import typer

from services.cli.options.run_options import Format

app = typer.Typer(help="Inspect stored candles.", no_args_is_help=True)


@app.command()
def check(
    symbols: Annotated[
        list[str] | None, typer.Argument(help="Symbols of the cryptos; by default all.", metavar="SYMBOL")
    ] = None,
    format_: Annotated[
        Format, typer.Option("--format", help="Print a table, or each crypto as a line of JSON.")
    ] = Format.TABLE,
) -> None:
    """Show the first and last candle of cryptos, gaps, breaks, missing volume and suspicious candles."""
    from services.cli.commands.check import check_histories
    from services.settings import load_settings

    check_histories(symbols or [], load_settings().gateway, format_ is Format.JSONL)


@app.command()
def breaks(
    symbols: Annotated[
        list[str] | None, typer.Argument(help="Symbols of the cryptos; by default all.", metavar="SYMBOL")
    ] = None,
    confirm: Annotated[
        str | None,
        typer.Option(help="Confirm a break; TIME is when the first candle after it opens.", metavar="TIME"),
    ] = None,
    add: Annotated[
        str | None,
        typer.Option(
            help="Add a break that no import found, before the candle that opens at TIME.", metavar="TIME"
        ),
    ] = None,
    remove: Annotated[
        str | None,
        typer.Option(
            help="Reject the break at TIME: it is no break, and imports do not find it again.", metavar="TIME"
        ),
    ] = None,
    reset: Annotated[
        str | None,
        typer.Option(help="Undo --confirm, --add or --remove at TIME: imports decide again.", metavar="TIME"),
    ] = None,
) -> None:
    """Show and correct breaks: points where a crypto was relisted or redenominated."""
    from services.cli.commands import breaks as breaks_command
    from services.settings import load_settings

    corrections = {"--confirm": confirm, "--add": add, "--remove": remove, "--reset": reset}
    breaks_command.breaks(symbols or [], corrections, load_settings().gateway)


@app.command()
def delete(
    symbols: Annotated[list[str], typer.Argument(help="Symbols of the cryptos.", metavar="SYMBOL")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask for confirmation.")] = False,
) -> None:
    """Delete cryptos, with their candles of all lengths."""
    from services.cli.commands.delete import delete_cryptos
    from services.settings import load_settings

    if not delete_cryptos(symbols, yes, load_settings().gateway):
        raise typer.Exit(1)
