"""Converts requests for sweeps to SweepRequest, and plans of sweeps back to requests."""

from collections.abc import Sequence
from dataclasses import replace

from backcast.gateway.v1 import backtest_service_pb2 as pb
from backcast.gateway.v1.portfolio_sweep_pb2 import SweepPortfoliosRequest
from backcast.gateway.v1.sweep_pb2 import SearchMethod as SearchMethodValue
from backcast.gateway.v1.sweep_pb2 import SweepSearch
from backcast_engine.errors import InvalidInput, Violations
from backcast_engine.interval import Interval
from backcast_engine.sweep import MAX_SAMPLE, Grid, make_grid
from backcast_engine.sweep.grid import MAX_COMBINATIONS, MAX_SEARCHED
from services.gateway.messages.runs import UNREAD_STRATEGY, left_out_to, read_run_request, run_request_to
from services.gateway.planning.run_plan import RunRequest
from services.gateway.planning.sweep_plan import Search, SearchMethod, SweepPlan, SweepRequest
from services.wire.backtests import metric_from, metric_to, strategy_to
from services.wire.candles import interval_from, interval_to
from services.wire.enum_names import names_of
from services.wire.sweeps import execution_ranges_to, ranges_to, read_execution_ranges, read_ranges


def sweep_request_from(request: pb.SweepBacktestsRequest) -> SweepRequest:
    """Return what a client asks for; raise InvalidInput, naming every bad field, for what makes no sense."""
    violations = Violations()
    run = read_run_request(request, violations)
    ranges = read_ranges(request.ranges, request.spec.strategy, violations)
    settings = read_execution_ranges(request.execution_ranges, violations)
    intervals = read_intervals(request.intervals, violations)
    run = on_longest(run, intervals)
    grid = Grid(run.strategy, (), ())
    # Which ranges there can be depends on the strategy; there must be one in any case.
    if run.strategy is not UNREAD_STRATEGY or not ranges:
        most = MAX_SEARCHED if request.HasField("search") else MAX_COMBINATIONS
        dimensions = ranges, settings, run.execution, intervals
        grid = violations.read(grid, make_grid, run.strategy, *dimensions, most)
    asked = SweepRequest(
        run=run,
        grid=grid,
        split=request.split if request.HasField("split") else None,
        fold_count=request.fold_count if request.HasField("fold_count") else None,
        metric=violations.read("", metric_from, request.metric),
        best_trial_count=request.best_trial_count,
        min_trades=request.min_trades if request.HasField("min_trades") else None,
        curve_points=request.curve_points if request.HasField("curve_points") else None,
        search=violations.read(None, search_from, request) if request.HasField("search") else None,
    )
    violations.raise_if_any(asked.violations)
    return asked


def read_intervals(values: Sequence[int], violations: Violations) -> list[Interval]:
    """Return the lengths of candles that a sweep has; none where that of its run is the only one."""
    return [
        violations.read(Interval.HOUR_1, _interval_from, value, f"intervals[{index}]")
        for index, value in enumerate(values)
    ]


def on_longest(run: RunRequest, intervals: Sequence[Interval]) -> RunRequest:
    """Return the run on the longest of the intervals, at whose candles the window of a sweep is cut."""
    if not intervals:
        return run
    return replace(run, interval=max(intervals, key=lambda interval: interval.seconds))


def _interval_from(value: int, field: str) -> Interval:
    if not value:
        raise InvalidInput.of(field, "must be an interval")
    try:
        return interval_from(value)
    except InvalidInput as error:
        raise InvalidInput.of(field, error.violations[0].reason) from None


def search_from(request: pb.SweepBacktestsRequest | SweepPortfoliosRequest, most: int = MAX_SAMPLE) -> Search:
    """Return the search of a request that has one; raise InvalidInput where it cannot be.

    `most` is the greatest number of combinations.
    """
    message = request.search
    names = names_of(SearchMethodValue.DESCRIPTOR)
    if message.method and message.method not in names:
        reason = f"must be one of {', '.join(names.values())}, not {message.method}"
        raise InvalidInput.of("search.method", reason)
    method = SearchMethod(message.method) if message.method else SearchMethod.RANDOM
    search = Search(method, message.combination_count, message.seed)
    folds = request.fold_count if request.HasField("fold_count") else None
    if violations := search.violations(folds, most):
        raise InvalidInput(*violations)
    return search


def search_to(search: Search) -> SweepSearch:
    """Return the message of a search."""
    method = SearchMethodValue.ValueType(search.method.value)
    return SweepSearch(method=method, combination_count=search.count, seed=search.seed)


def sweep_started(plan: SweepPlan, run_id: str) -> pb.SweepStarted:
    """Return the sweep as it was understood, every default filled in."""
    asked = plan.request
    run = run_request_to(plan.run, run_id)
    request = pb.SweepBacktestsRequest(
        symbols=run.symbols,
        spec=run.spec,
        ranges=ranges_to(asked.grid.names, asked.grid.values),
        execution_ranges=execution_ranges_to(asked.grid.settings),
        intervals=map(interval_to, asked.grid.intervals),
        cache_mode=run.cache_mode,
        metric=metric_to(plan.metric),
        best_trial_count=plan.best_trial_count,
        min_trades=plan.min_trades,
        run_id=run.run_id,
    )
    if asked.split is not None:
        request.split = asked.split
    if asked.fold_count is not None:
        request.fold_count = asked.fold_count
        # Without folds there are no curves.
        request.curve_points = plan.curve_points
    if asked.search:
        request.search.CopyFrom(search_to(asked.search))
    # The run's is one of the combinations.
    request.spec.strategy.CopyFrom(strategy_to(asked.grid.base))
    return pb.SweepStarted(
        request=request,
        combination_count=len(plan.possible),
        skipped_combination_count=0 if asked.search else asked.grid.size - len(plan.possible),
        trial_count=plan.trials,
        backtest_count=plan.backtests,
        run_id=run_id,
        left_out=left_out_to(plan.run),
        cryptos_with_later_candles=plan.run.with_later_candles,
    )
