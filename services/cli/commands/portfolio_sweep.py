"""`backcast sweep-portfolio`: backtest one account with every combination of values, and rank them."""

import asyncio

from backcast.gateway.v1.portfolio_service_pb2_grpc import PortfolioServiceStub
from backcast.gateway.v1.portfolio_sweep_pb2 import SweepPortfoliosRequest
from services.cli.client.event_stream import events_of, follow, print_json
from services.cli.files.output import Output
from services.cli.options.output import OutputOptions
from services.cli.views.console import make_console
from services.cli.views.portfolio_sweep import PortfolioSweepScreen


def sweep_portfolio(
    request: SweepPortfoliosRequest, gateway: str, jsonl: bool, output: OutputOptions
) -> bool:
    """Run a sweep over portfolios and show it; return whether every portfolio succeeded.

    Ctrl-C cancels it on the server too. Files are written when the sweep has completed. Raises InvalidInput,
    naming the option, if a file cannot be written.
    """
    files, console = Output(output, request), make_console()
    succeeded = asyncio.run(_sweep(request, gateway, None if jsonl else PortfolioSweepScreen(console), files))
    files.write(None if jsonl else console)
    return succeeded


async def _sweep(
    request: SweepPortfoliosRequest, gateway: str, view: PortfolioSweepScreen | None, files: Output
) -> bool:
    calling = events_of(gateway, lambda channel: PortfolioServiceStub(channel).SweepPortfolios, request)
    events = files.noting(calling)
    if view is None:
        return await follow(events, print_json)
    with view:
        return await follow(events, view.show)
