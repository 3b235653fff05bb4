"""Stands in for a service: `stand_in.py data [deaf|dies|late]`."""

import asyncio
import os
import signal
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

from services.rpc.access import Access
from services.rpc.server import ServedService, serve
from services.settings import Settings


def main(name: str, manner: str = "") -> None:
    Path(os.environ["BACKCAST_COLUMN_DIR"]).mkdir(exist_ok=True)
    Path(os.environ["BACKCAST_COLUMN_DIR"], name).write_text(
        "\n".join(f"{key}={value}" for key, value in os.environ.items() if key.startswith("BACKCAST_"))
    )
    if manner == "dies":
        sys.exit("what it died of")
    port = os.environ[f"BACKCAST_{name.upper()}_PORT"]
    stand_in = ServedService("stand.In", lambda server: None)
    service = serve(Settings(shutdown_grace_s=0), name, int(port), [stand_in], Access(None))
    if manner == "deaf":
        asyncio.run(_deaf(service))
    asyncio.run(service)


async def _deaf(service: Coroutine[Any, Any, None]) -> None:
    loop = asyncio.get_running_loop()
    task = asyncio.create_task(service)
    # Its first turn sets the handlers that are replaced here.
    await asyncio.sleep(0)
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, lambda: None)
    Path(os.environ["BACKCAST_COLUMN_DIR"], "deaf").touch()
    await task


main(*sys.argv[1:])
