"""Streams of the gateway: yields their events, and shows them one by one."""

import sys
from collections.abc import AsyncGenerator, AsyncIterable, Callable, Iterator
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, TypeVar

from google.protobuf.json_format import MessageToJson
from google.protobuf.message import Message
from google.rpc.code_pb2 import FAILED_PRECONDITION, NOT_FOUND

from backcast.gateway.v1 import backtest_service_pb2 as pb
from backcast.gateway.v1.backtest_service_pb2_grpc import BacktestServiceStub
from backcast.gateway.v1.portfolio_service_pb2 import RunPortfolioRequest, RunPortfolioResponse
from backcast.gateway.v1.portfolio_service_pb2_grpc import PortfolioServiceStub
from backcast.gateway.v1.portfolio_sweep_pb2 import SweepPortfoliosRequest
from backcast.gateway.v1.run_events_pb2 import Progress
from services.cli.client.errors import readable_errors
from services.cli.client.gateway_channel import open_gateway
from services.cli.options.names import named_options
from services.wire.result_parts import PartJoiner

if TYPE_CHECKING:
    import grpc

# Each event takes the command more time than a result in it.
RESULTS_PER_EVENT = 100

_Event = TypeVar("_Event")
# None in the window, or fewer than an indicator needs.
TOO_FEW_CANDLES = (NOT_FOUND, FAILED_PRECONDITION)

_Request = TypeVar("_Request", bound=Message)


async def events_of(
    gateway: str,
    method_of: "Callable[[grpc.aio.Channel], Callable[[_Request], AsyncIterable[_Event]]]",
    request: _Request,
) -> AsyncGenerator[_Event]:
    """Yield the events of a call of the method that `method_of` returns.

    Closing the iterator cancels the call on the server. Raises InvalidInput, naming the options, if the
    request is invalid, and other errors whose messages can be shown as they are.
    """
    async with open_gateway(gateway) as channel:
        call: Any = method_of(channel)(request)
        try:
            with named_options(request), readable_errors("gateway", gateway):
                async for event in call:
                    yield event
        finally:
            call.cancel()


async def run_events(
    gateway: str, request: pb.RunBacktestsRequest
) -> AsyncGenerator[pb.RunBacktestsResponse]:
    """Yield the events of a run as `events_of` does, each result in one piece and an event of its own."""
    asked = pb.RunBacktestsRequest()
    asked.CopyFrom(request)
    asked.max_results_per_event = RESULTS_PER_EVENT
    results = ResultSplitter()
    calling = events_of(gateway, lambda channel: BacktestServiceStub(channel).RunBacktests, asked)
    async with aclosing(calling) as events:
        async for event in events:
            for alone in results.events(event):
                yield alone


async def portfolio_events(
    gateway: str, request: RunPortfolioRequest
) -> AsyncGenerator[RunPortfolioResponse]:
    """Yield the events of a portfolio as `events_of` does, its result in one piece."""
    result = PortfolioJoiner()
    calling = events_of(gateway, lambda channel: PortfolioServiceStub(channel).RunPortfolio, request)
    async with aclosing(calling) as events:
        async for event in events:
            if whole := result.joined(event):
                yield whole


class PortfolioJoiner:
    """Joins the parts of a portfolio's result."""

    def __init__(self) -> None:
        self._begun = RunPortfolioResponse()

    def joined(self, event: RunPortfolioResponse) -> RunPortfolioResponse | None:
        """Return an event with the whole result where it has the last part, None where parts are missing."""
        if event.HasField("result_continuation"):
            self._begun.result.MergeFrom(event.result_continuation)
            self._begun.sequence, self._begun.result_continues = event.sequence, event.result_continues
            return None if event.result_continues else self._begun
        if event.result_continues:
            self._begun = event
            return None
        return event


class ResultSplitter:
    """Makes one stream of events one in which each result is whole, and in an event of its own."""

    def __init__(self) -> None:
        self._parts = PartJoiner()

    def events(self, event: pb.RunBacktestsResponse) -> Iterator[pb.RunBacktestsResponse]:
        """Yield the events that take the place of the stream's next one."""
        if (whole := self._parts.joined(event)) is not None:
            yield from results_alone(whole)


def results_alone(event: pb.RunBacktestsResponse) -> Iterator[pb.RunBacktestsResponse]:
    """Yield an event as a stream has it in which no results share an event."""
    if not event.HasField("results"):
        yield event
        return
    results, progress = event.results.results, Progress()
    progress.CopyFrom(event.progress)
    progress.completed -= len(results)
    progress.from_cache -= sum(result.from_cache for result in results)
    for sequence, result in enumerate(results, event.sequence - len(results) + 1):
        progress.completed += 1
        progress.from_cache += result.from_cache
        yield pb.RunBacktestsResponse(result=result, progress=progress, sequence=sequence)


async def follow(
    events: AsyncGenerator[Any], show: Callable[[Any], None], *, excuse_short_histories: bool = False
) -> bool:
    """Show every event; return whether no backtest failed.

    With `excuse_short_histories`, a crypto with too few candles is shown but is no failure: some histories
    of all cryptos are short.
    """
    failed = excused = 0
    async with aclosing(events) as stream:
        async for event in stream:
            show(event)
            failed = max(failed, event.progress.failed)
            if excuse_short_histories and event.WhichOneof("event") == "failure":
                has_too_few = event.failure.status.code in TOO_FEW_CANDLES
                # A failure of a run is one backtest; a failure of a sweep says how many backtests it is.
                excused += getattr(event.failure, "backtest_count", 1) if has_too_few else 0
    return failed <= excused


def excuses_short_histories(
    request: pb.RunBacktestsRequest | pb.SweepBacktestsRequest | SweepPortfoliosRequest,
) -> bool:
    """Return whether a request is for all cryptos and computes results that are not cached."""
    return not request.symbols and request.cache_mode != pb.CACHE_MODE_ONLY


def print_json(event: Message) -> None:
    """Print an event as a line of JSON."""
    # Zeros are printed, so that an absent field means undefined and not 0; names are those of files.
    line = MessageToJson(
        event, indent=None, always_print_fields_with_no_presence=True, preserving_proto_field_name=True
    )
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()
