"""`backcast portfolio`: trade many cryptos with one account."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing

from backcast.gateway.v1.portfolio_service_pb2 import RunPortfolioRequest, RunPortfolioResponse
from services.cli.client.event_stream import portfolio_events, print_json
from services.cli.views.console import make_console
from services.cli.views.portfolio import PortfolioView


def portfolio(request: RunPortfolioRequest, gateway: str, jsonl: bool) -> None:
    """Run a portfolio and show it. Ctrl-C stops it on the server too."""
    asyncio.run(show_portfolio(portfolio_events(gateway, request), jsonl))


async def show_portfolio(events: AsyncGenerator[RunPortfolioResponse], jsonl: bool) -> None:
    """Show the events of a portfolio, whose result is in one piece."""
    if jsonl:
        await _follow(events, print_json)
        return
    with PortfolioView(make_console()) as view:
        await _follow(events, view.show)


async def _follow(
    events: AsyncGenerator[RunPortfolioResponse], show: Callable[[RunPortfolioResponse], None]
) -> None:
    async with aclosing(events) as stream:
        async for event in stream:
            show(event)
