"""However the streams of a run break off, the Python client's log has each result once."""

from typing import Any

import pytest
from google.rpc import code_pb2, status_pb2

from backcast import wire
from backcast.backtest.v1.result_pb2 import DETAIL_EQUITY, BacktestResult, EquityCurve
from backcast.errors import BusyError, ConnectionFailedError, NotFoundError, RefusedError
from backcast.gateway.v1 import backtest_service_pb2 as pb
from backcast.gateway.v1.run_service_pb2 import WatchRunRequest
from backcast.run_log import Recovery, RunLog
from services.wire.result_parts import result_parts

EVENT = wire.message_class("backcast.gateway.v1.RunBacktestsResponse")


def received(log: RunLog, *events: pb.RunBacktestsResponse) -> RunLog:
    for event in events:
        log.add(EVENT.FromString(event.SerializeToString()))
    return log


def started(crypto_count: int = 2, run_id: str = "nightly") -> pb.RunBacktestsResponse:
    event = pb.RunBacktestsResponse(sequence=1)
    event.started.crypto_count, event.started.run_id = crypto_count, run_id
    event.started.request.symbols.extend(["AUSDT", "BUSDT"])
    return event


def result(symbol: str, sequence: int, total_return: float = 0.1) -> pb.RunBacktestsResponse:
    event = pb.RunBacktestsResponse(sequence=sequence)
    event.result.symbol = symbol
    event.result.metrics.total_return = total_return
    return event


def failure(symbol: str, sequence: int) -> pb.RunBacktestsResponse:
    event = pb.RunBacktestsResponse(sequence=sequence)
    event.failure.symbol = symbol
    event.failure.status.CopyFrom(status_pb2.Status(code=code_pb2.FAILED_PRECONDITION, message="too short"))
    return event


@pytest.fixture
def log() -> RunLog:
    return RunLog(pb.RunBacktestsRequest(run_id="nightly"), "numpy")


def test_a_run_is_resumed_after_the_last_event(log: RunLog) -> None:
    received(log, started(), result("AUSDT", 2))
    asked = log.next_request()
    assert isinstance(asked, WatchRunRequest)
    assert (asked.run_id, asked.after_sequence) == ("nightly", 2)


def test_a_run_that_begins_anew_repeats_no_event(log: RunLog) -> None:
    received(log, started(), result("AUSDT", 2))
    log.begin_anew(keep_name=True)
    asked = log.next_request()
    assert isinstance(asked, pb.RunBacktestsRequest)
    assert asked.symbols == ["AUSDT", "BUSDT"]
    received(log, started(), result("BUSDT", 2), result("AUSDT", 3, total_return=0.5))
    assert [one.symbol for one in log.results] == ["AUSDT", "BUSDT"]
    # The summary that follows is of the new result.
    assert log.results[0].metrics.total_return == 0.5


def test_progress_does_not_go_back_when_a_run_begins_anew(log: RunLog) -> None:
    received(log, started(), result("AUSDT", 2))
    log.begin_anew(keep_name=True)
    received(log, started())
    assert (log.progress.done, log.progress.total) == (1, 2)


def test_a_result_in_parts_is_joined_across_streams(log: RunLog) -> None:
    curve = EquityCurve(open_time_s=range(100_000), equity=[1.5] * 100_000, drawdown=[0.5] * 100_000)
    parts = [*result_parts(BacktestResult(symbol="AUSDT", equity_curve=curve))]
    assert len(parts) > 2
    log.request.detail = DETAIL_EQUITY
    received(log, started())
    log.request.detail = DETAIL_EQUITY
    for number, part in enumerate(parts):
        event = pb.RunBacktestsResponse(sequence=number + 2, result_continues=number + 1 < len(parts))
        (event.result if number == 0 else event.result_continuation).CopyFrom(part)
        received(log, event)
        assert len(log.results) == (number + 1 == len(parts))
        asked = log.next_request()
        assert isinstance(asked, WatchRunRequest)
        assert asked.after_sequence == number + 2
    times, equity, _ = log.results[0].curve()
    assert (times == range(100_000)).all()
    assert len(equity) == 100_000


def test_parts_of_a_stream_before_are_forgotten_when_a_run_begins_anew(log: RunLog) -> None:
    begun = result("AUSDT", 2)
    begun.result_continues = True
    received(log, started(), begun)
    log.begin_anew(keep_name=True)
    received(log, started(), result("AUSDT", 2))
    assert [one.symbol for one in log.results] == ["AUSDT"]


def test_a_crypto_that_failed_and_has_a_result_after_all_counts_once(log: RunLog) -> None:
    received(log, started(), failure("AUSDT", 2))
    log.begin_anew(keep_name=True)
    received(log, started(), result("AUSDT", 2))
    assert (log.progress.completed, log.progress.failed) == (1, 0)


def test_a_crypto_that_failed_raises_its_error(log: RunLog) -> None:
    received(log, started(), failure("AUSDT", 2))
    with pytest.raises(RefusedError, match="too short"):
        log.result("AUSDT")


def test_a_run_that_never_started_is_not_asked_for_again(log: RunLog) -> None:
    with pytest.raises(ConnectionFailedError):
        Recovery(log, 30).pause_after(None, ConnectionFailedError("no server"))


def test_a_forgotten_run_begins_anew_at_once(log: RunLog) -> None:
    received(log, started())
    assert Recovery(log, 30).pause_after(None, NotFoundError("gone", reason="RUN_NOT_FOUND")) == 0
    assert isinstance(log.next_request(), pb.RunBacktestsRequest)
    assert log.request.run_id == "nightly" or not log.request.run_id


def test_a_busy_server_is_asked_again_when_it_says(log: RunLog) -> None:
    received(log, started())
    assert Recovery(log, 30).pause_after(None, BusyError("busy", 3.0, reason="TOO_MANY_RUNS")) == 3.0


def test_a_run_log_stops_reconnecting_when_its_patience_ends(log: RunLog) -> None:
    received(log, started())
    recovery = Recovery(log, 0.0)
    with pytest.raises(ConnectionFailedError):
        recovery.pause_after(None, ConnectionFailedError("lost"))


def frame_of(log: RunLog, name: str) -> Any:
    return getattr(log, name)()


def test_frames_of_no_results_are_empty(log: RunLog) -> None:
    received(log, started(0), pb.RunBacktestsResponse(summary={}, sequence=2))
    for name in ("metrics", "trades", "equity", "failure_frame"):
        assert {len(column) for column in frame_of(log, name).values()} == {0}


def test_an_undefined_metric_is_nan_and_not_zero(log: RunLog) -> None:
    received(log, started(), result("BUSDT", 2, 0.0), result("AUSDT", 3))
    frame = log.metrics()
    assert frame["symbol"].tolist() == ["AUSDT", "BUSDT"]
    assert frame["total_return"].tolist() == [0.1, 0.0]
    assert frame["sharpe_ratio"].tolist() != frame["sharpe_ratio"].tolist()
