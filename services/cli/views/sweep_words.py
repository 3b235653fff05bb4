"""The parameters of a sweep, and the verdict on its winner, in words."""

import math

from backcast.backtest.v1.execution_pb2 import Execution
from backcast.backtest.v1.result_pb2 import Metrics
from backcast.backtest.v1.strategy_pb2 import Strategy
from backcast.gateway.v1 import sweep_pb2
from backcast.gateway.v1.backtest_service_pb2 import SweepBacktestsRequest, SweepStarted
from backcast_engine.interval import Interval
from services.cli.views.metric_cells import cell, heading_of
from services.cli.views.request import execution_words, percent, strategy_words
from services.cli.views.result_tables import sparkline
from services.cli.views.sweep_tables import OUT_OF_SAMPLE
from services.cli.views.sweep_values import Dimension, dimensions_of
from services.domain.counted import counted

_MOST_VALUES = 6
_SIZES = ("equity_fraction", "quote_amount", "volatility_target")
# Deflated Sharpe ratio from which on a winner counts as more than selection bias.
_MORE_THAN_BIAS = 0.95
# Probabilities of overfitting.
_CHANCE, _LOW = 0.5, 0.05


def started_words(started: SweepStarted) -> str:
    """Return the parameters of a sweep, in a few lines."""
    request = started.request
    interval = "" if request.intervals else f"{tuple(Interval)[request.spec.interval - 1].value} "
    start, end = (
        time.ToDatetime().strftime("%Y-%m-%d %H:%M").removesuffix(" 00:00")
        for time in (request.spec.start_time, request.spec.end_time)
    )
    skipped = ""
    if count := started.skipped_combination_count:
        skipped = f" ({count:,} more {'conflicts' if count == 1 else 'conflict'})"
    at_most = "at most " if _is_optimized_by_fold(started) else ""
    return (
        f"{_fixed_words(request)}sweeping {'; '.join(map(range_words, dimensions_of(request)))}\n"
        f"{at_most}{counted(started.combination_count, 'combination')}{skipped}{_search_words(started)} × "
        f"{counted(len(request.symbols), 'crypto')}, "
        f"{interval}candles from {start} to {end} (UTC){_cut_words(request)}\n"
        f"{execution_words(_fixed_execution(request))}"
    )


def selection_bias_words(summary: sweep_pb2.SweepSummary, metric: str) -> str:
    """Return the verdict on the winner, chosen by `metric`: its Sharpe ratio against selection bias."""
    return bias_words(summary.selection_bias, summary.winner.train, metric)


def bias_words(bias: sweep_pb2.SelectionBias, winner: Metrics, metric: str) -> str:
    """Return the verdict on a winner of these metrics, chosen by `metric`."""
    by = "" if metric == "sharpe_ratio" else f"by {heading_of(metric)} "
    trials = counted(bias.trial_count, "trial")
    if not (bias.HasField("expected_maximum_sharpe_ratio") and winner.HasField("sharpe_ratio")):
        return f"the winner was chosen {by}from {trials}: too few to estimate the selection bias"
    lines = [
        f"the winner was chosen {by}from {trials}: its Sharpe ratio is "
        f"[bold]{winner.sharpe_ratio:z.2f}[/bold]",
        "without any skill, the best of so many is expected to have "
        f"[bold]{bias.expected_maximum_sharpe_ratio:z.2f}[/bold]",
    ]
    if bias.HasField("deflated_sharpe_ratio"):
        lines.append(_deflated_words(bias.deflated_sharpe_ratio))
    return "\n".join(lines)


def _deflated_words(probability: float) -> str:
    """Return a deflated Sharpe ratio with its meaning."""
    colour, verdict = (
        ("green", "0.95 or above: hardly selection bias alone")
        if probability >= _MORE_THAN_BIAS
        else ("red", f"below {_MORE_THAN_BIAS}: perhaps selection bias alone")
    )
    return f"deflated Sharpe ratio [{colour}]{probability:.3f}[/{colour}] ({verdict})"


def walk_forward_words(summary: sweep_pb2.SweepSummary, width: int) -> list[str]:
    """Return the out-of-sample outcome of a walk-forward, in lines."""
    walk = summary.walk_forward
    if not walk.HasField("out_of_sample"):
        return ["[yellow]no curve out of sample: nothing was chosen, or computed[/yellow]"]
    metrics = walk.out_of_sample.metrics
    figures = ", ".join(f"{heading_of(name)} {cell(metrics, name)}" for name in OUT_OF_SAMPLE)
    lines = [
        f"[bold]out of sample[/bold], all cryptos with equal weights:\n{figures}",
        sparkline(width, "their equity", list(walk.out_of_sample.equity_curve.equity)),
    ]
    if walk.HasField("deflated_sharpe_ratio"):
        lines.append(_deflated_words(walk.deflated_sharpe_ratio))
    return lines


def overfitting_words(overfitting: sweep_pb2.Overfitting) -> str:
    """Return the probability of overfitting with its meaning."""
    probability = overfitting.probability
    colour, verdict = "yellow", "better than the 0.5 of chance, but not low"
    if probability >= _CHANCE:
        colour, verdict = "red", "no better than the 0.5 of chance"
    elif probability <= _LOW:
        colour, verdict = "green", "low: chance is 0.5"
    return (
        f"probability of overfitting [{colour}]{probability:.3f}[/{colour}] ({verdict}):\n"
        f"in this share of {overfitting.split_count:,} splits of the time into halves, the best of\n"
        f"{overfitting.combination_count:,} combinations in one half was not above the median in the other"
    )


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


def _fixed_execution(request: SweepBacktestsRequest) -> Execution:
    """Return the execution without stops and size that have ranges, which are printed with their values."""
    execution = Execution()
    execution.CopyFrom(request.spec.execution)
    for one in request.execution_ranges:
        for name in _SIZES if one.name == "size" else (one.name,):
            execution.ClearField(name)  # type: ignore[arg-type]  # a field's name
    return execution


def _search_words(started: SweepStarted) -> str:
    """Return how a search chooses combinations, in parentheses; empty where all are backtested."""
    request = started.request
    if not request.HasField("search"):
        return ""
    every, seed = math.prod(len(one.values) for one in dimensions_of(request)), request.search.seed
    if _is_optimized_by_fold(started):
        count = request.search.combination_count
        return f" of {every:,} (for each fold, TPE proposes {count:,}, seed {seed})"
    how = "proposed by TPE" if request.search.method == sweep_pb2.SEARCH_METHOD_TPE else "at random"
    return f" of {every:,} ({how}, seed {seed})"


def _is_optimized_by_fold(started: SweepStarted) -> bool:
    """Return whether folds have optimizers of their own, which may propose the same combinations."""
    request = started.request
    is_optimized = request.search.method == sweep_pb2.SEARCH_METHOD_TPE
    return is_optimized and started.combination_count > request.search.combination_count


def range_words(one: Dimension) -> str:
    """Return a dimension with its values, at most some of them."""
    values = one.values
    shown = values if len(values) <= _MOST_VALUES else [*values[:2], "…", values[-1]]
    return f"{one.name} {', '.join(shown)}"


def _cut_words(request: SweepBacktestsRequest) -> str:
    match request.WhichOneof("cut"):
        case "split":
            return f", the first {percent(request.split)} to rank by, the rest to test"
        case "fold_count":
            return f", a walk-forward of {counted(request.fold_count, 'fold')}"
    return ""
