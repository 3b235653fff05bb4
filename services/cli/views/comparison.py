"""Tables of `backcast compare`: statistics of each strategy, and differences from the first one."""

from collections.abc import Sequence
from itertools import product

from rich.table import Table

from backcast.backtest.v1.backtest_spec_pb2 import BacktestSpec
from backcast.backtest.v1.result_pb2 import Metrics
from services.cli.views.fitted_table import TableColumn, fitted_table
from services.cli.views.metric_cells import ABSENT, cell, difference_cell, heading_of
from services.cli.views.request import execution_words, interval_of, strategy_words, window_words
from services.domain.comparison import LETTERS, Differences, Statistics, Values
from services.domain.counted import counted

_METRICS = ("total_return", "buy_and_hold_return", "sharpe_ratio", "max_drawdown", "trade_count")
# Holding is the same in all strategies with the same candles: its median is enough.
_VARYING = tuple(name for name in _METRICS if name != "buy_and_hold_return")


def compared_words(specs: Sequence[BacktestSpec], crypto_count: int) -> str:
    """Return what is compared, in lines: what all strategies share is said once."""
    intervals = [interval_of(spec).value for spec in specs]
    executions = [execution_words(spec.execution) for spec in specs]
    shares_interval, shares_execution = len(set(intervals)) == 1, len(set(executions)) == 1
    lines = []
    for letter, spec, interval, execution in zip(LETTERS, specs, intervals, executions, strict=False):
        words = [strategy_words(spec.strategy).rstrip()]
        words += [] if shares_interval else [f"{interval} candles"]
        words += [] if shares_execution else [execution]
        lines.append(f"[bold]{letter}[/bold]: " + "\n".join(words).replace("\n", "\n   "))
    candles = f", {intervals[0]} candles" if shares_interval else ""
    lines.append(f"{counted(crypto_count, 'crypto')}{candles} {window_words(specs[0])}")
    return "\n".join([*lines, executions[0]] if shares_execution else lines)


class ComparisonTables:
    """Tables of a comparison; `width` is the console's, in characters, and limits the columns."""

    def __init__(self, specs: Sequence[BacktestSpec], metrics: Sequence[str] | None = None) -> None:
        """Show `metrics`; None: the default ones."""
        self._names = [
            f"{letter} {spec.strategy.WhichOneof('kind')}"
            for letter, spec in zip(LETTERS, specs, strict=False)
        ]
        self._metrics = metrics or _METRICS
        self._varying = metrics or _VARYING

    def medians(self, width: int, statistics: Sequence[Statistics]) -> Table:
        """Return a row for each strategy: medians, and the shares that gained and that beat holding."""
        medians = [_message(one.quantiles["quantile_50"]) for one in statistics]
        columns = [
            TableColumn("medians", self._names, left=True),
            *(TableColumn(heading_of(name), [cell(one, name) for one in medians]) for name in self._metrics),
            TableColumn("gained", [f"{one.share_gained:.0%}" for one in statistics]),
            TableColumn("beat holding", [_share(one.share_beat_holding) for one in statistics]),
        ]
        return fitted_table(width, columns)

    def quantiles(self, width: int, statistics: Sequence[Statistics]) -> Table:
        """Return a row for each metric and strategy: the quantiles over the cryptos, and the mean."""
        rows = [*product(self._varying, range(len(self._names)))]
        spreads = {
            "5 %": [one.quantiles["quantile_05"] for one in statistics],
            "25 %": [one.quantiles["quantile_25"] for one in statistics],
            "median": [one.quantiles["quantile_50"] for one in statistics],
            "75 %": [one.quantiles["quantile_75"] for one in statistics],
            "95 %": [one.quantiles["quantile_95"] for one in statistics],
            "mean": [one.mean for one in statistics],
        }
        columns = [
            TableColumn("of the cryptos", [_once(name, place == 0) for name, place in rows], left=True),
            TableColumn("", [self._names[place] for _, place in rows], left=True),
            *(
                TableColumn(heading, [cell(_message(values[place]), name) for name, place in rows])
                for heading, values in spreads.items()
            ),
        ]
        return fitted_table(width, columns)

    def differences(self, width: int, differences: Sequence[Differences]) -> Table:
        """Return a row for each metric and strategy after the first: its differences from the first."""
        rows = [(name, place, one) for name in self._varying for place, one in enumerate(differences)]
        columns = [
            TableColumn("minus A", [_once(name, place == 0) for name, place, _ in rows], left=True),
            TableColumn("", [self._names[place + 1] for _, place, _ in rows], left=True),
            TableColumn("mean", [difference_cell(name, one.mean.get(name)) for name, _, one in rows]),
            TableColumn("median", [difference_cell(name, one.median.get(name)) for name, _, one in rows]),
            TableColumn("t", [_t(one.t_statistic.get(name)) for name, _, one in rows]),
            TableColumn("higher on", [f"{one.higher_count[name]:,}" for name, _, one in rows]),
            TableColumn("lower on", [f"{one.lower_count[name]:,}" for name, _, one in rows]),
        ]
        return fitted_table(width, columns, "differences from A, crypto by crypto")


def _message(values: Values) -> Metrics:
    return Metrics(**values)


def _once(metric: str, is_first: bool) -> str:
    return heading_of(metric) if is_first else ""


def _share(share: float | None) -> str:
    return ABSENT if share is None else f"{share:.0%}"


def _t(value: float | None) -> str:
    return ABSENT if value is None else f"{value:+z.2f}"
