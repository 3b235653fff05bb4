"""Converts the outcomes of backtests to responses."""

from collections.abc import Iterable, Iterator

from backcast.compute.v1 import compute_service_pb2 as pb
from backcast.compute.v1.computed_result_pb2 import ComputedResult
from services.compute.tasks.runner import Outcome
from services.domain.errors import BackcastError
from services.rpc.status import status_of
from services.wire.raw_fields import RawField

# Of results and failures in one response, so that it stays below 1 MiB.
_MOST_BYTES = 1_000_000

_RESULT = RawField(pb.ComputeBacktestsResponse, "results")
_FAILURE = RawField(pb.ComputeBacktestsResponse, "failures")


def result_responses(outcomes: Iterable[Outcome]) -> Iterator[pb.ComputeBacktestsResponse]:
    """Yield the responses of outcomes of `computed_result`, each shorter than 1 MiB."""
    fields: list[bytes] = []
    size = 0
    for outcome in outcomes:
        *beginning, last = _fields(outcome)
        if fields and (beginning or size + len(last) > _MOST_BYTES):
            yield _response(fields)
            fields, size = [], 0
        for part in beginning:
            response = _response([part])
            response.result_continues = True
            yield response
        fields.append(last)
        size += len(last)
    if fields:
        yield _response(fields)


def _fields(outcome: Outcome) -> list[bytes]:
    """Return the serialized fields of an outcome: one, or one for each part of a long result."""
    data, result = outcome.data, outcome.result
    if isinstance(result, BackcastError):
        failure = pb.ComputeFailure(symbol=data.symbol, status=status_of(result))
        return [_FAILURE.of(failure.SerializeToString())]
    whose = ComputedResult(symbol=data.symbol, fingerprint=data.fingerprint).SerializeToString()
    return [_RESULT.of(whose + part) for part in result]


def _response(fields: list[bytes]) -> pb.ComputeBacktestsResponse:
    return pb.ComputeBacktestsResponse.FromString(b"".join(fields))
