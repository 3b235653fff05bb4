"""The engine's definition once more, as slow and plain as it can be: what the engine is judged by.

Loops over Python floats, written from the descriptions alone. The only things taken from the engine are
its input dataclasses (a strategy's parameters, an execution's options) and enumerations, read by attribute.
"""

from .backtest import Outcome, Refusal, backtest

__all__ = ["Outcome", "Refusal", "backtest"]
