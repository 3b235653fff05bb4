"""Tables of a sweep: best trials, combinations, folds, out-of-sample curves."""

from collections.abc import Sequence

from rich.table import Table

from backcast.backtest.v1.result_pb2 import Metrics
from backcast.backtest.v1.sweep_pb2 import Window
from backcast.gateway.v1 import sweep_pb2
from services.cli.views.fitted_table import TableColumn, fitted_table
from services.cli.views.metric_cells import ABSENT, cell, heading_of
from services.cli.views.sweep_values import Dimension
from services.domain.counted import counted

_Combination = sweep_pb2.SweepTrial | sweep_pb2.SweepRow | sweep_pb2.SweepFold

# Metrics that are shown besides the one ranked by; if the window is cut, for train and test.
_WHOLE = ("total_return", "sharpe_ratio", "max_drawdown", "trade_count")
_CUT = ("total_return", "max_drawdown")
OUT_OF_SAMPLE = ("total_return", "buy_and_hold_return", "sharpe_ratio", "max_drawdown", "trade_count")
# The order in which columns are left out if there is no room. A test begins where its train part ends.
_LEFT_OUT = {
    name: order
    for order, name in enumerate(
        (
            "test max_drawdown",
            "trade_count",
            "max_drawdown",
            "chosen on",
            "sharpe_ratio",
            "total_return",
            "tested on",
            "cryptos",
            "median trades",
            "test total_return",
            "traded",
        ),
        1,
    )
}


class SweepTables:
    """Tables of a sweep, with the swept values, the metric ranked by, and other metrics.

    `width` is the console's, in characters, and limits the columns.
    """

    def __init__(
        self,
        dimensions: Sequence[Dimension],
        metric: str,
        *,
        cut: bool,
        folds: int = 0,
        columns: Sequence[str] | None = None,
    ) -> None:
        """With `folds`, the figures of trials and combinations are means over the folds.

        `columns` are the metrics that are shown besides the one ranked by; None: the default ones.
        """
        self._dimensions = dimensions
        others = columns if columns is not None else _CUT if cut else _WHOLE
        self._metrics = [metric, *(name for name in others if name != metric)]
        self._cut = cut
        self._means = f"means over {counted(folds, 'fold')}" if folds > 1 else ""

    def best(self, width: int, trials: Sequence[sweep_pb2.SweepTrial]) -> Table:
        """Return the best trials."""
        columns = [
            _numbers("", len(trials)),
            TableColumn("crypto", [trial.symbol for trial in trials], left=True),
            *self._values(trials),
            *self._figures([(trial.train, trial.test) for trial in trials]),
        ]
        return fitted_table(width, columns, f"the best single cryptos{self._means and f', {self._means}'}")

    def combinations(self, width: int, rows: Sequence[sweep_pb2.SweepRow]) -> Table:
        """Return rows of the table of all combinations."""
        columns = [
            _numbers("", len(rows)),
            *self._values(rows),
            TableColumn("cryptos", [f"{row.crypto_count:,}" for row in rows], _LEFT_OUT["cryptos"]),
            TableColumn("traded", [f"{row.cryptos_traded:,}" for row in rows], _LEFT_OUT["traded"]),
            *self._fewest_trades(rows),
            *self._figures([(row.train.median, row.test.median) for row in rows]),
        ]
        of = self._means and f" of {self._means}"
        return fitted_table(width, columns, f"combinations, medians over the cryptos{of}")

    def folds(
        self,
        width: int,
        folds: Sequence[sweep_pb2.SweepFold],
        title: str = "walk-forward, medians over the cryptos",
    ) -> Table:
        """Return the folds: the chosen combination, and its figures in train and test."""
        columns = [
            _numbers("fold", len(folds)),
            TableColumn(
                "chosen on", [_dates(fold.train_window) for fold in folds], _LEFT_OUT["chosen on"], left=True
            ),
            TableColumn(
                "tested on", [_dates(fold.test_window) for fold in folds], _LEFT_OUT["tested on"], left=True
            ),
            *self._values(folds),
            *self._figures([(fold.train, fold.test) for fold in folds]),
        ]
        return fitted_table(width, columns, title)

    def out_of_sample(self, width: int, curves: Sequence[sweep_pb2.OutOfSample]) -> Table:
        """Return the out-of-sample figures of each crypto."""
        columns = [
            TableColumn("crypto", [curve.symbol for curve in curves], left=True),
            *(
                TableColumn(heading_of(name), [cell(curve.metrics, name) for curve in curves], order)
                for order, name in reversed(list(enumerate(reversed(OUT_OF_SAMPLE))))
            ),
        ]
        return fitted_table(width, columns, "out of sample, the folds' choices one after the other")

    def figures(self, metrics: Metrics) -> str:
        """Return figures in a line."""
        return ", ".join(f"{heading_of(name)} {cell(metrics, name)}" for name in self._metrics)

    def _fewest_trades(self, rows: Sequence[sweep_pb2.SweepRow]) -> list[TableColumn]:
        """Return the median number of trades, which decides whether a combination is ranked."""
        cells = [f"{row.median_trades:g}" if row.HasField("median_trades") else ABSENT for row in rows]
        # For a whole window, it is among the figures.
        return (
            [TableColumn("trades", cells, _LEFT_OUT["median trades"])]
            if "trade_count" not in self._metrics
            else []
        )

    def _values(self, combinations: Sequence[_Combination]) -> list[TableColumn]:
        """Return a column for each dimension; a fold may have no combination."""
        return [
            TableColumn(
                dimension.name,
                [
                    dimension.values[one.value_indexes[place]] if one.value_indexes else ABSENT
                    for one in combinations
                ],
            )
            for place, dimension in enumerate(self._dimensions)
        ]

    def _figures(self, parts: Sequence[tuple[Metrics, Metrics]]) -> list[TableColumn]:
        """Return the metrics of train parts, and beside them those of test parts if the window is cut."""
        return [
            TableColumn(
                f"{prefix}{heading_of(name)}",
                [cell(metrics[part], name) for metrics in parts],
                # The metric ranked by is never left out.
                _LEFT_OUT.get(f"{prefix}{name}", 0) if name != self._metrics[0] else 0,
            )
            for part, prefix in enumerate(("", "test ") if self._cut else ("",))
            for name in self._metrics
        ]


def _numbers(heading: str, count: int) -> TableColumn:
    return TableColumn(heading, [str(number) for number in range(1, count + 1)], left=True)


def _dates(window: Window) -> str:
    start, end = (f"{time.ToDatetime():%Y-%m-%d}" for time in (window.start_time, window.end_time))
    return f"{start} – {end}"
