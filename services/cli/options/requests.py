"""Converts the options of runs and sweeps to requests."""

from dataclasses import replace
from datetime import UTC, datetime

from backcast.backtest.v1 import result_pb2
from backcast.backtest.v1.backtest_spec_pb2 import BacktestSpec
from backcast.gateway.v1 import backtest_service_pb2 as pb
from backcast.gateway.v1.portfolio_sweep_pb2 import SweepPortfoliosRequest
from backcast.gateway.v1.sweep_pb2 import SEARCH_METHOD_RANDOM, SEARCH_METHOD_TPE
from backcast.marketdata.v1 import interval_pb2
from backcast_engine.errors import InvalidInput
from backcast_engine.interval import Interval
from services.cli.options.execution import execution_message, fraction
from services.cli.options.execution_ranges import swept_execution
from services.cli.options.names import option_of
from services.cli.options.parameter_ranges import is_range, parameter_range
from services.cli.options.run_options import (
    CandleOptions,
    ExecutionOptions,
    RunOptions,
    SearchOptions,
    StrategyOptions,
)
from services.cli.options.strategy import strategy_message
from services.cli.views.metric_cells import metric_number
from services.wire.candles import interval_to


def run_request(
    strategy: StrategyOptions,
    candles: CandleOptions,
    execution: ExecutionOptions,
    *,
    detail: str = "metrics",
    curve_points: int = 0,
    options: RunOptions | None = None,
) -> pb.RunBacktestsRequest:
    """Return the request; raise InvalidInput, naming the option, if one cannot be parsed."""
    options = options or RunOptions()
    request = pb.RunBacktestsRequest(
        symbols=[] if candles.symbols == "all" else candles.symbols.split(","),
        exclude=candles.exclude.split(",") if candles.exclude else [],
        spec=BacktestSpec(
            strategy=strategy_message(strategy.strategy, strategy.param or [], strategy.entry, strategy.exit),
            interval=interval_to(parse_interval(candles.interval)),
            execution=execution_message(execution),
        ),
        detail=result_pb2.Detail.Value(f"DETAIL_{detail.upper()}"),
        cache_mode=pb.CacheMode.Value(f"CACHE_MODE_{options.cache.upper()}"),
        run_id=options.run_id,
    )
    try:
        request.curve_points = curve_points
    except ValueError:
        raise InvalidInput.of("--curve-points", f"{curve_points} is out of range") from None
    for field, text in (("start", candles.start), ("end", candles.end)):
        if text is not None:
            time = parse_time(text, f"--{field}")
            try:
                getattr(request.spec, f"{field}_time").FromDatetime(time)
            except (OverflowError, ValueError):
                raise InvalidInput.of(f"--{field}", "is not in the years 1 to 9999, UTC") from None
    return request


def parse_interval(text: str) -> Interval:
    """Parse the name of an interval, such as 4h."""
    try:
        return Interval(text)
    except ValueError:
        choices = ", ".join(interval.value for interval in Interval)
        raise InvalidInput.of("--interval", f"{text!r} is not one of {choices}") from None


def parse_time(text: str, option: str) -> datetime:
    """Parse an ISO 8601 time, which is UTC if it names no zone; raise InvalidInput, naming the option."""
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise InvalidInput.of(
            option, f"{text!r} is not a time like 2025-01-31 or 2025-01-31T12:00:00+00:00"
        ) from None
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def sweep_request(
    strategy: StrategyOptions,
    candles: CandleOptions,
    execution: ExecutionOptions,
    *,
    metric: str,
    top: int,
    split: str | None,
    folds: int | None,
    min_trades: int | None = None,
    search: SearchOptions | None = None,
    options: RunOptions,
) -> pb.SweepBacktestsRequest:
    """Return the request; raise InvalidInput, naming the option, if one cannot be parsed."""
    # The parameters of rules are placeholders: one with a single value is a range of one.
    is_rules, parameters = strategy.strategy == "rules", strategy.param or []
    fixed = [one for one in parameters if not is_rules and not is_range(one)]
    swept = [one for one in parameters if is_rules or is_range(one)]
    names = [one.partition("=")[0] for one in swept + fixed]
    for place, name in enumerate(names):
        if name in names[:place]:
            raise InvalidInput.of(f"--param {name}", "is given twice")
    fixed_execution, execution_ranges = swept_execution(execution)
    candles, intervals = swept_intervals(candles)
    run = run_request(replace(strategy, param=fixed), candles, ExecutionOptions(), options=options)
    run.spec.execution.CopyFrom(fixed_execution)
    if split is not None and folds is not None:
        raise InvalidInput.of("--folds", "cannot be combined with --split")
    request = pb.SweepBacktestsRequest(
        symbols=run.symbols,
        exclude=run.exclude,
        spec=run.spec,
        ranges=[parameter_range(one, run.spec.strategy) for one in swept],
        execution_ranges=execution_ranges,
        intervals=intervals,
        cache_mode=run.cache_mode,
        run_id=run.run_id,
        metric=metric_number(metric, "--metric"),
    )
    counts = {"best_trial_count": top, "fold_count": folds, "min_trades": min_trades}
    for field, value in counts.items():
        if value is not None:
            try:
                setattr(request, field, value)
            except ValueError:
                raise InvalidInput.of(option_of(field, request), "is out of range") from None
    set_search(request, search or SearchOptions())
    if split is not None:
        try:
            request.split = fraction(split)
        except ValueError:
            raise InvalidInput.of("--split", f"{split!r} is not a fraction like 0.7 or 70%") from None
    return request


def swept_intervals(candles: CandleOptions) -> tuple[CandleOptions, list[interval_pb2.Interval.ValueType]]:
    """Return options with one interval, and all of them where there are several; raise InvalidInput."""
    names = [name.strip() for name in candles.interval.split(",")]
    several = [interval_to(parse_interval(name)) for name in names] if len(names) > 1 else []
    return replace(candles, interval=names[-1]), several


def set_search(request: pb.SweepBacktestsRequest | SweepPortfoliosRequest, search: SearchOptions) -> None:
    """Set the search of a sweep, where the options name one; raise InvalidInput, naming the option."""
    if search.random is not None and search.optimize is not None:
        raise InvalidInput.of("--optimize", "cannot be combined with --random")
    count = search.optimize if search.random is None else search.random
    if count is None:
        if search.seed is not None:
            raise InvalidInput.of("--seed", "needs --random or --optimize")
        return
    request.search.method = SEARCH_METHOD_TPE if search.random is None else SEARCH_METHOD_RANDOM
    for field, value in (("combination_count", count), ("seed", search.seed or 0)):
        try:
            setattr(request.search, field, value)
        except ValueError:
            raise InvalidInput.of(option_of(f"search.{field}", request), "is out of range") from None
