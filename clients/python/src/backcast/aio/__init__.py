"""The same client for asyncio: `async with backcast.aio.connect() as client: …`."""

from backcast.aio.client import Client, connect
from backcast.aio.portfolio import Portfolio
from backcast.aio.run import Run
from backcast.aio.sweep import Sweep

__all__ = ["Client", "Portfolio", "Run", "Sweep", "connect"]
