"""What a sweep was asked for, and what its winner is worth, in words."""

from backcast.backtest.v1.strategy_pb2 import Strategy
from backcast.backtest.v1.sweep_pb2 import ParameterRange
from backcast.gateway.v1 import sweep_pb2
from backcast.gateway.v1.backtest_service_pb2 import SweepBacktestsRequest, SweepStarted
from services.cli.console import counted
from services.cli.metric_cells import cell, heading_of
from services.cli.request_view import execution_words, percent, strategy_words
from services.cli.result_tables import sparkline
from services.cli.sweep_tables import OUT_OF_SAMPLE
from services.shared.interval import Interval

_MOST_VALUES = 6


def started_words(started: SweepStarted) -> str:
    """Return what a sweep will do, in a few lines."""
    request = started.request
    interval = tuple(Interval)[request.interval - 1].value
    start, end = (
        time.ToDatetime().strftime("%Y-%m-%d %H:%M").removesuffix(" 00:00")
        for time in (request.start_time, request.end_time)
    )
    skipped = ""
    if started.skipped:
        skipped = f" ({started.skipped:,} more {'conflicts' if started.skipped == 1 else 'conflict'})"
    return (
        f"{_fixed_words(request)}sweeping {'; '.join(map(_range_words, request.ranges))}\n"
        f"{counted(started.combinations, 'combination')}{skipped} × "
        f"{counted(len(request.symbols), 'crypto')}, "
        f"{interval} candles from {start} to {end} (UTC){_cut_words(request)}\n"
        f"{execution_words(request.execution)}"
    )


def luck_words(summary: sweep_pb2.SweepSummary, metric: str) -> str:
    """Return what the winner is worth, which was chosen by `metric`."""
    luck, winner = summary.luck, summary.winner.train
    by = "" if metric == "sharpe_ratio" else f"by {heading_of(metric)} "
    trials = f"the winner was chosen {by}from {counted(luck.trials, 'trial')}"
    if not (luck.HasField("expected_maximum_sharpe_ratio") and winner.HasField("sharpe_ratio")):
        return f"{trials}: too few to tell luck from skill"
    expected = f"[bold]{luck.expected_maximum_sharpe_ratio:z.2f}[/bold]"
    words = (
        f"{trials}: the best Sharpe ratio of so many without any skill is expected to be {expected}, "
        f"the winner has [bold]{winner.sharpe_ratio:z.2f}[/bold]"
    )
    if luck.HasField("deflated_sharpe_ratio"):
        probability = luck.deflated_sharpe_ratio
        colour = "green" if probability >= 0.95 else "red"
        words += (
            f"\ndeflated Sharpe ratio [{colour}]{probability:.3f}[/{colour}]: the probability that the "
            f"winner's true Sharpe ratio is above {expected}"
        )
    return words


def walk_forward_words(summary: sweep_pb2.SweepSummary, width: int) -> list[str]:
    """Return what the choices of a walk forward's folds brought, in lines."""
    walk = summary.walk_forward
    if not walk.HasField("out_of_sample"):
        return ["[yellow]no curve out of sample: nothing was chosen, or computed[/yellow]"]
    metrics = walk.out_of_sample.metrics
    figures = ", ".join(f"{heading_of(name)} {cell(metrics, name)}" for name in OUT_OF_SAMPLE)
    lines = [
        f"[bold]out of sample[/bold], all cryptos with equal weights: {figures}",
        sparkline(width, "their equity", list(walk.out_of_sample.equity_curve.equity)),
    ]
    if walk.HasField("deflated_sharpe_ratio"):
        probability = walk.deflated_sharpe_ratio
        colour = "green" if probability >= 0.95 else "red"
        lines.append(
            f"deflated Sharpe ratio [{colour}]{probability:.3f}[/{colour}]: the probability that its true "
            "Sharpe ratio is above what the best of the combinations is expected to have without any skill"
        )
    return lines


def overfitting_words(overfitting: sweep_pb2.Overfitting) -> str:
    """Return how likely the choice of the best is overfitted."""
    probability = overfitting.probability
    colour = "red" if probability >= 0.5 else "green" if probability <= 0.05 else "yellow"
    return (
        f"probability of overfitting [{colour}]{probability:.3f}[/{colour}]: in this share of "
        f"{overfitting.splits:,} splits of the time, the best of {overfitting.combinations:,} combinations "
        "in one half was not above the median in the other"
    )


def _fixed_words(request: SweepBacktestsRequest) -> str:
    """Return the strategy with those of its parameters that are not swept."""
    strategy = Strategy()
    strategy.CopyFrom(request.strategy)
    kind = getattr(strategy, strategy.WhichOneof("kind") or "")
    for one in request.ranges:
        kind.ClearField(one.name)
    return f"{strategy_words(strategy).rstrip()}, "


def _range_words(one: ParameterRange) -> str:
    values = [value.string_value or f"{value.number_value:g}" for value in one.values]
    shown = values if len(values) <= _MOST_VALUES else [*values[:2], "…", values[-1]]
    return f"{one.name} {', '.join(shown)}"


def _cut_words(request: SweepBacktestsRequest) -> str:
    match request.WhichOneof("cut"):
        case "split":
            return f", the first {percent(request.split)} to rank by, the rest to test"
        case "folds":
            return f", a walk forward of {counted(request.folds, 'fold')}"
    return ""
