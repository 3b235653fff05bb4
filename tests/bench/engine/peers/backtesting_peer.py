"""backtesting.py, on a few cryptos only, as it takes a fifth of a second for each: https://kernc.github.io."""

import time
import warnings
from importlib.metadata import version
from typing import Any

import backtesting
import numpy as np
import pandas
import talib

from backcast_engine import Execution
from backcast_engine.candles import Candles
from backcast_engine.strategies.rsi import Rsi
from tests.bench.engine.figures import Figures
from tests.bench.timing import Timing

NAME = f"backtesting.py {version('backtesting')}"

MEASURED_CRYPTOS = 3

# It buys whole units: with that much cash, what this leaves out is below the tenth digit.
_CASH = 1e15

# Its progress bar would cost it time.
backtesting.backtesting._tqdm = lambda sequence, **_: sequence


def figures(candles: Candles, strategy: Rsi) -> Figures:
    """Return the figures of one crypto. Its Sharpe ratio is of daily returns, so it cannot be compared."""
    stats = _run(candles, strategy)
    return Figures(
        int((stats["_trades"]["ExitBar"] >= 0).sum()),
        stats["_equity_curve"]["Equity"].iloc[-1] / _CASH - 1,
        None,
        -stats["Max. Drawdown [%]"] / 100,
    )


def timed(market: list[Candles], strategy: Rsi) -> Timing:
    """Backtest a few cryptos, and scale that to all."""
    began = time.perf_counter()
    for candles in market[:MEASURED_CRYPTOS]:
        _run(candles, strategy)
    return Timing((time.perf_counter() - began) / MEASURED_CRYPTOS * len(market))


class _RsiStrategy(backtesting.Strategy):  # type: ignore[misc]  # it has no types
    parameters = Rsi()

    def init(self) -> None:
        self.rsi = self.I(talib.RSI, self.data.Close, self.parameters.period)

    def next(self) -> None:
        if not self.position:
            if self.rsi[-1] < self.parameters.oversold:
                self.buy()
        elif self.rsi[-1] > self.parameters.overbought:
            self.position.close()


def _run(candles: Candles, strategy: Rsi) -> Any:
    frame = pandas.DataFrame(
        {
            "Open": candles.open,
            "High": np.maximum(candles.open, candles.close),
            "Low": np.minimum(candles.open, candles.close),
            "Close": candles.close,
        },
        pandas.to_datetime(candles.open_time_s, unit="s"),
    )
    with warnings.catch_warnings():
        # Of the trade that is open at the end.
        warnings.simplefilter("ignore", UserWarning)
        run = backtesting.Backtest(frame, _RsiStrategy, cash=_CASH, commission=Execution().fee_rate)
        return run.run(parameters=strategy)
