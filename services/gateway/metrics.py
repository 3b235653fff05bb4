"""The gateway's metrics of its runs and their results."""

from collections.abc import Callable

from prometheus_client import Counter, Gauge, Histogram

from services.telemetry.metrics import SECONDS

RUNS = Counter(
    "backcast_runs_total",
    "Runs, sweeps, portfolios and single backtests by outcome: completed, cancelled, paused, or the error of "
    "a failure.",
    ["method", "outcome"],
)
RUN_PHASE = Histogram(
    "backcast_run_phase_seconds",
    "Seconds of phases of runs: plan and cache; first_result and total since the request's arrival.",
    ["method", "phase"],
    buckets=SECONDS,
)
RESULTS = Counter(
    "backcast_results_total",
    "Results of backtests by source: cache, computed, or shared (computed for another run at the same time).",
    ["method", "source"],
)
FAILURES = Counter("backcast_result_failures_total", "Backtests of runs that failed.", ["method"])
RUNS_IN_PROGRESS = Gauge("backcast_runs_in_progress", "Runs and sweeps under way.")
BACKTESTS_IN_PROGRESS = Gauge("backcast_backtests_in_progress", "Backtests of the runs under way.")

# Series exist from the start: a rate does not see the first increase of a series that appears with it.
for _method in (
    "RunBacktests",
    "RunBacktest",
    "SweepBacktests",
    "StreamSeries",
    "RunPortfolio",
    "SweepPortfolios",
):
    FAILURES.labels(_method)
    for _outcome in ("completed", "cancelled", "paused"):
        RUNS.labels(_method, _outcome)
    for _source in ("cache", "computed", "shared"):
        RESULTS.labels(_method, _source)
    for _phase in ("plan", "cache", "first_result", "total"):
        RUN_PHASE.labels(_method, _phase)


def watch_runs(runs: Callable[[], int], backtests: Callable[[], int]) -> None:
    """Export how many runs and backtests are under way; both are called from any thread."""
    RUNS_IN_PROGRESS.set_function(runs)
    BACKTESTS_IN_PROGRESS.set_function(backtests)
