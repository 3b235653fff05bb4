"""Converts the options of a sweep to a request."""

from backcast.gateway.v1 import backtest_service_pb2 as pb
from services.cli.options.execution import fraction
from services.cli.options.names import option_of
from services.cli.options.parameter_ranges import is_range, parameter_range
from services.cli.options.run_options import CandleOptions, ExecutionOptions, RunOptions, StrategyOptions
from services.cli.options.run_request import run_request
from services.cli.views.metric_cells import metric_number
from services.domain.errors import InvalidInput


def sweep_request(
    strategy: str,
    parameters: list[str],
    candles: CandleOptions,
    execution: ExecutionOptions,
    *,
    metric: str,
    top: int,
    split: str | None,
    folds: int | None,
    min_trades: int | None = None,
    options: RunOptions,
) -> pb.SweepBacktestsRequest:
    """Return the request; raise InvalidInput, naming the option, if one cannot be parsed."""
    if strategy == "rules":
        raise InvalidInput.of("strategy", "rules have no parameters that can be swept")
    fixed = [one for one in parameters if not is_range(one)]
    swept = [one for one in parameters if is_range(one)]
    names = [one.partition("=")[0] for one in swept + fixed]
    for place, name in enumerate(names):
        if name in names[:place]:
            raise InvalidInput.of(f"--param {name}", "is given twice")
    run = run_request(StrategyOptions(strategy, fixed), candles, execution, options=options)
    if split is not None and folds is not None:
        raise InvalidInput.of("--folds", "cannot be combined with --split")
    request = pb.SweepBacktestsRequest(
        symbols=run.symbols,
        exclude=run.exclude,
        spec=run.spec,
        ranges=[parameter_range(one, run.spec.strategy) for one in swept],
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
    if split is not None:
        try:
            request.split = fraction(split)
        except ValueError:
            raise InvalidInput.of("--split", f"{split!r} is not a fraction like 0.7 or 70%") from None
    return request
