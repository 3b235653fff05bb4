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
        if isinstance(outcome.result, BackcastError):
            failure = pb.ComputeFailure(symbol=outcome.data.symbol, status=status_of(outcome.result))
            response.failures.append(failure)
            size += failure.ByteSize()
            continue
        *beginning, last = outcome.result
        if size and (beginning or size + len(last) > _MOST_BYTES):
            yield response
            response, size = pb.ComputeBacktestsResponse(), 0
        for part in beginning:
            yield pb.ComputeBacktestsResponse(results=[_result(outcome.data, part)], result_continues=True)
        response.results.append(_result(outcome.data, last))
        size += len(last)
    if size:
        yield response


def _result(data: DataVersion, part: bytes) -> ComputedResult:
    result = ComputedResult(symbol=data.symbol, fingerprint=data.fingerprint)
    result.MergeFromString(part)
    return result
