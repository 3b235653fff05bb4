"""Converts requests for sweeps over portfolios to PortfolioSweepRequest, and plans back to requests."""

from collections.abc import Callable, Sequence
from typing import Any

from backcast.backtest.v1.portfolio_pb2 import PortfolioSpec, WeightedStrategy
from backcast.backtest.v1.sweep_pb2 import ParameterRange
from backcast.gateway.v1 import portfolio_sweep_pb2 as pb
from backcast_engine import Window
from backcast_engine.errors import InvalidInput, Violation, Violations
from backcast_engine.sweep import ParameterValues
from backcast_engine.sweep.grid import MAX_SEARCHED
from services.gateway.messages.portfolios import read_portfolio
from services.gateway.messages.runs import left_out_to, read_run_request, run_request_to
from services.gateway.messages.sweeps import on_longest, read_intervals, search_from, search_to
from services.gateway.planning.portfolio_grid import (
    MAX_COMBINATIONS,
    OWN_SETTINGS,
    OwnValues,
    PortfolioGrid,
    make_portfolio_grid,
)
from services.gateway.planning.portfolio_sweep_plan import (
    PortfolioSweepPlan,
    PortfolioSweepRequest,
)
from services.wire.backtests import metric_from, metric_to
from services.wire.candles import interval_to
from services.wire.expressions import expression_to, read_expression
from services.wire.portfolios import portfolio_spec_to, rebalancing_from, size_from
from services.wire.sweeps import execution_ranges_to, ranges_to, read_execution_ranges, read_ranges


def portfolio_sweep_request_from(request: pb.SweepPortfoliosRequest) -> PortfolioSweepRequest:
    """Return what a client asks for; raise InvalidInput, naming every bad field, for what makes no sense."""
    violations = Violations()
    intervals = read_intervals(request.intervals, violations)
    run = on_longest(read_run_request(request, violations), intervals)
    base = read_portfolio(request.spec, run, violations)
    ranges = _read_ranges(request.ranges, request.spec.strategies, violations)
    settings = read_execution_ranges(request.execution_ranges, violations)
    own = [
        _read_own(message, f"portfolio_ranges[{index}]", violations)
        for index, message in enumerate(request.portfolio_ranges)
    ]
    metric = violations.read("", metric_from, request.metric)
    search, most = None, MAX_COMBINATIONS
    if request.HasField("search"):
        search, most = violations.read(None, search_from, request, MAX_COMBINATIONS), MAX_SEARCHED
    grid = violations.read(None, make_portfolio_grid, base, ranges, settings, own, intervals, most)
    asked = PortfolioSweepRequest(
        grid=grid or PortfolioGrid(base, (), (), (), (), (), tuple(intervals)),
        split=request.split if request.HasField("split") else None,
        metric=metric,
        best_count=request.best_count,
        min_trades=request.min_trades if request.HasField("min_trades") else None,
        search=search,
        fold_count=request.fold_count if request.HasField("fold_count") else None,
        curve_points=request.curve_points if request.HasField("curve_points") else None,
    )
    violations.add(*asked.violations())
    violations.raise_if_any()
    return asked


def _read_ranges(
    messages: Sequence[ParameterRange], strategies: Sequence[WeightedStrategy], violations: Violations
) -> list[ParameterValues]:
    """Return ranges of parameters; choices are named as in the first strategy that has the parameter."""
    found = []
    for index, message in enumerate(messages):
        having = [each.strategy for each in strategies if _has(each, message.name)]
        strategy = having[0] if having else WeightedStrategy().strategy
        faults = Violations()
        found += read_ranges([message], strategy, faults)
        try:
            faults.raise_if_any()
        except InvalidInput as error:
            for each in error.violations:
                field = f"ranges[{index}]" + each.field.removeprefix("ranges[0]")
                violations.add(Violation(field, each.reason))
    return found


def _has(weighted: WeightedStrategy, name: str) -> bool:
    kind = weighted.strategy.WhichOneof("kind")
    return kind is not None and name in getattr(weighted.strategy, kind).DESCRIPTOR.fields_by_name


def _read_own(message: pb.PortfolioRange, field: str, violations: Violations) -> OwnValues:
    """Return the values of a setting of portfolios; one without the setting is None."""
    values = []
    for place, value in enumerate(message.values):
        path = f"{field}.values[{place}]"
        others = [each.name for each, _ in value.ListFields() if each.name != message.name]
        if others and message.name in OWN_SETTINGS:
            reason = f"is a value of {message.name}, and {' and '.join(others)} cannot be set in it"
            violations.add(Violation(path, reason))
        values.append(_own_value(message.name, value, path, violations))
    return OwnValues(message.name, tuple(values))


def _own_value(name: str, value: PortfolioSpec, path: str, violations: Violations) -> Any:
    if name == "rank" and value.HasField("rank"):
        return read_expression(value.rank, f"{path}.rank", violations)
    if name == "size":
        try:
            return size_from(value.size)
        except InvalidInput as error:
            violations.add(Violation(f"{path}.size", error.violations[0].reason))
    read: dict[str, Callable[[PortfolioSpec], Any]] = {
        "max_positions": lambda spec: spec.max_positions if spec.HasField("max_positions") else None,
        "rebalancing": rebalancing_from,
    }
    return read[name](value) if name in read else None


def portfolio_sweep_started(plan: PortfolioSweepPlan, run_id: str) -> pb.PortfolioSweepStarted:
    """Return the sweep as it was understood, every default filled in."""
    asked, grid, run = plan.request, plan.request.grid, run_request_to(plan.run, run_id)
    symbols = [crypto.symbol for crypto in plan.cryptos]
    window = plan.run.backtest.window
    request = pb.SweepPortfoliosRequest(
        symbols=symbols,
        spec=portfolio_spec_to(grid.base.portfolio(symbols, Window(window.start_s, window.end_s))),
        ranges=ranges_to(grid.names, grid.values),
        execution_ranges=execution_ranges_to(grid.settings),
        intervals=map(interval_to, grid.intervals),
        portfolio_ranges=map(_own_to, grid.own),
        cache_mode=run.cache_mode,
        metric=metric_to(plan.metric),
        best_count=plan.best_count,
        min_trades=plan.min_trades,
        run_id=run_id,
    )
    if grid.base.size is None and any(one.name == "size" for one in grid.settings):
        # Each combination has the default that its execution gives.
        request.spec.ClearField("size")
    if asked.split is not None:
        request.split = asked.split
    if asked.fold_count is not None:
        request.fold_count = asked.fold_count
        # Without folds there is no curve.
        request.curve_points = plan.curve_points
    if asked.search:
        request.search.CopyFrom(search_to(asked.search))
    return pb.PortfolioSweepStarted(
        request=request,
        combination_count=len(plan.possible),
        skipped_combination_count=0 if asked.search else grid.size - len(plan.possible),
        crypto_count=len(plan.cryptos),
        portfolio_count=plan.portfolios,
        run_id=run_id,
        left_out=left_out_to(plan.run),
        cryptos_with_later_candles=plan.run.with_later_candles,
    )


def _own_to(own: OwnValues) -> pb.PortfolioRange:
    return pb.PortfolioRange(name=own.name, values=[_own_spec(own.name, value) for value in own.values])


def _own_spec(name: str, value: Any) -> PortfolioSpec:
    if value is None:
        return PortfolioSpec()
    if name == "rank":
        return PortfolioSpec(rank=expression_to(value))
    if name == "rebalancing":
        spec = PortfolioSpec()
        spec.rebalancing.every, spec.rebalancing.threshold = value.every, value.threshold
        return spec
    return PortfolioSpec(**{name: value})
