"""The engine without a server: `backtest(frame, backcast.Rsi(period=7), fee="0.1%").stats()`.

It needs the extra `backcast-client[engine]`. The columns and functions of rules are names of this package,
too, for conditions with Python's operators: `backcast.rules((close > sma(200)) & (rsi(14) < 30))`.
"""

from typing import Any

from backcast.engine.compiling import import_engine

import_engine()

from backcast.engine import expressions  # noqa: E402  # the engine is imported first
from backcast.engine.backtest import backtest, backtest_signals  # noqa: E402
from backcast.engine.local_result import LocalResult  # noqa: E402

__all__ = ["LocalResult", "backtest", "backtest_signals"]


def __getattr__(name: str) -> Any:
    return expressions.named(name)


def __dir__() -> list[str]:
    return sorted({*globals(), *expressions.NAMES})
