"""The events of a call that streams: taken from the gateway, and shown one by one."""

import sys
from collections.abc import AsyncGenerator, AsyncIterable, Callable
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, TypeVar

from google.protobuf.json_format import MessageToJson
from google.protobuf.message import Message
from google.rpc.code_pb2 import FAILED_PRECONDITION, NOT_FOUND

from backcast.gateway.v1 import backtest_service_pb2 as pb
from backcast.gateway.v1.backtest_service_pb2_grpc import BacktestServiceStub
from services.cli.client.errors import readable_errors
from services.cli.client.gateway_channel import open_gateway
from services.cli.options.names import named_options
from services.wire.result_parts import PartJoiner

if TYPE_CHECKING:
    from backcast.gateway.v1.backtest_service_pb2_grpc import BacktestServiceAsyncStub

_Event = TypeVar("_Event")
# None in the window, or fewer than an indicator needs.
_TOO_FEW_CANDLES = (NOT_FOUND, FAILED_PRECONDITION)

_Request = TypeVar("_Request", bound=Message)


async def events_of(
    gateway: str,
    method_of: "Callable[[BacktestServiceAsyncStub], Callable[[_Request], AsyncIterable[_Event]]]",
    request: _Request,
) -> AsyncGenerator[_Event]:
    """Yield the events of a call of the stub's method that `method_of` returns.

    Closing the iterator cancels it on the server. Raises InvalidInput, naming the options, where the request
    cannot be served, and other errors that can be shown as they are.
    """
    async with open_gateway(gateway) as channel:
        call: Any = method_of(BacktestServiceStub(channel))(request)
        try:
            with named_options(request), readable_errors("gateway", gateway):
                async for event in call:
                    yield event
        finally:
            call.cancel()


async def run_events(
    gateway: str, request: pb.RunBacktestsRequest
) -> AsyncGenerator[pb.RunBacktestsResponse]:
    """Yield the events of a run as `events_of` does, each result in one piece."""
    parts = PartJoiner()
    async with aclosing(events_of(gateway, lambda stub: stub.RunBacktests, request)) as events:
        async for event in events:
            if (whole := parts.joined(event)) is not None:
                yield whole


async def follow(
    events: AsyncGenerator[Any], show: Callable[[Any], None], *, nobody_named_the_cryptos: bool = False
) -> bool:
    """Show every event; return whether nothing failed, as their progress tells.

    Where `nobody_named_the_cryptos`, those that have too few candles are told, and are no failure: the
    histories of all cryptos are of every length.
    """
    failed = excused = 0
    async with aclosing(events) as stream:
        async for event in stream:
            show(event)
            failed = max(failed, event.progress.failed)
            if nobody_named_the_cryptos and event.WhichOneof("event") == "failure":
                has_too_few = event.failure.status.code in _TOO_FEW_CANDLES
                # A failure of a run is of one backtest, and that of a sweep says of how many it is.
                excused += getattr(event.failure, "backtests", 1) if has_too_few else 0
    return failed <= excused


def names_no_crypto(request: pb.RunBacktestsRequest | pb.SweepBacktestsRequest) -> bool:
    """Return whether a request is of all cryptos, and has results computed that are not there."""
    return not request.symbols and request.cache_mode != pb.CACHE_MODE_ONLY


def print_json(event: Message) -> None:
    """Print an event as a line."""
    # Zeros are printed, so that what is not there is undefined and not 0.
    sys.stdout.write(MessageToJson(event, indent=None, always_print_fields_with_no_presence=True) + "\n")
    sys.stdout.flush()
