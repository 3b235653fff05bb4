"""Results and failures share responses, and a result that is too long for one takes several of its own."""

from google.rpc.code_pb2 import NOT_FOUND

from backcast.backtest.v1.result_pb2 import BacktestResult
from backcast.compute.v1.computed_result_pb2 import ComputedResult
from backcast_engine.errors import BackcastError, NotFound
from services.compute.candles.location import DataVersion
from services.compute.messages.responses import result_responses
from services.compute.tasks.runner import TaskOutcome
from services.wire.result_parts import joined_parts, result_parts
from tests.wire.test_result_parts import long_result

MIB = 2**20


def outcome(symbol: str, result: BacktestResult | BackcastError) -> TaskOutcome:
    """Return an outcome as a worker makes it."""
    data = DataVersion(symbol, f"of {symbol}")
    if isinstance(result, BackcastError):
        return TaskOutcome(data, None, result)
    computed = [ComputedResult(parts=[part.SerializeToString()]) for part in result_parts(result)]
    computed[0].metrics = b"figures"
    return TaskOutcome(data, None, [each.SerializeToString() for each in computed])


def test_results_and_failures_share_a_response() -> None:
    short = long_result(trades=2)
    outcomes = [outcome("A", short), outcome("B", NotFound("none")), outcome("C", short)]
    (response,) = result_responses(outcomes)
    assert [(result.symbol, result.fingerprint) for result in response.results] == [
        ("A", "of A"),
        ("C", "of C"),
    ]
    assert [joined_parts(result.parts) for result in response.results] == [short, short]
    assert [(failure.symbol, failure.status.code) for failure in response.failures] == [("B", NOT_FOUND)]


def test_responses_are_shorter_than_a_mebibyte() -> None:
    # Some 300 kB each.
    outcomes = [outcome(str(number), long_result(trades=2_500)) for number in range(10)]
    responses = list(result_responses(outcomes))
    assert max(response.ByteSize() for response in responses) < MIB
    assert [result.symbol for response in responses for result in response.results] == list("0123456789")
    assert len(responses) < 5
    assert not any(response.result_continues for response in responses)


def test_failures_take_room_in_a_response_too() -> None:
    outcomes = [outcome(str(number), NotFound("none " * 1_000)) for number in range(300)]
    responses = list(result_responses(outcomes))
    assert max(response.ByteSize() for response in responses) < MIB
    assert [int(each.symbol) for response in responses for each in response.failures] == list(range(300))


def test_a_long_result_comes_in_parts_that_follow_each_other() -> None:
    long, short = long_result(trades=20_000), long_result(trades=2)
    responses = list(result_responses([outcome("A", short), outcome("B", long), outcome("C", short)]))
    assert max(response.ByteSize() for response in responses) < MIB
    assert [(each.results[0].symbol, each.result_continues) for each in responses] == [
        ("A", False),
        ("B", True),
        ("B", True),
        ("B", False),
    ]
    assert [result.symbol for result in responses[-1].results] == ["B", "C"]
    whole = ComputedResult()
    for response in responses[1:]:
        whole.MergeFrom(response.results[0])
    assert (whole.symbol, whole.fingerprint, whole.metrics) == ("B", "of B", b"figures")
    assert joined_parts(whole.parts) == long


def test_nothing_is_sent_of_nothing() -> None:
    assert list(result_responses([])) == []
