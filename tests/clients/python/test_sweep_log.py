"""A sweep whose stream breaks off is asked for again by the Python client, from its start."""

import numpy as np
import pytest

from backcast.errors import AlreadyExistsError, BusyError, ConnectionFailedError, InvalidRequestError
from backcast.gateway.v1 import backtest_service_pb2 as pb
from backcast.strategies import MaCross
from backcast.sweep_events import SweepRecovery
from backcast.sweep_log import SweepLog
from backcast.sweep_request import sweep_request


def started() -> pb.SweepBacktestsResponse:
    event = pb.SweepBacktestsResponse()
    event.started.run_id, event.started.backtest_count = "nightly", 4
    return event


def rows(*kinds: int) -> pb.SweepBacktestsResponse:
    event = pb.SweepBacktestsResponse()
    for number, kind in enumerate(kinds):
        row = event.rows.rows.add(combination=number, crypto_count=2, value_indexes=[kind])
        row.train.median.total_return = 0.5
    return event


@pytest.fixture
def log() -> SweepLog:
    return SweepLog(sweep_request(MaCross(), {"kind": ["sma", "ema"]}), "numpy")


def test_a_table_has_the_names_of_choices(log: SweepLog) -> None:
    log.add(started())
    log.add(rows(0, 1))
    table = log.table()
    assert table["kind"].tolist() == ["SMA", "EMA"]
    assert table["median_total_return"].tolist() == [0.5, 0.5]
    assert np.isnan(table["median_sharpe_ratio"]).all()
    assert "test_median_total_return" not in table


def test_a_sweep_that_begins_anew_has_each_row_once(log: SweepLog) -> None:
    log.add(started())
    log.add(rows(0))
    assert SweepRecovery(log, 30).pause_after(None, ConnectionFailedError("lost")) > 0
    log.add(started())
    log.add(rows(0, 1))
    assert log.table()["combination"].tolist() == [0, 1]


@pytest.mark.parametrize(
    "error", [BusyError("later", 3.0, reason="TOO_MANY_RUNS"), AlreadyExistsError("still there")]
)
def test_what_passes_by_itself_is_waited_for(log: SweepLog, error: BusyError | AlreadyExistsError) -> None:
    log.add(started())
    pause = SweepRecovery(log, 30).pause_after(None, error)
    assert pause >= getattr(error, "retry_after", 0.0)


def test_a_sweep_that_never_began_is_not_asked_for_again(log: SweepLog) -> None:
    for error in (ConnectionFailedError("no server"), InvalidRequestError.of("split", "is wrong")):
        with pytest.raises(type(error)):
            SweepRecovery(log, 30).pause_after(None, error)


def test_a_sweep_log_stops_reconnecting_when_its_patience_ends(log: SweepLog) -> None:
    log.add(started())
    with pytest.raises(ConnectionFailedError):
        SweepRecovery(log, 0.0).pause_after(None, ConnectionFailedError("lost"))
