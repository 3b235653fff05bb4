"""The events of a run for one client, which says how many results may share an event.

Events are serialized messages (RunBacktestsResponse), as the run's log has them: most pass as they are.
"""

from collections.abc import AsyncGenerator
from contextlib import aclosing

from backcast.gateway.v1.backtest_service_pb2 import RunBacktestsResponse
from backcast.gateway.v1.run_events_pb2 import RunResults
from backcast_engine.errors import BackcastError
from services.gateway.runs.event_log import LoggedEvent
from services.gateway.runs.run import Run
from services.wire.raw_fields import RawField

# The results of one event have at most so many bytes, so that the event is shorter than 1 MiB.
_MOST_BYTES = 1_000_000

_RESULTS = RawField(RunBacktestsResponse, "results")
_EACH = RawField(RunResults, "results")


async def run_stream(run: Run, results_per_event: int, after: int = 0) -> AsyncGenerator[bytes]:
    """Yield the events of a run after the number `after`, with at most `results_per_event` results in each.

    A run has one event for each result, and every stream groups them for itself: therefore a run can be
    resumed after any event of any stream. Results that are in the log already share an event; the stream does
    not wait for further ones. Raises what Run.watch raises.
    """
    number = after
    group: list[LoggedEvent] = []
    group_bytes = 0
    async with aclosing(run.watch(after)) as events:
        try:
            async for event in events:
                number += 1
                is_shared = results_per_event > 1 and bool(event.result)
                if group and (not is_shared or group_bytes + event.size > _MOST_BYTES):
                    yield _shared_event(group)
                    group, group_bytes = [], 0
                if not is_shared:
                    yield event.serialized
                    continue
                group.append(event)
                group_bytes += event.size
                # If the log has another event, that one comes without waiting.
                if len(group) == results_per_event or number == run.last_sequence:
                    yield _shared_event(group)
                    group, group_bytes = [], 0
        except BackcastError:
            # A run that was paused meanwhile may fail to go on: the client gets the results before the error.
            if group:
                yield _shared_event(group)
            raise


def _shared_event(group: list[LoggedEvent]) -> bytes:
    """Return the event of several results; its number and its progress are those of the last one."""
    last = group[-1]
    if len(group) == 1:
        return last.serialized
    return last.rest + _RESULTS.of(b"".join(_EACH.of(event.result) for event in group))
