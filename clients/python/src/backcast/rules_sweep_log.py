"""A sweep over values in the text of rules, such as `rsi({n}) < 30`: a run each combination; without any I/O.

The server sweeps over parameters of strategies; rules have none. So these sweeps have neither windows for
training and testing nor figures about selection bias.
"""

from collections.abc import Mapping
from datetime import UTC
from itertools import product
from string import Formatter
from typing import Any

import numpy as np

from backcast import quantities
from backcast.backtest.v1.strategy_pb2 import Strategy as StrategyMessage
from backcast.errors import InvalidRequestError
from backcast.gateway.v1 import backtest_service_pb2 as pb
from backcast.gateway.v1 import sweep_pb2
from backcast.options import BacktestOptions
from backcast.requests import range_values, run_request
from backcast.result import Metrics
from backcast.run_log import Progress, RunLog
from backcast.strategies import Rules
from backcast.sweep_log import SweepLog

_OPTIONS = BacktestOptions.__annotations__.keys() - {"run_id"}
_NOT_FOR_RULES = ("run_id", "split", "folds", "metric", "curve_points", "detail")
# As the server has them.
_BEST_TRIALS, _MIN_TRADES = 20, 1


class RulesSweepLog(SweepLog):
    """The runs of a sweep over rules, in the order of the combinations; the last range varies fastest."""

    def __init__(self, rules: Rules, arguments: Mapping[str, Any], library: str) -> None:
        """`arguments` are those of `client.sweep`; raise InvalidRequestError, naming a wrong one."""
        for name in _NOT_FOR_RULES:
            if name in arguments:
                raise InvalidRequestError.of(name, "is no option of a sweep over rules")
        own = {*_OPTIONS, "top", "min_trades"}
        self._rules = rules
        self._options: Any = {name: value for name, value in arguments.items() if name in _OPTIONS}
        self._best_count = quantities.whole(arguments.get("top", _BEST_TRIALS), "top")
        self._min_trades = quantities.whole(arguments.get("min_trades", _MIN_TRADES), "min_trades")
        ranges = {name: range_values(values, name) for name, values in arguments.items() if name not in own}
        _check_places(rules, ranges)
        self._names = [*ranges]
        self._combinations = [*product(*ranges.values())]
        super().__init__(pb.SweepBacktestsRequest(), library)

    def next_rules(self) -> Rules:
        """Return the rules of the next combination."""
        written = {name: f"{value:.15g}" if isinstance(value, float) else value for name, value in self._next}
        return Rules(self._rules.entry.format(**written), self._rules.exit.format(**written))

    def next_run_request(self, strategy: StrategyMessage) -> pb.RunBacktestsRequest:
        """Return the request of the next run, with its rules as the server has parsed them."""
        return run_request(strategy, self._options)

    def add_run(self, run: RunLog) -> None:
        """Note the run of the next combination, which is complete."""
        # The default end moves on: all combinations have the window of the first.
        window = run.request.spec
        self._options["start"] = window.start_time.ToDatetime(UTC)
        self._options["end"] = window.end_time.ToDatetime(UTC)
        self.left_out = list(run.left_out)
        self._add_row(run)
        self._add_trials(run)
        for symbol, status in run.failures.items():
            self._add_failure(symbol, status)
        done = self.progress
        self.progress = Progress(
            done.completed + run.progress.completed,
            done.failed + run.progress.failed,
            done.from_cache + run.progress.from_cache,
            len(self._combinations) * run.total,
        )
        if len(self.rows) == len(self._combinations):
            self.summary = sweep_pb2.SweepSummary(winner=self.trials[0] if self.trials else None)

    def values_of(self, item: Any) -> dict[str, Any]:
        """Return the swept values of a row or a trial, by name."""
        return dict(zip(self._names, self._combinations[item.combination], strict=True))

    @property
    def swept(self) -> list[str]:
        """The names in the rules that have ranges."""
        return self._names

    @property
    def _next(self) -> list[tuple[str, float | str]]:
        return [*zip(self._names, self._combinations[len(self.rows)], strict=True)]

    def _add_row(self, run: RunLog) -> None:
        trades = [_trades(result.metrics) for result in run.results]
        row = sweep_pb2.SweepRow(
            combination=len(self.rows),
            strategy=run.request.spec.strategy,
            crypto_count=len(trades),
            cryptos_traded=sum(count > 0 for count in trades),
            median_trades=float(np.median(trades)) if trades else None,
        )
        row.train.median.ParseFromString(run.summary.median.SerializeToString())
        row.train.mean.ParseFromString(run.summary.mean.SerializeToString())
        self.rows.append(row)

    def _add_trials(self, run: RunLog) -> None:
        for result in run.results:
            metrics = result.metrics
            if metrics.sharpe_ratio is None or _trades(metrics) < self._min_trades:
                continue
            trial = sweep_pb2.SweepTrial(symbol=result.symbol, combination=len(self.rows) - 1)
            trial.strategy.CopyFrom(run.request.spec.strategy)
            trial.train.ParseFromString(result.view.metrics.SerializeToString())
            self.trials.append(trial)
        self.trials.sort(key=lambda trial: (-trial.train.sharpe_ratio, trial.symbol, trial.combination))
        del self.trials[self._best_count :]

    def _add_failure(self, symbol: str, status: Any) -> None:
        known = [failure for failure in self.failures if failure.symbol == symbol]
        if known:
            known[0].backtest_count += 1
        else:
            self.failures.append(sweep_pb2.SweepFailure(symbol=symbol, backtest_count=1, status=status))


def _trades(metrics: Metrics) -> float:
    """Return the number of trades, those still open included."""
    return (metrics.trade_count or 0.0) + (metrics.open_trade_count or 0.0)


def _check_places(rules: Rules, ranges: Mapping[str, Any]) -> None:
    """Raise InvalidRequestError unless each name in braces has a range, and each range a name in braces."""
    places: dict[str, str] = {}
    for field in ("entry", "exit"):
        text = getattr(rules, field)
        try:
            named = [name for _, name, _, _ in Formatter().parse(text) if name is not None]
        except ValueError:
            raise InvalidRequestError.of(field, f"{text!r} has braces that do not match") from None
        places |= dict.fromkeys(named, field)
    for name, field in places.items():
        if name not in ranges:
            raise InvalidRequestError.of(field, f"{{{name}}} has no range, as n=range(5, 31) is for {{n}}")
    for name in ranges:
        if name not in places:
            raise InvalidRequestError.of(name, f"the rules have no {{{name}}}")
    if not ranges:
        raise InvalidRequestError.of("sweep", 'no number of the rules has a range: write "rsi({n}) < 30"')
