"""The events of a sweep over portfolios so far, as frames; and its request."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from backcast import frames
from backcast.backtest.v1.expression_pb2 import Expression
from backcast.backtest.v1.result_pb2 import Metric
from backcast.backtest.v1.sweep_pb2 import ParameterRange
from backcast.errors import InvalidRequestError
from backcast.fields import set_choice, set_fraction, set_whole
from backcast.frames import Times
from backcast.gateway.v1.portfolio_sweep_pb2 import (
    PortfolioRange,
    SweepPortfoliosRequest,
    SweepPortfoliosResponse,
)
from backcast.options import (
    PORTFOLIO_OPTIONS,
    PORTFOLIO_SWEEP_OPTIONS,
    SIZES,
    SWEPT_SETTINGS,
    check_names,
)
from backcast.quantities import Number
from backcast.requests import WeightedMessages, portfolio_request
from backcast.sweep_events import BaseSweepLog
from backcast.sweep_request import (
    range_values,
    set_execution_ranges,
    set_intervals,
    set_search,
    swept_settings,
    value_message,
)

# The options of the portfolio itself that can have several values, and the API's names.
_OWN = {"max_positions": "max_positions", "rank": "rank", "rebalance_every": "rebalancing"}


def swept_values(arguments: Mapping[str, Any]) -> dict[str, list[Any]]:
    """Return the options that have several values, as lists in the order of the request's dimensions.

    Parameters of strategies are none of them.
    """
    own = {
        name: list(arguments[name])
        for name in _OWN
        if isinstance(arguments.get(name), Iterable) and not isinstance(arguments[name], str)
    }
    return swept_settings(arguments) | own


def ranks_of(arguments: Mapping[str, Any]) -> list[Any]:
    """Return the ranks that a sweep has; None is none."""
    rank = arguments.get("rank")
    return [rank] if rank is None or isinstance(rank, str) else list(rank)


def portfolio_sweep_request(
    strategies: WeightedMessages, ranks: Sequence[Expression | None], arguments: Mapping[str, Any]
) -> SweepPortfoliosRequest:
    """Return the request; arguments that are no options are values of parameters, by name.

    Rules and ranks must have been parsed: `ranks` are those of the argument. Raises InvalidRequestError,
    naming the argument, where one is no value of its kind.
    """
    swept = swept_values(arguments)
    given: Any = {
        name: value for name, value in arguments.items() if name in PORTFOLIO_OPTIONS and name not in swept
    }
    if "rebalance_every" in swept:
        given.pop("rebalance_threshold", None)
    if any(name in swept for name in SIZES):
        # Its period is in each of the volatilities.
        given.pop("volatility_period", None)
    check_names(given, PORTFOLIO_SWEEP_OPTIONS)
    one = portfolio_request(strategies, ranks[0] if "rank" not in swept else None, given)
    request = SweepPortfoliosRequest(
        symbols=one.symbols, exclude=one.exclude, spec=one.spec, cache_mode=one.cache_mode, run_id=one.run_id
    )
    for name, values in arguments.items():
        if name not in PORTFOLIO_SWEEP_OPTIONS:
            listed = [values] if isinstance(values, str | int | float) else values
            messages = map(value_message, range_values(listed, name))
            request.ranges.append(ParameterRange(name=name, values=messages))
    settings = {name: values for name, values in swept.items() if name in SWEPT_SETTINGS}
    set_intervals(request, swept.get("interval"))
    set_execution_ranges(request, settings, arguments)
    for name in _OWN:
        if name in swept:
            request.portfolio_ranges.append(
                _own_range(name, swept[name], ranks, arguments.get("rebalance_threshold"))
            )
    if not (request.ranges or request.execution_ranges or request.portfolio_ranges or request.intervals):
        raise InvalidRequestError.of("sweep", "nothing has several values, as period=range(5, 31) has")
    set_search(request, arguments)
    if "split" in arguments and "folds" in arguments:
        raise InvalidRequestError.of("folds", "cannot be combined with split")
    set_fraction(request, "split", arguments, "split")
    set_whole(request, "fold_count", arguments, "folds")
    set_whole(request, "curve_points", arguments, "curve_points")
    set_whole(request, "best_count", arguments, "top")
    set_whole(request, "min_trades", arguments, "min_trades")
    set_choice(request, "metric", Metric.DESCRIPTOR, arguments, "metric")
    return request


def _own_range(
    name: str, values: Sequence[Any], ranks: Sequence[Expression | None], threshold: Number | None
) -> PortfolioRange:
    if not values:
        raise InvalidRequestError.of(name, "the range is empty")
    added = PortfolioRange(name=_OWN[name])
    for place, value in enumerate(values):
        spec = added.values.add()
        if value is None:
            continue
        if name == "max_positions":
            set_whole(spec, "max_positions", {name: value}, name)
        elif name == "rank":
            rank = ranks[place]
            assert rank is not None
            spec.rank.CopyFrom(rank)
        else:
            set_whole(spec.rebalancing, "every", {name: value}, name)
            if threshold is not None:
                given = {"rebalance_threshold": threshold}
                set_fraction(spec.rebalancing, "threshold", given, "rebalance_threshold")
    return added


class PortfolioSweepLog(BaseSweepLog):
    """The events of a sweep over portfolios, of which a row is one account."""

    def add(self, event: SweepPortfoliosResponse) -> None:
        """Note an event."""
        match event.WhichOneof("event"):
            case "started":
                self.start(event.started, event.started.portfolio_count)
            case "best":
                self.best_so_far = list(event.best.rows)
            case _:
                super().add(event)

    def table(self) -> Any:
        """Return a frame with a row for each combination: its values and the metrics of its account."""
        return self._frame(self.rows)

    def best(self) -> Any:
        """Return a frame with a row for each of the best combinations, ordered by rank."""
        return self._frame(self.best_so_far)

    def equity(self) -> Any:
        """Return a frame of the out-of-sample curve of a walk-forward: time, equity and drawdown."""
        curve = self.summary.walk_forward.out_of_sample.equity_curve
        columns: dict[str, Any] = {"time": Times(np.array(curve.open_time_s, np.int64))}
        for name in ("equity", "drawdown"):
            columns[name] = np.array(getattr(curve, name), np.float64)
        return frames.frame(columns, self.library)

    def _frame(self, rows: list[Any]) -> Any:
        columns: dict[str, Any] = {
            "combination": np.array([row.combination for row in rows], np.int64),
            **self.values.columns(rows),
            "failure": [row.failure.message for row in rows],
            **self._metrics(rows),
        }
        return frames.frame(columns, self.library)
