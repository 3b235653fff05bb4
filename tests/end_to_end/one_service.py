"""One service as a process of a test's own, beside the stack that all tests share."""

import asyncio
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from services.local.health import is_page_served, is_serving
from services.local.ports import HOST, choose_ports
from services.local.server_process import ServerProcess
from services.local.stack import LocalStack, serve_command
from tests.waiting import until

_GRACE_S = 10.0


@dataclass(slots=True, eq=False)
class OneService:
    """A service that was started, and that can be started again at its address (host:port)."""

    name: str
    address: str
    log: Path
    environment: Mapping[str, str]
    process: psutil.Process = field(init=False)
    _server: ServerProcess = field(init=False)

    def __post_init__(self) -> None:
        self._launch()

    def _launch(self) -> None:
        self._server = ServerProcess(
            f"the {self.name} service", serve_command(self.name), self.log, environment=self.environment
        )
        self.process = psutil.Process(self._server.pid)

    async def serves(self) -> bool:
        """Return whether it is SERVING; raises Unavailable if it has ended."""
        self._server.check()
        if self.name == "web":
            return await is_page_served(f"http://{self.address}", None)
        return await is_serving(self.address)

    async def stop(self) -> None:
        """Stop it, unless it has ended already."""
        await asyncio.to_thread(self._server.stop, _GRACE_S)

    async def start_again(self) -> None:
        """Stop it, unless it was killed, and start it at the same address; it is SERVING then."""
        await self.stop()
        self._launch()
        await until(self.serves)


@asynccontextmanager
async def service_beside(
    stack: LocalStack, service: str, folder: Path, port: int = 0, **settings: object
) -> AsyncIterator[OneService]:
    """Start a service on the other services and servers of `stack`, unless `settings` name others.

    It is SERVING when the context begins, and has ended when it has. It may be killed before.
    """
    (port,) = choose_ports([port])
    environment = {
        **os.environ,
        "BACKCAST_DATABASE_URL": stack.database_url,
        "BACKCAST_REDIS_URL": stack.redis_url,
        "BACKCAST_GATEWAY_ADDRESS": stack.gateway_address,
        "BACKCAST_COMPUTE_ADDRESS": stack.compute_address,
        "BACKCAST_DATA_ADDRESS": stack.data_address,
        "BACKCAST_COLUMN_DIR": str(folder / "columns"),
        f"BACKCAST_{service.upper()}_PORT": str(port),
        **{f"BACKCAST_{name.upper()}": str(value) for name, value in settings.items()},
    }
    folder.mkdir(exist_ok=True)
    log = folder / f"{service}-{port}.log"
    started = OneService(service, f"{HOST}:{port}", log, environment)
    try:
        await until(started.serves)
        yield started
    finally:
        await started.stop()
