"""What is checked before a run has its id."""

import pytest

from backcast.gateway.v1 import backtest_service_pb2 as pb
from backcast_engine.errors import InvalidInput
from services.gateway.messages.runs import check_run_id, run_request_from


@pytest.mark.parametrize("bad", ["a b", "x" * 65, "ä", "a\n"])
def test_a_bad_run_id_is_named_with_all_else_that_the_request_has_wrong(bad: str) -> None:
    request = pb.RunBacktestsRequest(run_id=bad, curve_points=3)
    with pytest.raises(InvalidInput) as caught:
        check_run_id(request, run_request_from)
    assert [violation.field for violation in caught.value.violations] == [
        *("run_id", "spec.strategy", "curve_points")
    ]


@pytest.mark.parametrize("good", ["", "x" * 64, "A-z_0.9"])
def test_a_request_with_a_good_run_id_is_not_read(good: str) -> None:
    def read(request: pb.RunBacktestsRequest) -> None:
        raise AssertionError(request)

    check_run_id(pb.RunBacktestsRequest(run_id=good), read)
