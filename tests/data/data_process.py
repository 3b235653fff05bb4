"""A data service as a process of its own, on a database."""

import asyncio
import os
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from services.local.ports import HOST, choose_ports
from services.local.stack import serve_command
from services.rpc.channel import open_channel
from tests.waiting import LIMIT_S

PROJECT = Path(__file__).parents[2]


@asynccontextmanager
async def data_process(url: str, port: int = 0) -> AsyncIterator[tuple[subprocess.Popen[bytes], str]]:
    """Run a data service on a database, on a free port or a given one; give its process and its address."""
    (port,) = choose_ports([port])
    environment = {**os.environ, "BACKCAST_DATABASE_URL": url, "BACKCAST_DATA_PORT": str(port)}
    service = subprocess.Popen(serve_command("data"), env=environment, cwd=PROJECT, stderr=subprocess.DEVNULL)
    try:
        async with open_channel(f"{HOST}:{port}") as channel:
            # As long as a stack waits: a busy machine takes most of it.
            await asyncio.wait_for(channel.channel_ready(), 3 * LIMIT_S)
        yield service, f"{HOST}:{port}"
    finally:
        service.kill()
        service.wait()
