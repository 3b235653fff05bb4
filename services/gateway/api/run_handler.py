"""The handler of backcast.gateway.v1.RunService: parses requests, and answers from the registry of runs."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

import grpc
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from backcast.gateway.v1 import run_service_pb2 as pb
from backcast.gateway.v1 import run_service_pb2_grpc
from backcast_engine.errors import ErrorReason, InvalidInput, Refused, Violation, Violations
from services.gateway.api.run_stream import run_stream
from services.gateway.auth.clients import current_client
from services.gateway.messages.runs import results_per_event_from
from services.gateway.runs.registry import RunRegistry
from services.gateway.runs.run import Run
from services.rpc.version import VERSION_METADATA
from services.telemetry.run_id import current_run_id
from services.wire.paging import page_of
from services.wire.raw_fields import RawField

if TYPE_CHECKING:
    # Generic in its stubs only.
    _Context = grpc.aio.ServicerContext[Any, Any]

SERVICE_NAME = pb.DESCRIPTOR.services_by_name["RunService"].full_name
# The field of a run's events, by the method that started it.
_EVENTS = {
    "RunBacktests": RawField(pb.WatchRunResponse, "event"),
    "RunPortfolio": RawField(pb.WatchRunResponse, "portfolio_event"),
}


class RunHandler(run_service_pb2_grpc.RunServiceServicer):
    """Lists, cancels and watches runs."""

    def __init__(self, registry: RunRegistry) -> None:
        self._registry = registry

    def add_to(self, server: grpc.aio.Server) -> None:
        """Have a server call it."""
        run_service_pb2_grpc.add_RunServiceServicer_to_server(self, server)
        # A run's log has its events serialized: this replaces the generated handler, which serializes.
        watch: grpc.RpcMethodHandler[Any, Any] = grpc.unary_stream_rpc_method_handler(
            self.WatchRun, pb.WatchRunRequest.FromString
        )
        server.add_registered_method_handlers(SERVICE_NAME, {"WatchRun": watch})

    async def ListRuns(  # noqa: N802  # the RPC's name
        self, request: pb.ListRunsRequest, context: object
    ) -> pb.ListRunsResponse:
        """List the runs that the client may see."""
        runs, next_page_token = page_of(self._registry.all(current_client.get()), request, _place)
        return pb.ListRunsResponse(runs=map(_info, runs), next_page_token=next_page_token)

    async def CancelRun(  # noqa: N802  # the RPC's name
        self, request: pb.CancelRunRequest, context: object
    ) -> pb.CancelRunResponse:
        """Cancel a run."""
        run = self._run(request.run_id)
        await run.cancel()
        return pb.CancelRunResponse(run=_info(run))

    async def WatchRun(  # type: ignore[override]  # noqa: N802  # serialized; the RPC's name
        self, request: pb.WatchRunRequest, context: "_Context"
    ) -> AsyncGenerator[bytes]:
        """Stream the events of a run after one of them."""
        violations = Violations()
        run = violations.read(None, self._run, request.run_id)
        # How many events there are depends on the run.
        if request.after_sequence < 0 or (run and request.after_sequence > run.last_sequence):
            of_run = f"to {run.last_sequence:,}, the events that the run has had" if run else "on"
            violations.add(Violation("after_sequence", f"must be from 0 {of_run}"))
        per_event = violations.read(1, results_per_event_from, request.max_results_per_event)
        violations.raise_if_any()
        assert run
        if not run.resumes:
            raise Refused(
                f"{run.record.method} cannot be watched: start it again",
                reason=ErrorReason.RUN_NOT_WATCHABLE,
            )
        await context.send_initial_metadata((VERSION_METADATA,))
        async with aclosing(run_stream(run, per_event, request.after_sequence)) as events:
            async for event in events:
                yield _EVENTS[run.record.method].of(event)

    def _run(self, run_id: str) -> Run:
        if not run_id:
            raise InvalidInput.of("run_id", "is needed")
        run = self._registry.get(run_id, current_client.get())
        current_run_id.set(run_id)
        return run


def _place(run: Run) -> str:
    """Return the position of a run in a list: runs are ordered by start time, oldest first."""
    return f"{int(run.started_s * 1e9):020} {run.client.name} {run.record.run_id}"


def _info(run: Run) -> pb.Run:
    record = run.record
    started, elapsed = Timestamp(), Duration()
    started.FromNanoseconds(int(run.started_s * 1e9))
    elapsed.FromNanoseconds(int(run.elapsed_s * 1e9))
    return pb.Run(
        run_id=record.run_id,
        method=record.method,
        client=record.client,
        state=pb.RunState.Value(f"RUN_STATE_{run.state.name}"),
        strategy=record.strategy,
        start_time=started,
        elapsed=elapsed,
        done_backtest_count=record.completed + record.failed,
        backtest_count=record.total,
        watcher_count=run.watchers,
    )
