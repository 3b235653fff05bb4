"""Client of Backcast: `with backcast.connect() as client: client.run(backcast.Rsi(period=7)).metrics()`.

The packages backtest, gateway, marketdata and compute are generated from the protos. What is named here is
imported when it is first used: processes that only make messages need no gRPC.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from backcast import aio, errors
    from backcast.client import Client, connect
    from backcast.errors import BackcastError
    from backcast.portfolio import Portfolio
    from backcast.portfolio_sweep import PortfolioSweep
    from backcast.result import Metrics, Result
    from backcast.run import Run
    from backcast.run_log import Progress
    from backcast.strategies import (
        Bollinger,
        BuyAndHold,
        Donchian,
        Keltner,
        Macd,
        MaCross,
        RocMomentum,
        Rsi,
        RsiTrend,
        Rules,
        Stochastic,
        Strategy,
        Supertrend,
        rules,
    )
    from backcast.sweep import Sweep

__all__ = [
    "BackcastError",
    "Bollinger",
    "BuyAndHold",
    "Client",
    "Donchian",
    "Keltner",
    "MaCross",
    "Macd",
    "Metrics",
    "Portfolio",
    "PortfolioSweep",
    "Progress",
    "Result",
    "RocMomentum",
    "Rsi",
    "RsiTrend",
    "Rules",
    "Run",
    "Stochastic",
    "Strategy",
    "Supertrend",
    "Sweep",
    "aio",
    "connect",
    "errors",
    "rules",
]

_MODULES = {
    "BackcastError": "errors",
    "Client": "client",
    "Metrics": "result",
    "Portfolio": "portfolio",
    "PortfolioSweep": "portfolio_sweep",
    "Progress": "run_log",
    "Result": "result",
    "Run": "run",
    "Sweep": "sweep",
    "connect": "client",
}


def __getattr__(name: str) -> Any:
    # Not in __all__: the engine needs the extra.
    if name in ("aio", "engine", "errors"):
        return import_module(f"backcast.{name}")
    if name not in __all__:
        raise AttributeError(f"module 'backcast' has no attribute {name!r}")
    value = getattr(import_module(f"backcast.{_MODULES.get(name, 'strategies')}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
