"""A service of a test's own as a process, beside the stack that all tests share."""

import asyncio
import os
from pathlib import Path

from services.local.health import is_serving
from services.local.server_process import ServerProcess
from services.local.stack import serve_command


async def start_service(service: str, port: int, log: Path, **settings: object) -> ServerProcess:
    """Start a service on the port, set by the environment and `settings`; return when it is SERVING."""
    environment = {f"BACKCAST_{name.upper()}": str(value) for name, value in settings.items()}
    environment[f"BACKCAST_{service.upper()}_PORT"] = str(port)
    process = ServerProcess(
        f"the {service} service", serve_command(service), log, environment={**os.environ, **environment}
    )
    try:
        async with asyncio.timeout(60):
            while not await is_serving(f"127.0.0.1:{port}"):
                process.check()
                await asyncio.sleep(0.05)
    except BaseException:
        process.stop(0)
        raise
    return process
