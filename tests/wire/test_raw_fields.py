"""Fields that are serialized already make the message that they would make if they were not."""

import pytest

from backcast.backtest.v1.result_pb2 import BacktestResult
from backcast.gateway.v1.backtest_service_pb2 import RunBacktestsResponse
from backcast.gateway.v1.run_events_pb2 import RunResults
from services.wire.raw_fields import RawField


@pytest.mark.parametrize("length", [0, 1, 100, 127, 128, 16_383, 16_384, 2**21, 2**21 + 1])
def test_a_field_is_the_message_whatever_its_length(length: int) -> None:
    result = BacktestResult(data_fingerprint="x" * length)
    field = RawField(RunBacktestsResponse, "result").of(result.SerializeToString())
    assert field == RunBacktestsResponse(result=result).SerializeToString()
    event = RunBacktestsResponse(sequence=7).SerializeToString() + field
    assert RunBacktestsResponse.FromString(event) == RunBacktestsResponse(sequence=7, result=result)


def test_elements_of_a_list_keep_their_order() -> None:
    each = RawField(RunResults, "results")
    results = [BacktestResult(symbol=symbol) for symbol in "ABC"]
    raw = b"".join(each.of(result.SerializeToString()) for result in results)
    assert list(RunResults.FromString(raw).results) == results
