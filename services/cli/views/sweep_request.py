"""The request of a sweep, over runs or over portfolios, in words."""

import math
from collections.abc import Iterator

from backcast.backtest.v1.portfolio_pb2 import PortfolioSpec
from backcast.backtest.v1.strategy_pb2 import Strategy
from backcast.gateway.v1 import sweep_pb2
from backcast.gateway.v1.backtest_service_pb2 import SweepBacktestsRequest, SweepStarted
from backcast.gateway.v1.portfolio_sweep_pb2 import PortfolioSweepStarted, SweepPortfoliosRequest
from services.cli.views.portfolio import places_words
from services.cli.views.request import execution_words, interval_of, percent, strategy_words, window_words
from services.cli.views.sweep_values import Dimension, dimensions_of, fixed_execution
from services.domain.counted import counted

_MOST_VALUES = 6


def started_words(started: SweepStarted) -> str:
    """Return the parameters of a sweep over runs, in a few lines."""
    request = started.request
    return (
        f"{_fixed_words(request)}{_swept_words(request)}\n"
        f"{_combination_words(started)} × {counted(len(request.symbols), 'crypto')}, "
        f"{_interval_words(request)}candles {window_words(request.spec)}{_cut_words(request)}\n"
        f"{execution_words(fixed_execution(request))}"
    )


def portfolios_words(started: PortfolioSweepStarted) -> str:
    """Return the parameters of a sweep over portfolios, in a few lines."""
    return "\n".join(_portfolio_lines(started))


def _portfolio_lines(started: PortfolioSweepStarted) -> Iterator[str]:
    request, spec = started.request, PortfolioSpec()
    spec.CopyFrom(request.spec)
    # What has several values is named with these.
    swept = {one.name for one in request.portfolio_ranges} | {one.name for one in request.execution_ranges}
    for name in swept & set(PortfolioSpec.DESCRIPTOR.fields_by_name):
        spec.ClearField(name)  # type: ignore[arg-type]  # a field's name
    for each in spec.strategies:
        kind = getattr(each.strategy, each.strategy.WhichOneof("kind") or "")
        for one in request.ranges:
            if one.name in kind.DESCRIPTOR.fields_by_name:
                kind.ClearField(one.name)
        weight = f"{percent(each.weight)} " if len(spec.strategies) > 1 else ""
        yield weight + strategy_words(each.strategy).rstrip()
    yield _swept_words(request)
    yield (
        f"{_combination_words(started)}, each one account of {counted(started.crypto_count, 'crypto')}, "
        f"{_interval_words(request)}candles {window_words(spec)}{_cut_words(request)}"
    )
    if places := places_words(spec):
        yield places
    yield execution_words(fixed_execution(request))


def _swept_words(request: SweepBacktestsRequest | SweepPortfoliosRequest) -> str:
    return f"sweeping {'; '.join(map(_range_words, dimensions_of(request)))}"


def _interval_words(request: SweepBacktestsRequest | SweepPortfoliosRequest) -> str:
    """Return the length of the candles and a space; empty where there are several."""
    return "" if request.intervals else f"{interval_of(request.spec).value} "


def _range_words(one: Dimension) -> str:
    """Return a dimension with its values, at most some of them."""
    values = one.values
    shown = values if len(values) <= _MOST_VALUES else [*values[:2], "…", values[-1]]
    return f"{one.name} {', '.join(shown)}"


def _fixed_words(request: SweepBacktestsRequest) -> str:
    """Return the strategy with its fixed parameters."""
    strategy = Strategy()
    strategy.CopyFrom(request.spec.strategy)
    if strategy.HasField("rules"):
        return f"{strategy_words(strategy)}\n"
    kind = getattr(strategy, strategy.WhichOneof("kind") or "")
    for one in request.ranges:
        kind.ClearField(one.name)
    return f"{strategy_words(strategy).rstrip()}, "


def _combination_words(started: SweepStarted | PortfolioSweepStarted) -> str:
    """Return how many combinations there are, and how a search chooses them."""
    at_most = "at most " if _is_optimized_by_fold(started) else ""
    skipped = ""
    if count := started.skipped_combination_count:
        skipped = f" ({count:,} more {'conflicts' if count == 1 else 'conflict'})"
    return f"{at_most}{counted(started.combination_count, 'combination')}{skipped}{_search_words(started)}"


def _search_words(started: SweepStarted | PortfolioSweepStarted) -> str:
    """Return how a search chooses combinations, in parentheses; empty where all are computed."""
    request = started.request
    if not request.HasField("search"):
        return ""
    every, seed = math.prod(len(one.values) for one in dimensions_of(request)), request.search.seed
    if _is_optimized_by_fold(started):
        count = request.search.combination_count
        return f" of {every:,} (for each fold, TPE proposes {count:,}, seed {seed})"
    how = "proposed by TPE" if request.search.method == sweep_pb2.SEARCH_METHOD_TPE else "at random"
    return f" of {every:,} ({how}, seed {seed})"


def _is_optimized_by_fold(started: SweepStarted | PortfolioSweepStarted) -> bool:
    """Return whether folds have optimizers of their own, which may propose the same combinations."""
    request = started.request
    is_optimized = request.search.method == sweep_pb2.SEARCH_METHOD_TPE
    return is_optimized and started.combination_count > request.search.combination_count


def _cut_words(request: SweepBacktestsRequest | SweepPortfoliosRequest) -> str:
    match request.WhichOneof("cut"):
        case "split":
            return f", the first {percent(request.split)} to rank by, the rest to test"
        case "fold_count":
            return f", a walk-forward of {counted(request.fold_count, 'fold')}"
    return ""
