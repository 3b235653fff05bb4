"""Tells of a run that ended: one line of the log, and the metrics."""

from collections import Counter

import structlog

from services.gateway.metrics import FAILURES, RESULTS, RUN_PHASE, RUNS
from services.gateway.runs.run_report import RunReport

_log = structlog.get_logger()


def tell(report: RunReport) -> None:
    """Tell of a run that ended or was paused; a paused one that goes on is told again."""
    method = report.method
    RUNS.labels(method, report.outcome).inc()
    counts = Counter(
        cache=report.from_cache - report.shared,
        computed=report.completed - report.from_cache,
        shared=report.shared,
        failed=report.failed,
    )
    for source, count in (counts - report.told).items():
        if source == "failed":
            FAILURES.labels(method).inc(count)
        else:
            RESULTS.labels(method, source).inc(count)
    report.told = counts
    for phase, seconds in report.phases_s.items() if report.outcome != "paused" else ():
        RUN_PHASE.labels(method, phase).observe(seconds)
    _log.info(
        "run",
        run_id=report.run_id,
        method=method,
        client=report.client,
        strategy=report.strategy,
        outcome=report.outcome,
        total=report.total,
        completed=report.completed,
        failed=report.failed,
        from_cache=report.from_cache,
        shared=report.shared,
        **{f"{phase}_s": round(seconds, 4) for phase, seconds in report.phases_s.items()},
    )
