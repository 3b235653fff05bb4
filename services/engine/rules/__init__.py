"""Rules: strategies as expressions over a crypto's candles, evaluated vectorized. No client code runs.

`nodes` defines expressions, `functions` the functions that can be called in them; `check` validates
expressions, `evaluation` computes them at every candle, `text` writes them as one line, and `parse` reads
that line. `compared` says which series a chart shows.
"""

from services.engine.rules.evaluation import Evaluation
from services.engine.rules.nodes import Call, Column, Expression, Number, Rules

__all__ = ["Call", "Column", "Evaluation", "Expression", "Number", "Rules"]
