"""The events of a run for one client, which says how many results may share an event."""

from collections.abc import AsyncGenerator
from contextlib import aclosing

from backcast.gateway.v1.backtest_service_pb2 import RunBacktestsResponse
from backcast.gateway.v1.run_events_pb2 import RunResults
from services.domain.errors import BackcastError
from services.gateway.runs.run import Run

# The results of one event have at most so many bytes, so that the event is shorter than 1 MiB.
_MOST_BYTES = 1_000_000


async def run_stream(
    run: Run, results_per_event: int, after: int = 0
) -> AsyncGenerator[RunBacktestsResponse]:
    """Yield the events of a run after the number `after`, with at most `results_per_event` results in each.

    A run has one event for each result, and every stream groups them for itself: therefore a run can be
    resumed after any event of any stream. Results that are in the log already share an event; the stream does
    not wait for further ones. Raises what Run.watch raises.
    """
    group: list[RunBacktestsResponse] = []
    group_bytes = 0
    async with aclosing(run.watch(after)) as events:
        try:
            async for serialized in events:
                event = RunBacktestsResponse.FromString(serialized)
                if not _may_share(event):
                    if group:
                        yield _shared_event(group)
                        group, group_bytes = [], 0
                    yield event
                    continue
                if group and group_bytes + len(serialized) > _MOST_BYTES:
                    yield _shared_event(group)
                    group, group_bytes = [], 0
                group.append(event)
                group_bytes += len(serialized)
                # If the log has another event, that one comes without waiting.
                if len(group) == results_per_event or event.sequence == run.last_sequence:
                    yield _shared_event(group)
                    group, group_bytes = [], 0
        except BackcastError:
            # A run that was paused meanwhile may fail to go on: the client gets the results before the error.
            if group:
                yield _shared_event(group)
            raise


def _may_share(event: RunBacktestsResponse) -> bool:
    """Return whether an event is a whole result, and not the first one, which comes alone."""
    return event.HasField("result") and not event.result_continues and event.progress.completed > 1


def _shared_event(group: list[RunBacktestsResponse]) -> RunBacktestsResponse:
    last = group[-1]
    if len(group) == 1:
        return last
    return RunBacktestsResponse(
        results=RunResults(results=[event.result for event in group]),
        progress=last.progress,
        sequence=last.sequence,
    )
