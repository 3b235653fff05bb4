"""The gateway's metrics: what its runs came to."""

from collections.abc import Callable

from prometheus_client import Counter, Gauge, Histogram

from services.telemetry.metrics import SECONDS

RUNS = Counter(
    "backcast_runs_total",
    "Runs, sweeps and single backtests by their end: completed, cancelled, paused, or what they failed of.",
    ["method", "outcome"],
)
RUN_PHASE = Histogram(
    "backcast_run_phase_seconds",
    "Phases of runs: plan and cache (how long), first_result and total (since the request's arrival).",
    ["method", "phase"],
    buckets=SECONDS,
)
RESULTS = Counter(
    "backcast_results_total",
    "Results of backtests, by source: cache, computed, or shared with another run that wanted the same.",
    ["method", "source"],
)
FAILURES = Counter("backcast_result_failures_total", "Backtests of runs that have no result.", ["method"])
RUNS_IN_PROGRESS = Gauge("backcast_runs_in_progress", "Runs under way, sweeps included.")
BACKTESTS_IN_PROGRESS = Gauge("backcast_backtests_in_progress", "Backtests that runs under way count for.")

# What there is from the beginning on: the first increase of a series that appears with it is not seen.
for _method in ("RunBacktests", "RunBacktest", "SweepBacktests"):
    FAILURES.labels(_method)
    for _outcome in ("completed", "cancelled", "paused"):
        RUNS.labels(_method, _outcome)
    for _source in ("cache", "computed", "shared"):
        RESULTS.labels(_method, _source)
    for _phase in ("plan", "cache", "first_result", "total"):
        RUN_PHASE.labels(_method, _phase)


def watch_runs(runs: Callable[[], int], backtests: Callable[[], int]) -> None:
    """Show how many runs are under way, and their backtests, as these tell from any thread."""
    RUNS_IN_PROGRESS.set_function(runs)
    BACKTESTS_IN_PROGRESS.set_function(backtests)
