"""A resumable stream: if its service breaks off, a new call asks for the missing part."""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Sized
from typing import TYPE_CHECKING, Any

import grpc
import structlog

from services.rpc.server_stream import next_message
from services.rpc.status import error_of, is_cut_off, overdue

if TYPE_CHECKING:
    _Call = grpc.aio.UnaryStreamCall[Any, Any]

_log = structlog.get_logger()

# If another instance of the service is available, the first retry reaches it; otherwise this is long enough
# for a restart.
_PATIENCE_S = 4.0
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.05, 0.5


async def resumed_stream(
    service: str,
    missing: Sized,
    call_for_missing: "Callable[[], _Call]",
    stall_limit_s: float | None = None,
) -> AsyncGenerator[Any]:
    """Yield the responses of calls for the `missing` items, until none is missing or a call ends normally.

    The consumer removes from `missing` what a response contains. A call that breaks off, or ends with
    UNAVAILABLE, is followed by another one; if that brings no response for some seconds, Unavailable is
    raised. Other errors are raised at once. Closing the iterator cancels the call.
    """
    failing_since, pause_s = None, _FIRST_PAUSE_S
    while missing:
        call = call_for_missing()
        try:
            while True:
                # The time limit is for each response, not for the call, because the reader may be slow.
                async with asyncio.timeout(stall_limit_s):
                    response = await next_message(call)
                if response is grpc.aio.EOF:
                    return
                failing_since, pause_s = None, _FIRST_PAUSE_S
                yield response
        except TimeoutError:
            raise overdue(service) from None
        except grpc.aio.AioRpcError as error:
            now = time.monotonic()
            failing_since = failing_since or now
            is_away = is_cut_off(error) or error.code() is grpc.StatusCode.UNAVAILABLE
            if not is_away or now - failing_since > _PATIENCE_S:
                raise error_of(error, service) from error
            _log.warning("stream interrupted", upstream=service, missing=len(missing), reason=error.details())
        finally:
            call.cancel()
        await asyncio.sleep(pause_s)
        pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
