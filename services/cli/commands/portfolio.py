"""`backcast portfolio`: backtest one account that trades many cryptos."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing

from rich.console import Console

from backcast.gateway.v1.portfolio_service_pb2 import RunPortfolioRequest, RunPortfolioResponse
from services.cli.client.event_stream import portfolio_events, print_json
from services.cli.files.output import Output
from services.cli.options.output import OutputOptions
from services.cli.views.console import make_console
from services.cli.views.portfolio import PortfolioScreen


def portfolio(request: RunPortfolioRequest, gateway: str, jsonl: bool, output: OutputOptions) -> None:
    """Run a portfolio and show it. Ctrl-C stops it on the server too.

    Files are written when the portfolio has completed. Raises InvalidInput, naming the option, if a file
    cannot be written.
    """
    files, console = Output(output, request), make_console()
    asyncio.run(show_portfolio(files.noting(portfolio_events(gateway, request)), jsonl, console))
    files.write(None if jsonl else console)


async def show_portfolio(events: AsyncGenerator[RunPortfolioResponse], jsonl: bool, console: Console) -> None:
    """Show the events of a portfolio, whose result is in one piece."""
    if jsonl:
        await _follow(events, print_json)
        return
    with PortfolioScreen(console) as view:
        await _follow(events, view.show)


async def _follow(
    events: AsyncGenerator[RunPortfolioResponse], show: Callable[[RunPortfolioResponse], None]
) -> None:
    async with aclosing(events) as stream:
        async for event in stream:
            show(event)
