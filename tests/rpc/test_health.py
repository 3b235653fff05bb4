"""Health is reported for the whole server and for each service; calls without a handler are UNIMPLEMENTED."""

from collections.abc import AsyncIterator
from functools import partial

import grpc
import pytest
from grpc_health.v1 import health_pb2 as pb
from grpc_health.v1 import health_pb2_grpc
from structlog.testing import capture_logs

from backcast.gateway.v1 import run_service_pb2, run_service_pb2_grpc
from services.rpc.health import HealthServicer
from tests.rpc.serving import channel_to

SERVING, NOT_SERVING = pb.HealthCheckResponse.SERVING, pb.HealthCheckResponse.NOT_SERVING


class OnlyListRuns(run_service_pb2_grpc.RunServiceServicer):
    """Has one method, and one that fails as what is not written does."""

    async def ListRuns(  # noqa: N802
        self, request: run_service_pb2.ListRunsRequest, context: object
    ) -> run_service_pb2.ListRunsResponse:
        raise NotImplementedError


@pytest.fixture
async def servicer() -> HealthServicer:
    return HealthServicer(["one", "other"])


@pytest.fixture
async def channel(servicer: HealthServicer) -> AsyncIterator[grpc.aio.Channel]:
    await servicer.start()
    async with channel_to(
        partial(health_pb2_grpc.add_HealthServicer_to_server, servicer),
        partial(run_service_pb2_grpc.add_RunServiceServicer_to_server, OnlyListRuns()),  # type: ignore[abstract]  # on purpose
    ) as channel:
        yield channel


async def test_the_list_has_every_service_and_the_whole_server(
    channel: grpc.aio.Channel, servicer: HealthServicer
) -> None:
    stub = health_pb2_grpc.HealthStub(channel)
    for state, change in (
        (NOT_SERVING, None),
        (SERVING, servicer.ready),
        (NOT_SERVING, servicer.enter_graceful_shutdown),
    ):
        if change:
            await change()
        listed = (await stub.List(pb.HealthListRequest())).statuses
        assert {name: each.status for name, each in listed.items()} == dict.fromkeys(
            ("", "one", "other"), state
        )


async def test_a_server_that_stops_is_not_made_ready_any_more(
    channel: grpc.aio.Channel, servicer: HealthServicer
) -> None:
    await servicer.enter_graceful_shutdown()
    await servicer.ready()
    answer = await health_pb2_grpc.HealthStub(channel).Check(pb.HealthCheckRequest())
    assert answer.status == NOT_SERVING


async def test_an_unknown_service_is_not_found(channel: grpc.aio.Channel) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await health_pb2_grpc.HealthStub(channel).Check(pb.HealthCheckRequest(service="nobody"))
    assert caught.value.code() is grpc.StatusCode.NOT_FOUND


async def test_a_method_that_nobody_wrote_is_unimplemented_and_not_in_the_log(
    channel: grpc.aio.Channel,
) -> None:
    stub = run_service_pb2_grpc.RunServiceStub(channel)
    with capture_logs() as lines:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stub.CancelRun(run_service_pb2.CancelRunRequest())
        assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            _ = [event async for event in stub.WatchRun(run_service_pb2.WatchRunRequest())]
        assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED
    assert lines == []


async def test_a_bug_of_a_method_that_is_written_stays_internal(channel: grpc.aio.Channel) -> None:
    with capture_logs() as lines:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await run_service_pb2_grpc.RunServiceStub(channel).ListRuns(run_service_pb2.ListRunsRequest())
        assert caught.value.code() is grpc.StatusCode.INTERNAL
    assert [line["event"] for line in lines] == ["call failed"]
