"""Converts outcomes to responses: results of backtests, and blocks of series."""

from collections.abc import Iterable, Iterator

from backcast.backtest.v1.series_pb2 import SeriesBlock
from backcast.compute.v1 import compute_service_pb2 as pb
from backcast.compute.v1.computed_result_pb2 import ComputedResult
from backcast_engine import WindowSeries
from backcast_engine.errors import BackcastError
from services.compute.tasks.runner import TaskOutcome
from services.rpc.status import status_of
from services.wire.raw_fields import RawField

# Of results and failures in one response, or of the columns of series, so that it stays below 1 MiB.
_MOST_BYTES = 1_000_000

_RESULT = RawField(pb.ComputeBacktestsResponse, "results")
_FAILURE = RawField(pb.ComputeBacktestsResponse, "failures")


def result_responses(outcomes: Iterable[TaskOutcome]) -> Iterator[pb.ComputeBacktestsResponse]:
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


def _fields(outcome: TaskOutcome) -> list[bytes]:
    """Return the serialized fields of an outcome: one, or one for each part of a long result."""
    data, result = outcome.data, outcome.result
    if isinstance(result, BackcastError):
        failure = pb.ComputeFailure(symbol=data.symbol, status=status_of(result))
        return [_FAILURE.of(failure.SerializeToString())]
    others = {other.symbol: other.fingerprint for other in outcome.others}
    whose = ComputedResult(
        symbol=data.symbol, fingerprint=data.fingerprint, other_fingerprints=others
    ).SerializeToString()
    return [_RESULT.of(whose + part) for part in result]


def _response(fields: list[bytes]) -> pb.ComputeBacktestsResponse:
    return pb.ComputeBacktestsResponse.FromString(b"".join(fields))


def series_responses(outcome: TaskOutcome, skipped: int) -> Iterator[pb.ComputeSeriesResponse]:
    """Yield the blocks of an outcome without its first `skipped` candles, at least one, or its failure."""
    result: WindowSeries | BackcastError = outcome.result
    if isinstance(result, BackcastError):
        yield pb.ComputeSeriesResponse(failure=status_of(result), is_last=True)
        return
    count = len(result.open_time_s)
    in_block = _MOST_BYTES // (8 * (1 + len(result.values)))
    for start in range(skipped, max(count, skipped + 1), in_block):
        end = start + in_block
        yield pb.ComputeSeriesResponse(
            block=SeriesBlock(
                open_time_s=result.open_time_s[start:end].astype("<i8").tobytes(),
                values=[row[start:end].astype("<f8").tobytes() for row in result.values],
            ),
            fingerprint=" ".join(each.fingerprint for each in (outcome.data, *outcome.others)),
            is_last=end >= count,
        )
