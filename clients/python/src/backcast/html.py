"""Runs and sweeps as HTML, for notebooks."""

from html import escape
from typing import Any

from backcast.metric_tables import STYLE, metrics_table
from backcast.result import Metrics, metrics_of
from backcast.run_log import Progress, RunLog
from backcast.sweep_log import SweepLog

_MOST_ROWS = 20
_STATISTICS = {
    "mean": "mean",
    "quantile_05": "5 %",
    "quantile_25": "25 %",
    "median": "median",
    "quantile_75": "75 %",
    "quantile_95": "95 %",
}


def run_html(log: RunLog) -> str:
    """Return a run: its progress, the summary where it is complete, and its best results so far."""
    parts = [STYLE, _progress(f"Run {log.run_id}", log.progress, "cryptos")]
    if log.is_complete:
        rows = [(label, _statistic(log.summary, name)) for name, label in _STATISTICS.items()]
        parts.append(metrics_table("over the cryptos", "statistic", rows))
    ranked = sorted(log.results, key=lambda result: -(result.metrics.total_return or 0.0))
    shown = [(result.symbol, result.metrics) for result in ranked[:_MOST_ROWS]]
    of_all = f"best {len(shown)} of {len(ranked)} results" if len(ranked) > len(shown) else "results"
    parts.append(metrics_table(of_all, "crypto", shown))
    if log.failures:
        first = "".join(
            f"<li>{escape(symbol)}: {escape(status.message)}</li>"
            for symbol, status in sorted(log.failures.items())[:_MOST_ROWS]
        )
        parts.append(f"<p>{len(log.failures)} failed:</p><ul>{first}</ul>")
    return f'<div class="backcast">{"".join(parts)}</div>'


def sweep_html(log: SweepLog) -> str:
    """Return a sweep: its progress, and its best trials so far."""
    trials = [
        (f"{trial.symbol} · {_parameters(trial, log)}", metrics_of(trial.train))
        for trial in log.best_so_far[:_MOST_ROWS]
    ]
    table = metrics_table("best trials", "trial", trials)
    progress = _progress(f"Sweep {log.run_id}", log.progress, "backtests")
    return f'<div class="backcast">{STYLE}{progress}{table}</div>'


def _statistic(summary: Any, name: str) -> Metrics:
    return metrics_of(getattr(summary if name in ("mean", "median") else summary.spread, name))


def _parameters(trial: Any, log: SweepLog) -> str:
    values = log.values.of(trial.value_indexes)
    return ", ".join(
        f"{name} {value if isinstance(value, str) else format(value, 'g')}" for name, value in values.items()
    )


def _progress(name: str, progress: Progress, what: str) -> str:
    text = f"{escape(name)}: {progress.done:,} of {progress.total:,} {what}"
    if progress.from_cache:
        text += f", {progress.from_cache:,} from the cache"
    if progress.failed:
        text += f", {progress.failed:,} failed"
    return f'<div>{text}<br><progress max="{progress.total or 1}" value="{progress.done}"></progress></div>'
