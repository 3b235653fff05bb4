"""The heat map of a sweep: a metric by the values of the first two dimensions."""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from markupsafe import Markup
from rich.text import Text

from backcast.backtest.v1.result_pb2 import Metrics
from services.cli.views.metric_cells import cell, heading_of
from services.cli.views.report.charts import heat_map
from services.cli.views.sweep_values import Dimension

_MOST_CELLS = 10_000


def sweep_heat_map(
    dimensions: Sequence[Dimension],
    metric: str,
    statistic: str,
    figures: Iterable[tuple[Sequence[int], Metrics]],
) -> Iterator[Markup]:
    """Yield a picture of the first two dimensions of several values; none where it would be too large.

    `figures` are the value indexes of combinations and their metrics, and `statistic` says what these are.
    """
    several = [place for place, one in enumerate(dimensions) if len(one.values) > 1] or [0]
    across, *down = sorted(several[:2], key=lambda place: len(dimensions[place].values))
    places = (down[0] if down else across), across
    first, second = (dimensions[place] for place in places)
    labels = [list(one.values) for one in (first, second)]
    if len(labels[0]) * len(labels[1]) > _MOST_CELLS:
        return
    found: dict[tuple[int, int], list[float]] = {}
    for value_indexes, metrics in figures:
        if metrics.HasField(metric):  # type: ignore[arg-type]  # a field's name
            at = value_indexes[places[0]], value_indexes[places[1]]
            found.setdefault(at, []).append(getattr(metrics, metric))
    caption = f"{heading_of(metric)}, {statistic}"
    if len(several) > len(places):
        caption += "; mean over the other dimensions"
    if not down:
        cells = [[_cell(found.get((row, row)), metric)] for row in range(len(labels[0]))]
        yield heat_map(caption, (first.name, ""), (labels[0], [heading_of(metric)]), cells)
    else:
        rows, columns = (range(len(one)) for one in labels)
        grid = [[_cell(found.get((row, column)), metric) for column in columns] for row in rows]
        yield heat_map(caption, (first.name, second.name), (labels[0], labels[1]), grid)


def _cell(values: Sequence[float] | None, metric: str) -> tuple[float, str] | None:
    if not values:
        return None
    mean = float(np.mean(values))
    return mean, Text.from_markup(cell(Metrics(**{metric: mean}), metric)).plain
