"""Cryptos that imports change, with every state that they had: what results are compared with."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from backcast.backtest.v1.result_pb2 import BacktestResult
from backcast.marketdata.v1.market_data_service_pb2 import ListCryptosRequest
from services.domain.candles import Candles
from services.domain.history import History
from services.domain.interval import Interval
from services.engine import Backtest, Detail, Execution, Window, run_backtest
from services.engine.strategies.rsi import Rsi
from services.imports.candle_writer import write_candles
from tests.candle_making import START_S, random_candles
from tests.engine_results import message_of

if TYPE_CHECKING:
    from backcast.marketdata.v1.market_data_service_pb2_grpc import MarketDataServiceAsyncStub

HOURS = 1_000
# Runs under way may have seen older states.
_KEPT_STATES = 20
# Some candles are after the window: changes of these leave results as they are.
WINDOW = Window(START_S, START_S + 3600 * (HOURS - 100))


@dataclass
class ChangingCrypto:
    """A crypto, its present candles, and all states that it had by their fingerprints."""

    symbol: str
    random: np.random.Generator
    present: Candles = field(default_factory=Candles.empty)
    states: dict[str, Candles] = field(default_factory=dict)

    async def begin(self, data: "MarketDataServiceAsyncStub", seed: int) -> None:
        """Import its first candles."""
        await self._write(data, random_candles(seed, HOURS))

    async def change(self, data: "MarketDataServiceAsyncStub") -> None:
        """Correct the close of one candle."""
        candle = self.present[int(self.random.integers(HOURS)) :][:1]
        close = candle.close * self.random.uniform(0.95, 1.05)
        high, low = np.maximum(candle.high, close), np.minimum(candle.low, close)
        await self._write(data, replace(candle, close=close, high=high, low=low))

    def forget_old_states(self) -> None:
        """Forget the states that no run sees any more."""
        for fingerprint in list(self.states)[:-_KEPT_STATES]:
            del self.states[fingerprint]

    async def _write(self, data: "MarketDataServiceAsyncStub", change: Candles) -> None:
        kept = self.present.at(~np.isin(self.present.open_time_s, change.open_time_s))
        both = Candles.concatenate([kept, change])
        self.present = both.at(np.argsort(both.open_time_s))
        await write_candles(data, self.symbol, change)
        listed = await data.ListCryptos(ListCryptosRequest(symbols=[self.symbol]))
        self.states[listed.cryptos[0].fingerprint] = self.present


def checker(cryptos: list[ChangingCrypto]) -> Callable[[BacktestResult, float, Detail], bool]:
    """Return a function that tells whether a result of RSI is the engine's, of the state that it names."""
    by_symbol = {crypto.symbol: crypto for crypto in cryptos}
    expected: dict[tuple[str, str, float, Detail], bytes] = {}

    def is_right(result: BacktestResult, oversold: float, detail: Detail) -> bool:
        key = result.symbol, result.data_fingerprint, oversold, detail
        if key not in expected:
            candles = by_symbol[result.symbol].states[result.data_fingerprint]
            backtest = Backtest(Rsi(oversold=oversold), Interval.HOUR_1, WINDOW, Execution(), detail)
            message = message_of(
                result.symbol, result.data_fingerprint, run_backtest(History(candles), backtest)
            )
            expected[key] = message.SerializeToString(deterministic=True)
        found = BacktestResult()
        found.CopyFrom(result)
        found.from_cache = False
        return found.SerializeToString(deterministic=True) == expected[key]

    return is_right
