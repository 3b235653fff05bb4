"""A run's events for one client: how many results share an event is the client's to say."""

from collections.abc import AsyncGenerator
from contextlib import aclosing

from backcast.gateway.v1.backtest_service_pb2 import RunBacktestsResponse
from backcast.gateway.v1.run_events_pb2 import RunResults
from services.gateway.runs.live_run import LiveRun

# Of the results in one event, so that it stays below 1 MiB.
_MOST_BYTES = 1_000_000


async def run_stream(
    run: LiveRun, results_per_event: int, after: int = 0
) -> AsyncGenerator[RunBacktestsResponse]:
    """Yield the events of a run after the number `after`, with at most `results_per_event` results in one.

    The run knows nothing of it: it numbers its results one by one, and each stream groups them for itself. So
    a run can be taken up after any event of any stream. Results that are in the log already share an event;
    nobody waits for more of them. Raises what LiveRun.watch raises.
    """
    group: list[RunBacktestsResponse] = []
    group_bytes = 0
    async with aclosing(run.watch(after)) as events:
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
            # Where there is another event in the log, it comes without waiting.
            if len(group) == results_per_event or event.sequence == run.last_sequence:
                yield _shared_event(group)
                group, group_bytes = [], 0


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
