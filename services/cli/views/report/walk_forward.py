"""The walk-forward of a sweep in a report: the folds, and the curve out of sample."""

import numpy as np
from markupsafe import Markup
from rich.table import Table

from backcast.gateway.v1 import sweep_pb2
from services.cli.views.report.charts import curve_chart, fall_chart
from services.cli.views.report.document import Section
from services.cli.views.sweep_words import walk_forward_words

# Wide enough for every line.
_WIDE = 10_000


def walk_forward_section(
    walk: sweep_pb2.WalkForward, capital: float, folds: Table, of: str = "all cryptos with equal weights"
) -> Section:
    """Return the section of a walk-forward, whose table is `folds`; `of` says whose curve it is."""
    charts = []
    if walk.HasField("out_of_sample"):
        curve = walk.out_of_sample.equity_curve
        times = np.array(curve.open_time_s, np.int64)
        gains = np.array(curve.equity) / capital - 1
        caption = Markup('<span class="key"></span>return out of sample, {}').format(of)
        charts = [
            curve_chart(caption, times, gains),
            fall_chart(Markup('<span class="key drawdown"></span>drawdown'), times, np.array(curve.drawdown)),
        ]
    # The chart stands for the curve that the command draws with characters.
    lines = [line for line in walk_forward_words(walk, _WIDE, of) if not line.startswith("their equity")]
    return Section("Walk-forward", lines=lines, charts=charts, tables=[folds])
