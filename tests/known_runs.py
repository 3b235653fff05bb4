"""The runs that a gateway knows: all of them, however many other tests have started."""

from typing import TYPE_CHECKING

from backcast.gateway.v1 import run_service_pb2

if TYPE_CHECKING:
    from backcast.gateway.v1.run_service_pb2_grpc import RunServiceAsyncStub

# The most that the gateway gives at once.
PAGE_SIZE = 10_000


async def known_runs(runs: "RunServiceAsyncStub") -> list[run_service_pb2.Run]:
    """Return all runs, ordered by start time; a page of the usual size may lack the newest."""
    listed = await runs.ListRuns(run_service_pb2.ListRunsRequest(page_size=PAGE_SIZE))
    assert not listed.next_page_token
    return list(listed.runs)


async def known_run(runs: "RunServiceAsyncStub", run_id: str) -> run_service_pb2.Run:
    """Return the run with this id."""
    (found,) = (each for each in await known_runs(runs) if each.run_id == run_id)
    return found
