"""`backcast runs`, `backcast watch` and `backcast cancel`."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

from rich import box
from rich.markup import escape
from rich.table import Table

from backcast.gateway.v1 import run_service_pb2 as pb
from backcast.gateway.v1.backtest_service_pb2 import RunBacktestsResponse
from backcast.gateway.v1.portfolio_service_pb2 import RunPortfolioResponse
from backcast.gateway.v1.run_service_pb2_grpc import RunServiceStub
from backcast_engine.errors import InvalidInput
from services.cli.client.errors import readable_errors
from services.cli.client.event_stream import (
    RESULTS_PER_EVENT,
    PortfolioJoiner,
    ResultSplitter,
    events_of,
    follow,
    print_json,
)
from services.cli.client.gateway_channel import open_gateway, pages_of
from services.cli.commands.portfolio import show_portfolio
from services.cli.options.names import named_options
from services.cli.views.console import make_console, say
from services.cli.views.run import RunScreen


def list_runs(gateway: str) -> None:
    """Print the runs of the gateway."""
    asyncio.run(_list_runs(gateway))


def watch_run(run_id: str, after: int, gateway: str, jsonl: bool) -> bool:
    """Show a run from the event after number `after`; return whether every crypto succeeded."""
    return asyncio.run(_watch_run(run_id, after, gateway, jsonl))


def cancel_run(run_id: str, gateway: str) -> None:
    """Cancel a run."""
    asyncio.run(_cancel_run(run_id, gateway))


async def _list_runs(gateway: str) -> None:
    with readable_errors("gateway", gateway):
        async with open_gateway(gateway) as channel:
            pages = pages_of(RunServiceStub(channel).ListRuns, pb.ListRunsRequest())
            runs = [run async for page in pages for run in page.runs]
    console = make_console()
    if not runs:
        say(console, "there are no runs in progress, and none that can be watched")
        return
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in ("run", "what", "strategy", "client", "state"):
        table.add_column(heading, overflow="fold")
    for heading in ("done", "of", "seconds", "watchers"):
        table.add_column(heading, justify="right")
    for run in runs:
        table.add_row(
            escape(run.run_id),
            run.method,
            run.strategy,
            escape(run.client),
            pb.RunState.Name(run.state).removeprefix("RUN_STATE_").lower(),
            f"{run.done_backtest_count:,}",
            f"{run.backtest_count:,}",
            f"{run.elapsed.ToNanoseconds() / 1e9:,.1f}",
            str(run.watcher_count),
        )
    console.print(table)


async def _watch_run(run_id: str, after: int, gateway: str, jsonl: bool) -> bool:
    try:
        request = pb.WatchRunRequest(
            run_id=run_id, after_sequence=after, max_results_per_event=RESULTS_PER_EVENT
        )
    except ValueError:
        raise InvalidInput.of("--after", f"{after} is out of range") from None
    answers = events_of(gateway, lambda channel: RunServiceStub(channel).WatchRun, request)
    async with aclosing(answers):
        first = await anext(answers, None)
        if first is None:
            return True
        if first.HasField("portfolio_event"):
            await show_portfolio(_portfolio_events(first, answers), jsonl, make_console())
            return True
        if jsonl:
            return await follow(_run_events(first, answers), print_json)
        with RunScreen(make_console()) as view:
            return await follow(_run_events(first, answers), view.show)


async def _run_events(
    first: pb.WatchRunResponse, answers: AsyncGenerator[pb.WatchRunResponse]
) -> AsyncGenerator[RunBacktestsResponse]:
    results = ResultSplitter()
    for alone in results.events(first.event):
        yield alone
    async for answer in answers:
        for alone in results.events(answer.event):
            yield alone


async def _portfolio_events(
    first: pb.WatchRunResponse, answers: AsyncGenerator[pb.WatchRunResponse]
) -> AsyncGenerator[RunPortfolioResponse]:
    result = PortfolioJoiner()
    if whole := result.joined(first.portfolio_event):
        yield whole
    async for answer in answers:
        if whole := result.joined(answer.portfolio_event):
            yield whole


async def _cancel_run(run_id: str, gateway: str) -> None:
    request = pb.CancelRunRequest(run_id=run_id)
    with named_options(request), readable_errors("gateway", gateway):
        async with open_gateway(gateway) as channel:
            run = (await RunServiceStub(channel).CancelRun(request)).run
    name, state = escape(run.run_id), pb.RunState.Name(run.state).removeprefix("RUN_STATE_").lower()
    if run.state == pb.RUN_STATE_CANCELLED:
        say(make_console(), f"{name}: {state}, {run.done_backtest_count:,} of {run.backtest_count:,} done")
    else:
        say(make_console(), f"{name} had already {state}: there is nothing to cancel")
