"""`backcast up`: runs the embedded servers, the three services and the page until it is stopped."""

import asyncio
import sys
from pathlib import Path

from services.local.interrupts import Interrupts
from services.local.stack import LocalStack, StackSettings
from services.settings import Settings


def up(settings: Settings, data_dir: Path | None) -> None:
    """Run the embedded servers, the three services and the page until SIGINT or SIGTERM."""
    asyncio.run(_up(settings, data_dir or settings.data_dir))


async def _up(settings: Settings, data_dir: Path) -> None:
    stack_settings = StackSettings(
        data_dir=data_dir,
        gateway_port=settings.gateway_port,
        compute_port=settings.compute_port,
        data_port=settings.data_port,
        database_url=settings.database_url,
        redis_url=settings.redis_url,
        web_port=settings.web_port,
    )
    with Interrupts():
        async with LocalStack(stack_settings) as stack:
            print("Ctrl-C stops everything; the data stays in", data_dir, file=sys.stderr)
            print(f"ready: gateway {stack.gateway_address}\npage: {stack.page_url}", flush=True)
            try:
                await stack.wait()
            finally:
                print("stopping…", file=sys.stderr, flush=True)
