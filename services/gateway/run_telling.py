"""Tells of a run that ended: one line of the log, and the metrics."""

import structlog

from services.gateway.gateway_metrics import FAILURES, REFUSED, RESULTS, RUN_PHASE, RUNS
from services.gateway.run_report import RunReport

_log = structlog.get_logger()


def tell(report: RunReport) -> None:
    """Tell of the run that `report` is about, once, at its end."""
    method = report.method
    RUNS.labels(method, report.outcome).inc()
    computed = report.completed - report.from_cache - report.shared
    for source, count in (("cache", report.from_cache), ("computed", computed), ("shared", report.shared)):
        RESULTS.labels(method, source).inc(count)
    FAILURES.labels(method).inc(report.failed)
    for phase, seconds in report.phases_s.items():
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


def tell_refused(limit: str) -> None:
    """Tell of a request that was refused for the setting `limit` (max_runs, …)."""
    REFUSED.labels(limit).inc()
    _log.info("refused", limit=limit)
