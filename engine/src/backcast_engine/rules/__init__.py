"""Rules: strategies as expressions over a crypto's candles, evaluated vectorized. No client code runs.

`nodes` defines expressions, and `functions` the functions that they call. `parse` reads an expression from a
line of text, and `text` writes it as one. `check` validates expressions; `evaluation` computes them at every
candle, and `rounding`, `ticks` and `exact` keep their comparisons independent of rounding. `placeholders` are
numbers that sweeps fill in. `compared` lists the series that rules compare, for charts.
"""

from backcast_engine.rules.evaluation import Evaluation
from backcast_engine.rules.nodes import (
    Call,
    Column,
    Expression,
    Number,
    On,
    OtherCandles,
    Placeholder,
    Rules,
)

__all__ = [
    "Call",
    "Column",
    "Evaluation",
    "Expression",
    "Number",
    "On",
    "OtherCandles",
    "Placeholder",
    "Rules",
]
