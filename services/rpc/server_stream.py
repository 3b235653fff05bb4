"""Calls that stream responses, and reads of theirs, which may be cancelled at any time."""

import asyncio
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import grpc

    _Call = grpc.aio.UnaryStreamCall[Any, Any]


async def next_message(call: "_Call") -> Any:
    """Return the next message of a call, or grpc.aio.EOF after the last one; raise as `call.read` does.

    Where the caller is cancelled while it waits, the call is cancelled.

    A read that is itself cancelled never releases the message that it was for, nor the buffer that gRPC had
    received this in, with what came before and after it (https://github.com/grpc/grpc/issues/43360). So the
    read goes on until the cancelled call ends it, which is a moment later.
    """
    reading = asyncio.ensure_future(call.read())
    try:
        return await asyncio.shield(reading)
    except asyncio.CancelledError:
        call.cancel()
        raise
