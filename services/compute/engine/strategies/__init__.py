"""The strategies: one file each."""

from services.compute.engine.strategies.base import Signals, Strategy
from services.compute.engine.strategies.bollinger import Bollinger
from services.compute.engine.strategies.buy_and_hold import BuyAndHold
from services.compute.engine.strategies.ma_cross import MaCross
from services.compute.engine.strategies.rsi import Rsi

# By name, which is also the field of the strategy's message in the API.
STRATEGIES: dict[str, type[Strategy]] = {
    strategy.name: strategy for strategy in (Bollinger, BuyAndHold, MaCross, Rsi)
}

__all__ = ["STRATEGIES", "Bollinger", "BuyAndHold", "MaCross", "Rsi", "Signals", "Strategy"]
