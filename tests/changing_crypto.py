"""A crypto that imports change, and all states that it had: what results are compared with."""

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from backcast.marketdata.v1.market_data_service_pb2 import ListCryptosRequest
from backcast_engine.candles import Candles
from tests.candle_making import import_candles

if TYPE_CHECKING:
    from backcast.marketdata.v1.market_data_service_pb2_grpc import MarketDataServiceAsyncStub


@dataclass
class ChangingCrypto:
    """A crypto: its states, in order, and their fingerprints."""

    symbol: str
    states: list[Candles] = field(default_factory=list)
    fingerprints: list[str] = field(default_factory=list)

    async def write(self, data_service: "MarketDataServiceAsyncStub", change: Candles) -> None:
        """Import what makes the next state."""
        last = self.states[-1] if self.states else Candles.empty()
        kept = last.at(~np.isin(last.open_time_s, change.open_time_s))
        both = Candles.concatenate([kept, change])
        self.states.append(both.at(np.argsort(both.open_time_s)))
        await import_candles(data_service, self.symbol, change)
        listed = await data_service.ListCryptos(ListCryptosRequest(symbols=[self.symbol]))
        self.fingerprints.append(listed.cryptos[0].fingerprint)

    def corrected(self, index: int, factor: float) -> Candles:
        """Return a candle of the present state whose close is multiplied by a factor."""
        candle = self.states[-1][index:][:1]
        close = candle.close * factor
        high, low = np.maximum(candle.high, close), np.minimum(candle.low, close)
        return replace(candle, close=close, high=high, low=low)
