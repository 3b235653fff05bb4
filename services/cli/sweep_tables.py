"""What came of a sweep, as people read it."""

from collections.abc import Sequence

from rich import box
from rich.markup import escape
from rich.table import Table

from backcast.backtest.v1.result_pb2 import Metrics
from backcast.backtest.v1.strategy_pb2 import Strategy
from backcast.backtest.v1.sweep_pb2 import Window
from backcast.gateway.v1 import sweep_pb2
from services.cli.result_tables import ABSENT, colored
from services.shared.enum_names import names_of

_HEADINGS = {
    "total_return": "return",
    "buy_and_hold_return": "hold",
    "cagr": "CAGR",
    "sharpe_ratio": "Sharpe",
    "sortino_ratio": "Sortino",
    "calmar_ratio": "Calmar",
    "max_drawdown": "drawdown",
    "trade_count": "trades",
    "open_trade_count": "open trades",
    "win_rate": "wins",
}
_SIGNED = ("total_return", "buy_and_hold_return", "cagr", "expectancy", "best_trade", "worst_trade")
_FRACTIONS = ("annual_volatility", "max_drawdown", "exposure", "win_rate")
_COUNTS = ("trade_count", "open_trade_count")
# Beside the metric that is ranked by; of the parts of a cut window there are two of each.
_WHOLE = ("total_return", "sharpe_ratio", "max_drawdown", "trade_count")
_CUT = ("total_return", "max_drawdown")


class SweepTables:
    """Tables of a sweep: the swept parameters, and the metric that is ranked by beside some others."""

    def __init__(self, names: Sequence[str], metric: str, *, cut: bool) -> None:
        self._names = names
        others = _CUT if cut else _WHOLE
        self._metrics = [metric, *(name for name in others if name != metric)]
        self._cut = cut

    def best(self, trials: Sequence[sweep_pb2.SweepTrial]) -> Table:
        """Return the best trials."""
        table = self._table("the best", ("", "crypto"))
        for rank, trial in enumerate(trials, 1):
            table.add_row(
                *(str(rank), trial.symbol, *self._parameters(trial.strategy)),
                *self._cells(trial.train, trial.test),
            )
        return table

    def combinations(self, rows: Sequence[sweep_pb2.SweepRow]) -> Table:
        """Return rows of the table of all combinations."""
        table = self._table("combinations, medians over the cryptos", ("",), ("cryptos",))
        for rank, row in enumerate(rows, 1):
            table.add_row(
                *(str(rank), *self._parameters(row.strategy), str(row.cryptos)),
                *self._cells(row.train.median, row.test.median),
            )
        return table

    def folds(self, folds: Sequence[sweep_pb2.SweepFold]) -> Table:
        """Return what was chosen in each fold, and what came of it."""
        table = self._table("walk forward, medians over the cryptos", ("chosen on", "tested on"))
        for fold in folds:
            table.add_row(
                *(_dates(fold.train_window), _dates(fold.test_window)),
                *(self._parameters(fold.strategy) if fold.HasField("combination") else self._names),
                *self._cells(fold.train, fold.test),
            )
        return table

    def figures(self, metrics: Metrics) -> str:
        """Return figures in a line."""
        return ", ".join(f"{heading_of(name)} {cell(metrics, name)}" for name in self._metrics)

    def _table(self, title: str, before: Sequence[str], after: Sequence[str] = ()) -> Table:
        table = Table(
            title=title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True
        )
        for heading in before:
            table.add_column(heading, no_wrap=True)
        for heading in (*self._names, *after, *map(heading_of, self._metrics)):
            table.add_column(escape(heading), justify="right", no_wrap=True)
        if self._cut:
            for name in self._metrics:
                table.add_column(f"test {heading_of(name)}", justify="right", no_wrap=True)
        return table

    def _parameters(self, strategy: Strategy) -> list[str]:
        kind = getattr(strategy, strategy.WhichOneof("kind") or "")
        shown = []
        for name in self._names:
            value, enum = getattr(kind, name), kind.DESCRIPTOR.fields_by_name[name].enum_type
            shown.append(names_of(enum)[value] if enum else f"{value:g}")
        return shown

    def _cells(self, train: Metrics, test: Metrics) -> list[str]:
        return [
            cell(part, name) for part in ((train, test) if self._cut else (train,)) for name in self._metrics
        ]


def heading_of(metric: str) -> str:
    """Return a metric's name as a heading."""
    return _HEADINGS.get(metric, metric.replace("_", " "))


def cell(metrics: Metrics, name: str) -> str:
    """Return a figure as text."""
    if not metrics.HasField(name):  # type: ignore[arg-type]  # a field's name
        return ABSENT
    value: float = getattr(metrics, name)
    if name in _SIGNED:
        return colored(value)
    if name in _FRACTIONS:
        return f"{value:.1%}"
    return f"{value:,.0f}" if name in _COUNTS else f"{value:,.2f}"


def _dates(window: Window) -> str:
    start, end = (f"{time.ToDatetime():%Y-%m-%d}" for time in (window.start_time, window.end_time))
    return f"{start} – {end}"
