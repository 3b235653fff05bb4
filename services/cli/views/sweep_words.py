"""The verdict on the winner of a sweep, in words."""

from backcast.backtest.v1.result_pb2 import Metrics
from backcast.gateway.v1 import sweep_pb2
from services.cli.views.metric_cells import cell, heading_of
from services.cli.views.result_tables import sparkline
from services.cli.views.sweep_tables import OUT_OF_SAMPLE
from services.domain.counted import counted

# Deflated Sharpe ratio from which on a winner counts as more than selection bias.
_MORE_THAN_BIAS = 0.95
# Probabilities of overfitting.
_CHANCE, _LOW = 0.5, 0.05


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


def walk_forward_words(
    walk: sweep_pb2.WalkForward, width: int, of: str = "all cryptos with equal weights"
) -> list[str]:
    """Return the out-of-sample outcome of a walk-forward, in lines; `of` says whose curve it is."""
    if not walk.HasField("out_of_sample"):
        return ["[yellow]no curve out of sample: nothing was chosen, or computed[/yellow]"]
    metrics = walk.out_of_sample.metrics
    figures = ", ".join(f"{heading_of(name)} {cell(metrics, name)}" for name in OUT_OF_SAMPLE)
    lines = [
        f"[bold]out of sample[/bold], {of}:\n{figures}",
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
