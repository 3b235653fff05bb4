"""What the metrics have of runs, also of one that was paused and goes on."""

from prometheus_client import REGISTRY

from services.gateway.runs.record import tell
from services.gateway.runs.run_report import RunReport


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


def test_a_run_that_was_left_and_goes_on_counts_once() -> None:
    before = counts()
    report = RunReport("run-1", "RunBacktests", "ann", "rsi", "paused", total=10, phases_s={"total": 0.1})
    report.completed, report.from_cache, report.shared, report.failed = 5, 2, 1, 0
    tell(report)
    assert [now - then for now, then in zip(counts(), before, strict=True)] == [1, 3, 1, 0, 1, 0, 0]
    report.outcome, report.completed, report.failed = "completed", 9, 1
    tell(report)
    assert [now - then for now, then in zip(counts(), before, strict=True)] == [1, 7, 1, 1, 1, 1, 1]
