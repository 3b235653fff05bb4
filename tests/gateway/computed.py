"""Results as compute sends them, for tests that need no more than that there are some."""

from math import nan

import numpy as np

from backcast.backtest.v1.result_pb2 import BacktestResult
from backcast.compute.v1.computed_result_pb2 import ComputedResult
from backcast_engine import METRIC_NAMES
from services.wire.result_parts import result_parts


def computed_result(
    symbol: str, fingerprint: str = "1", message: BacktestResult | None = None, **metrics: float
) -> ComputedResult:
    """Return a result; metrics that are not given are undefined, as far as the gateway knows."""
    parts = result_parts(message or BacktestResult())
    return ComputedResult(
        symbol=symbol,
        fingerprint=fingerprint,
        metrics=np.array([metrics.get(name, nan) for name in METRIC_NAMES]).tobytes(),
        parts=[part.SerializeToString() for part in parts],
    )
