"""The engine's definition once more, as slow and plain as it can be: what the engine is judged by.

Loops over Python floats, written from the descriptions alone. The only things taken from the engine are
its input dataclasses (a strategy's parameters, an execution's options) and enumerations, read by attribute.
"""

from .backtest import Columns, Outcome, Refusal, backtest
from .rules import series, truth

__all__ = ["Columns", "Outcome", "Refusal", "backtest", "series", "truth"]
