"""The events of a call that streams: taken from the gateway, and shown one by one."""

import sys
from collections.abc import AsyncGenerator, AsyncIterable, Callable
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, TypeVar

from google.protobuf.json_format import MessageToJson
from google.protobuf.message import Message

from backcast.gateway.v1.backtest_service_pb2_grpc import BacktestServiceStub
from services.cli.errors import readable_errors
from services.cli.gateway_channel import open_gateway
from services.cli.option_names import named_options

if TYPE_CHECKING:
    from backcast.gateway.v1.backtest_service_pb2_grpc import BacktestServiceAsyncStub

_Event = TypeVar("_Event")
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


async def follow(events: AsyncGenerator[Any], show: Callable[[Any], None]) -> bool:
    """Show every event; return whether nothing failed, as their progress tells."""
    failed = 0
    async with aclosing(events) as stream:
        async for event in stream:
            show(event)
            failed = max(failed, event.progress.failed)
    return not failed


def print_json(event: Message) -> None:
    """Print an event as a line."""
    # Zeros are printed, so that what is not there is undefined and not 0.
    sys.stdout.write(MessageToJson(event, indent=None, always_print_fields_with_no_presence=True) + "\n")
    sys.stdout.flush()
