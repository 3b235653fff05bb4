"""Results that share an event are shown as if each had come in an event of its own."""

from backcast.backtest.v1.result_pb2 import BacktestResult
from backcast.gateway.v1.backtest_service_pb2 import RunBacktestsResponse, RunStarted
from backcast.gateway.v1.run_events_pb2 import Progress, RunResults
from services.cli.client.event_stream import results_alone

RESULTS = [BacktestResult(symbol=symbol, from_cache=symbol in "AC") for symbol in "ABC"]
# Two results and a failure came before.
ALONE = [
    RunBacktestsResponse(
        result=result,
        sequence=5 + number,
        progress=Progress(completed=3 + number, failed=1, from_cache=from_cache, total=9),
    )
    for number, (result, from_cache) in enumerate(zip(RESULTS, (2, 2, 3), strict=True))
]


def test_each_has_the_number_and_the_progress_of_an_event_of_its_own() -> None:
    shared = RunBacktestsResponse(
        results=RunResults(results=RESULTS), sequence=7, progress=ALONE[-1].progress
    )
    assert list(results_alone(shared)) == ALONE


def test_other_events_stay_as_they_are() -> None:
    for event in (ALONE[0], RunBacktestsResponse(started=RunStarted(run_id="one"), sequence=1)):
        (same,) = results_alone(event)
        assert same is event
