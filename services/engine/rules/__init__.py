"""Rules: strategies as expressions over a crypto's candles, evaluated vectorized. No code of a client's runs.

`nodes` is what an expression is, `functions` everything that can be called in one, `check` what is wrong
with one, `evaluation` its value at every candle, `text` the same as one line of text, `parse` that line read.
"""

from services.engine.rules.evaluation import Evaluation
from services.engine.rules.nodes import Call, Column, Expression, Number, Rules

__all__ = ["Call", "Column", "Evaluation", "Expression", "Number", "Rules"]
