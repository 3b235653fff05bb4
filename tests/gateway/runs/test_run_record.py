"""The metrics of runs, also of a run that was paused and resumed."""

from prometheus_client import REGISTRY

from services.gateway.runs.record import RunRecord, record_run


def count(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, {"method": "RunBacktests", **labels}) or 0.0


def counts() -> list[float]:
    return [
        *(count("backcast_results_total", source=source) for source in ("cache", "computed", "shared")),
        count("backcast_result_failures_total"),
        count("backcast_runs_total", outcome="paused"),
        count("backcast_runs_total", outcome="completed"),
        count("backcast_run_phase_seconds_count", phase="total"),
    ]


def test_a_run_that_was_paused_and_resumed_counts_once() -> None:
    before = counts()
    record = RunRecord("run-1", "RunBacktests", "ann", "rsi", "paused", total=10, phases_s={"total": 0.1})
    record.completed, record.from_cache, record.shared, record.failed = 5, 2, 1, 0
    record_run(record)
    assert [now - then for now, then in zip(counts(), before, strict=True)] == [1, 3, 1, 0, 1, 0, 0]
    record.outcome, record.completed, record.failed = "completed", 9, 1
    record_run(record)
    assert [now - then for now, then in zip(counts(), before, strict=True)] == [1, 7, 1, 1, 1, 1, 1]
