"""Commands that bring candles, and those that list what is there.

Each imports what it needs when it runs: see `main`.
"""

from pathlib import Path
from typing import Annotated

import typer

from services.domain.conflict_rule import ConflictRule

app = typer.Typer()


@app.command("import")
def import_(
    paths: Annotated[
        list[Path],
        typer.Argument(
            help="Files and folders of candles; files can be compressed as .gz or .zip.", metavar="PATH"
        ),
    ],
    symbol: Annotated[
        str | None,
        typer.Option(
            help="Symbol of the crypto, which overrides the files': BTCUSDT, BTCUSDT.P, BTCUSDT_240329."
        ),
    ] = None,
    interval: Annotated[
        str | None, typer.Option(help="Length of the candles, which overrides the files': 1m to 1h.")
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
        str | None, typer.Option(help="All pairs of this quote currency, instead of --symbols: USDT.")
    ] = None,
    delisted: Annotated[
        bool, typer.Option("--delisted", help="With --quote: also pairs that are no longer traded.")
    ] = False,
    until: Annotated[
        str | None,
        typer.Option(
            help="End of the candles, UTC, exclusive; by default the end of the newest closed hour."
        ),
    ] = None,
    again: Annotated[
        bool,
        typer.Option(
            "--again", help="Also fetch hours that were fetched before, and replace their stored candles."
        ),
    ] = False,
    url: Annotated[
        str | None, typer.Option(help="URL of another server with the exchange's API, such as a proxy.")
    ] = None,
) -> None:
    """Fetch hourly candles from an exchange. The exit status is 0 only if every crypto succeeds.

    An interrupted fetch continues where it stopped when the command is run again.
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
        str | None, typer.Option(help="URL of another server with the exchange's API, such as a proxy.")
    ] = None,
) -> None:
    """Fetch the newest and the corrected candles of an exchange every hour, until Ctrl-C."""
    from services.cli.commands.follow import follow as follow_exchange
    from services.settings import load_settings

    follow_exchange(exchange, quote, url, load_settings().gateway)


@app.command()
def feeds() -> None:
    """List the feeds that follow an exchange: newest hour, its age, corrections and failures."""
    from services.cli.commands.feeds import list_feeds
    from services.settings import load_settings

    list_feeds(load_settings().gateway)


@app.command()
def cryptos() -> None:
    """List the cryptos that have candles."""
    from services.cli.commands.lists import list_cryptos
    from services.settings import load_settings

    list_cryptos(load_settings().gateway)


@app.command()
def sample() -> None:
    """Import a made-up market to try Backcast with: 211 cryptos, one year of hourly candles."""
    from services.cli.commands.sample import sample as write_sample
    from services.settings import load_settings

    write_sample(load_settings().gateway)
