"""A database and a data service that a test stops, and starts again at their addresses."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from services.local.ports import HOST, free_ports
from services.local.postgres import EmbeddedPostgres
from tests.data.data_process import data_process

# What is stopped: the data service by SIGKILL.
Stopped = Literal["data service", "database"]


@dataclass
class StoppedServices:
    """A database and the data service on it."""

    server: EmbeddedPostgres
    port: int
    started: AsyncExitStack

    @property
    def address(self) -> str:
        """The address of the data service."""
        return f"{HOST}:{self.port}"

    @property
    def data_pid(self) -> int:
        """The id of the data service's process."""
        return self._process.pid

    async def start_data(self) -> None:
        """Start the data service."""
        process, _ = await self.started.enter_async_context(data_process(self.server.url, self.port))
        self._process = process

    def stop(self, which: Stopped) -> None:
        """Stop one of them; from any thread."""
        if which == "database":
            self.server.stop()
        else:
            self._process.kill()
            self._process.wait()

    async def start(self, which: Stopped) -> None:
        """Start again what was stopped."""
        if which == "database":
            await asyncio.to_thread(self.server.start)
        else:
            await self.start_data()


@asynccontextmanager
async def stopped_services(folder: Path) -> AsyncIterator[StoppedServices]:
    """Run a database in a folder, and a data service on it."""
    with EmbeddedPostgres(folder) as server:
        async with AsyncExitStack() as started:
            services = StoppedServices(server, free_ports(1)[0], started)
            await services.start_data()
            yield services
