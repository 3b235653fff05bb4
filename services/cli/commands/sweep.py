"""`backcast sweep`: backtest every combination of parameters."""

import asyncio

from backcast.gateway.v1 import backtest_service_pb2 as pb
from services.cli.client.event_stream import events_of, follow, names_no_crypto, print_json
from services.cli.views.console import make_console
from services.cli.views.metric_cells import metric_names
from services.cli.views.sweep import SweepView


def sweep(request: pb.SweepBacktestsRequest, gateway: str, jsonl: bool, columns: str | None = None) -> bool:
    """Sweep and show it; return whether every backtest succeeded. Ctrl-C cancels on the server too.

    Raises InvalidInput, naming the option, where `columns` has what is no metric.
    """
    shown = None if columns is None else metric_names(columns, "--columns")
    return asyncio.run(_sweep(request, gateway, jsonl, shown))


async def _sweep(
    request: pb.SweepBacktestsRequest, gateway: str, jsonl: bool, columns: list[str] | None
) -> bool:
    events = events_of(gateway, lambda stub: stub.SweepBacktests, request)
    if jsonl:
        return await follow(events, print_json, nobody_named_the_cryptos=names_no_crypto(request))
    with SweepView(make_console(), columns) as view:
        return await follow(events, view.show, nobody_named_the_cryptos=names_no_crypto(request))
