"""Converts the outcomes of backtests to responses."""

from collections.abc import Iterable, Iterator

from backcast.compute.v1 import compute_service_pb2 as pb
from backcast.compute.v1.computed_result_pb2 import ComputedResult
from services.compute.candles.location import DataVersion
from services.compute.tasks.runner import Outcome
from services.domain.errors import BackcastError
from services.rpc.status import status_of

# Of results and failures in one response, so that it stays below 1 MiB.
_MOST_BYTES = 1_000_000


def result_responses(outcomes: Iterable[Outcome]) -> Iterator[pb.ComputeBacktestsResponse]:
    """Yield the responses of outcomes of `computed_result`, each shorter than 1 MiB."""
    response, size = pb.ComputeBacktestsResponse(), 0
    for outcome in outcomes:
        beginning, added = _added(outcome)
        added_bytes = added.ByteSize()
        if size and (beginning or size + added_bytes > _MOST_BYTES):
            yield response
            response, size = pb.ComputeBacktestsResponse(), 0
        yield from beginning
        response.MergeFrom(added)
        size += added_bytes
    if size:
        yield response


def _added(outcome: Outcome) -> tuple[list[pb.ComputeBacktestsResponse], pb.ComputeBacktestsResponse]:
    """Return responses with the first parts of a long result, and what the response after them gets."""
    if isinstance(outcome.result, BackcastError):
        failure = pb.ComputeFailure(symbol=outcome.data.symbol, status=status_of(outcome.result))
        return [], pb.ComputeBacktestsResponse(failures=[failure])
    *beginning, last = [
        pb.ComputeBacktestsResponse(results=[_result(outcome.data, part)]) for part in outcome.result
    ]
    for response in beginning:
        response.result_continues = True
    return beginning, last


def _result(data: DataVersion, part: bytes) -> ComputedResult:
    result = ComputedResult(symbol=data.symbol, fingerprint=data.fingerprint)
    result.MergeFromString(part)
    return result
