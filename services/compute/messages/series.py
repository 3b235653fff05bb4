"""Converts series to messages, in blocks of candles."""

from collections.abc import Iterator

from backcast.backtest.v1.series_pb2 import SeriesBlock
from backcast.compute.v1 import compute_service_pb2 as pb
from services.compute.tasks.runner import Outcome
from services.domain.errors import BackcastError
from services.engine import WindowSeries
from services.rpc.status import status_of

# Of the columns in one block, so that the message stays below 1 MiB.
_MOST_BYTES = 1_000_000


def series_responses(outcome: Outcome, skipped: int) -> Iterator[pb.ComputeSeriesResponse]:
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
            fingerprint=outcome.data.fingerprint,
            is_last=end >= count,
        )
