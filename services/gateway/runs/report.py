"""The report of a run, which goes into the log and the metrics when the run ends or is paused."""

from collections import Counter
from dataclasses import dataclass, field

import structlog

from services.gateway.metrics import FAILURES, RESULTS, RUN_PHASE, RUNS

_log = structlog.get_logger()


@dataclass(slots=True)
class RunReport:
    """What is reported of one run.

    `outcome` is `completed`, `cancelled`, `paused` (no client is watching) or, of a run that failed, the name
    of its error in small letters.
    `phases_s` are seconds by phase, in their order: `plan` (finding out what is asked for and which cryptos
    there are), `cache` (reading it), `first_result` and `total`, both from the request's arrival.
    """

    run_id: str
    method: str
    client: str
    strategy: str
    outcome: str = ""
    total: int = 0
    completed: int = 0
    failed: int = 0
    from_cache: int = 0
    shared: int = 0
    """Results from the cache that another run, which wanted the same at the same time, had computed."""
    phases_s: dict[str, float] = field(default_factory=dict)
    recorded: Counter[str] = field(default_factory=Counter)
    """The backtests that the metrics count already: a run that is paused and resumed is recorded twice."""


def record_run(report: RunReport) -> None:
    """Record a run that has ended or is paused: one line of the log, and the metrics."""
    method = report.method
    RUNS.labels(method, report.outcome).inc()
    counts = Counter(
        cache=report.from_cache - report.shared,
        computed=report.completed - report.from_cache,
        shared=report.shared,
        failed=report.failed,
    )
    for source, count in (counts - report.recorded).items():
        if source == "failed":
            FAILURES.labels(method).inc(count)
        else:
            RESULTS.labels(method, source).inc(count)
    report.recorded = counts
    for phase, seconds in report.phases_s.items() if report.outcome != "paused" else ():
        RUN_PHASE.labels(method, phase).observe(seconds)
    _log.info(
        "run paused" if report.outcome == "paused" else "run ended",
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
