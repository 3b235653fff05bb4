"""A server in the test's own process, at a free port, with the interceptors that every service has."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

import grpc

from services.rpc.call_observer import WatchInterceptor
from services.rpc.channel import open_channel
from services.rpc.liveness import SERVER_LIVENESS
from services.rpc.status import StatusInterceptor


@asynccontextmanager
async def served(*adders: Callable[[grpc.aio.Server], None]) -> AsyncIterator[str]:
    """Serve what `adders` add to a server; give its address."""
    server = grpc.aio.server(
        interceptors=[WatchInterceptor(), StatusInterceptor()], options=list(SERVER_LIVENESS)
    )
    for add_to in adders:
        add_to(server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        await server.stop(None)


@asynccontextmanager
async def channel_to(
    *adders: Callable[[grpc.aio.Server], None], interceptors: Sequence[grpc.aio.ClientInterceptor] = ()
) -> AsyncIterator[grpc.aio.Channel]:
    """Serve what `adders` add to a server; give a channel to it."""
    async with served(*adders) as address, open_channel(address, interceptors=interceptors) as channel:
        yield channel
