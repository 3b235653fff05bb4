"""The events of a sweep over portfolios so far, as frames; and its request."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from backcast import frames
from backcast.backtest.v1.expression_pb2 import Expression
from backcast.backtest.v1.result_pb2 import Metric
from backcast.backtest.v1.sweep_pb2 import ParameterRange
from backcast.errors import BackcastError, InvalidRequestError
from backcast.fields import set_choice, set_fraction, set_whole
from backcast.gateway.v1.portfolio_sweep_pb2 import (
    PortfolioRange,
    SweepPortfoliosRequest,
    SweepPortfoliosResponse,
)
from backcast.options import (
    PORTFOLIO_OPTIONS,
    PORTFOLIO_SWEEP_OPTIONS,
    SIZES,
    STOPS,
    SWEPT_SETTINGS,
    check_names,
)
from backcast.quantities import Number
from backcast.requests import WeightedMessages, portfolio_request
from backcast.result import metric_rows
from backcast.run_log import Progress
from backcast.sweep_log import of_ranges
from backcast.sweep_request import range_values, set_execution_ranges, swept_settings, value_message

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
    settings = {name: values for name, values in swept_settings(arguments).items() if name in SWEPT_SETTINGS}
    return settings | own


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
    set_execution_ranges(request, settings, arguments)
    for name in _OWN:
        if name in swept:
            request.portfolio_ranges.append(
                _own_range(name, swept[name], ranks, arguments.get("rebalance_threshold"))
            )
    if not (request.ranges or request.execution_ranges or request.portfolio_ranges):
        raise InvalidRequestError.of("sweep", "nothing has several values, as period=range(5, 31) has")
    set_fraction(request, "split", arguments, "split")
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


class PortfolioSweepLog:
    """The events of a sweep over portfolios."""

    def __init__(
        self, request: SweepPortfoliosRequest, library: str, swept: Mapping[str, Sequence[Any]]
    ) -> None:
        """`library` is the one that frames are made with; `swept` are the values of `swept_values`."""
        self.request = request
        self.library = library
        self._swept = swept
        self.begin_anew()

    def begin_anew(self) -> None:
        """Forget everything: the sweep is asked for again, and the cache answers what is computed already."""
        self.run_id = ""
        self.progress = Progress(0, 0, 0, 0)
        self.rows: list[Any] = []
        self.best_rows: list[Any] = []
        self.left_out: list[str] = []
        self.summary: Any = None

    @property
    def is_complete(self) -> bool:
        """True if every event has come."""
        return self.summary is not None

    @property
    def has_started(self) -> bool:
        """True from the event `started` on, until the sweep begins anew."""
        return bool(self.run_id)

    def next_request(self) -> SweepPortfoliosRequest:
        """Return the request that brings all events: a sweep cannot be resumed."""
        return self.request

    def add(self, event: SweepPortfoliosResponse) -> None:
        """Note an event."""
        match event.WhichOneof("event"):
            case "started":
                self.run_id = event.started.run_id
                self.progress = Progress(0, 0, 0, event.started.portfolio_count)
                self.left_out = [left.symbol for left in event.started.left_out]
            case "progress":
                self._note(event.progress)
            case "best":
                self.best_rows = list(event.best.rows)
            case "rows":
                self.rows.extend(event.rows.rows)
            case "summary":
                self.summary = event.summary
                self._note(event.summary.progress)

    def of_arguments(self, error: BackcastError) -> BackcastError:
        """Return an error that names arguments: see `of_ranges`."""
        names = {
            "ranges": [one.name for one in self.request.ranges],
            "execution_ranges": [name for name in self._swept if name not in _OWN],
            "portfolio_ranges": [name for name in self._swept if name in _OWN],
        }
        return of_ranges(error, names)

    def _note(self, progress: Any) -> None:
        self.progress = Progress(progress.completed, progress.failed, progress.from_cache, progress.total)

    def table(self) -> Any:
        """Return a frame with a row for each combination: its values and the metrics of its account."""
        return self._frame(self.rows)

    def best(self) -> Any:
        """Return a frame with a row for each of the best combinations, ordered by rank."""
        return self._frame(self.best_rows)

    def _frame(self, rows: list[Any]) -> Any:
        columns: dict[str, Any] = {"combination": np.array([row.combination for row in rows], np.int64)}
        values = [self.values_of(row) for row in rows]
        for name in [*(one.name for one in self.request.ranges), *self._swept]:
            column = [one[name] for one in values]
            is_text = any(isinstance(value, str) for value in column)
            columns[name] = column if is_text else np.array(column, np.float64 if None in column else None)
        columns["failure"] = [row.failure.message for row in rows]
        parts = {"train": "", "test": "test_"} if self.request.HasField("split") else {"train": ""}
        for part, prefix in parts.items():
            metrics = metric_rows([getattr(row, part) for row in rows])
            columns |= {f"{prefix}{name}": column for name, column in metrics.items()}
        return frames.frame(columns, self.library)

    def values_of(self, row: Any) -> dict[str, Any]:
        """Return the values of a row by name: numbers or texts; what a stop, say, is without is none."""
        indexes = iter(row.value_indexes)
        values: dict[str, Any] = {}
        for one in self.request.ranges:
            value = one.values[next(indexes)]
            values[one.name] = value.string_value or _whole(value.number_value)
        for (name, given), index in zip(self._swept.items(), indexes, strict=True):
            without = "none" if name in (*STOPS, "rank") else np.nan
            values[name] = without if given[index] is None else given[index]
        return values


def _whole(number: float) -> float:
    return int(number) if number.is_integer() else number
