"""One service as a process of a test's own, beside the stack that all tests share."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from services.local.health import is_page_served, is_serving
from services.local.ports import HOST, choose_ports
from services.local.server_process import ServerProcess
from services.local.stack import LocalStack, serve_command
from tests.waiting import until

_GRACE_S = 10.0


@dataclass(frozen=True, slots=True)
class OneService:
    """A service that was started: what stops it, its process, and where clients find it (host:port)."""

    server: ServerProcess
    process: psutil.Process
    address: str

    @property
    def log(self) -> Path:
        return self.server.log


@asynccontextmanager
async def service_beside(
    stack: LocalStack, service: str, folder: Path, port: int = 0, **settings: object
) -> AsyncIterator[OneService]:
    """Start a service on the other services and servers of `stack`, unless `settings` name others.

    It is SERVING when the context begins, and has ended when it has. It may be killed before: another one
    can then be started at the same port.
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
    server = ServerProcess(f"the {service} service", serve_command(service), log, environment=environment)
    address = f"{HOST}:{port}"
    try:

        async def serves() -> bool:
            server.check()
            if service == "web":
                return await is_page_served(f"http://{address}", None)
            return await is_serving(address)

        await until(serves)
        yield OneService(server, psutil.Process(server.pid), address)
    finally:
        await asyncio.to_thread(server.stop, _GRACE_S)
