"""The longest out-of-sample curve that a sweep sends fits into what gRPC's clients take by default."""

import numpy as np

from backcast_engine import METRIC_NAMES
from backcast_engine.sweep.out_of_sample import Curve
from services.gateway.planning.sweep_plan import MAX_CURVE_POINTS
from services.gateway.sweeps.out_of_sample import out_of_sample_message


def test_the_longest_curve_leaves_room_for_the_summary_in_four_mebibytes() -> None:
    count = MAX_CURVE_POINTS
    # Times before 1970 take the most bytes.
    open_time_s = -3600 * np.arange(count, 0, -1, dtype=np.int64)
    equity = 10_000 + np.sin(np.arange(count))
    curve = Curve(open_time_s, equity, np.full(len(METRIC_NAMES), 1.5))
    message = out_of_sample_message(curve, 10_000, MAX_CURVE_POINTS, "X" * 32)
    assert len(message.equity_curve.equity) == MAX_CURVE_POINTS
    assert message.ByteSize() < 4 * 2**20 - 200_000
