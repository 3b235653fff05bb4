"""The same client for asyncio: `async with backcast.aio.connect() as client: …`."""

from backcast.aio.client import Client, connect
from backcast.aio.portfolio import Portfolio
from backcast.aio.portfolio_sweep import PortfolioSweep
from backcast.aio.run import Run
from backcast.aio.sweep import Sweep

__all__ = ["Client", "Portfolio", "PortfolioSweep", "Run", "Sweep", "connect"]
