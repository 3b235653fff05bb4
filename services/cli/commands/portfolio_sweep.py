"""`backcast sweep-portfolio`: trade every combination of values with one account, and rank the accounts."""

import asyncio
from contextlib import aclosing

from backcast.gateway.v1.portfolio_service_pb2_grpc import PortfolioServiceStub
from backcast.gateway.v1.portfolio_sweep_pb2 import SweepPortfoliosRequest
from services.cli.client.event_stream import events_of, print_json
from services.cli.views.console import make_console
from services.cli.views.portfolio_sweep import PortfolioSweepView


def sweep_portfolio(request: SweepPortfoliosRequest, gateway: str, jsonl: bool) -> bool:
    """Run a sweep over portfolios and show it; return whether every portfolio succeeded.

    Ctrl-C cancels it on the server too.
    """
    return asyncio.run(_sweep(request, gateway, jsonl))


async def _sweep(request: SweepPortfoliosRequest, gateway: str, jsonl: bool) -> bool:
    events = events_of(gateway, lambda channel: PortfolioServiceStub(channel).SweepPortfolios, request)
    failed = 0
    with PortfolioSweepView(make_console()) as view:
        async with aclosing(events) as stream:
            async for event in stream:
                if jsonl:
                    print_json(event)
                else:
                    view.show(event)
                failed = event.summary.progress.failed
    return not failed
