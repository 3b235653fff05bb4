"""The record of a run, which goes into the log and the metrics when the run ends or is paused."""

from collections import Counter
from dataclasses import dataclass, field

import structlog

from services.gateway.metrics import FAILURES, RESULTS, RUN_PHASE, RUNS

_log = structlog.get_logger()


@dataclass(slots=True)
class RunRecord:
    """What is recorded of one run.

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


def record_run(record: RunRecord) -> None:
    """Record a run that has ended or is paused: one line of the log, and the metrics."""
    method = record.method
    RUNS.labels(method, record.outcome).inc()
    counts = Counter(
        cache=record.from_cache - record.shared,
        computed=record.completed - record.from_cache,
        shared=record.shared,
        failed=record.failed,
    )
    for source, count in (counts - record.recorded).items():
        if source == "failed":
            FAILURES.labels(method).inc(count)
        else:
            RESULTS.labels(method, source).inc(count)
    record.recorded = counts
    for phase, seconds in record.phases_s.items() if record.outcome != "paused" else ():
        RUN_PHASE.labels(method, phase).observe(seconds)
    _log.info(
        "run paused" if record.outcome == "paused" else "run ended",
        run_id=record.run_id,
        method=method,
        client=record.client,
        strategy=record.strategy,
        outcome=record.outcome,
        total=record.total,
        completed=record.completed,
        failed=record.failed,
        from_cache=record.from_cache,
        shared=record.shared,
        **{f"{phase}_s": round(seconds, 4) for phase, seconds in record.phases_s.items()},
    )
