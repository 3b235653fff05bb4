"""Workers that die or stand still in the middle of their work: it is done all the same, and nothing leaks."""

import signal
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import psutil
import pytest

from backcast.compute.v1 import compute_service_pb2 as pb
from backcast.compute.v1.compute_service_pb2_grpc import ComputeServiceStub
from backcast_engine.errors import ErrorReason
from services.local.stack import LocalStack
from services.rpc.channel import open_channel
from tests.end_to_end.faults.stacks import chunks_request
from tests.end_to_end.one_service import OneService, service_beside
from tests.end_to_end.processes import cpu_seconds, until_workers_work, workers_of
from tests.error_info import error_info
from tests.waiting import until

WORKERS = 2
# For tasks of a tenth of a second: no machine is so busy that a worker is killed that goes on.
TASK_LIMIT_S = 30


@pytest.fixture(scope="module")
async def compute(
    long_stack: LocalStack, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[OneService]:
    """A compute service that is patient with its workers."""
    folder = tmp_path_factory.mktemp("compute")
    async with service_beside(long_stack, "compute", folder, compute_workers=WORKERS) as service:
        yield service


async def computed(
    address: str, request: pb.ComputeSweepRequest, meanwhile: Callable[[], None] = lambda: None
) -> dict[tuple[str, int], bytes]:
    """Return the figures of every chunk; `meanwhile` is called when some have come, and others have not."""
    figures: dict[tuple[str, int], bytes] = {}
    async with open_channel(address) as channel:
        async for response in ComputeServiceStub(channel).ComputeSweep(request):
            assert response.HasField("chunk"), response
            chunk = response.chunk
            figures[chunk.symbol, chunk.first_combination] = chunk.metrics
            if len(figures) == 3:
                meanwhile()
    return figures


def kill_workers(service: psutil.Process) -> None:
    for worker in workers_of(service):
        worker.kill()


def kill_fork_server_and_workers(service: psutil.Process) -> None:
    workers = workers_of(service)
    for process in [*{worker.parent() for worker in workers}, *workers]:
        assert process
        process.kill()


def stop_workers(service: psutil.Process) -> None:
    for worker in workers_of(service):
        worker.send_signal(signal.SIGSTOP)


@pytest.mark.parametrize("harm", [kill_workers, kill_fork_server_and_workers])
async def test_work_whose_workers_are_killed_in_the_middle_is_complete_and_right(
    long_stack: LocalStack, compute: OneService, harm: Callable[[psutil.Process], None]
) -> None:
    await check_harm(long_stack, compute, harm)


async def test_work_whose_workers_stand_still_in_the_middle_is_complete_and_right(
    long_stack: LocalStack, tmp_path: Path
) -> None:
    settings = {"compute_workers": WORKERS, "task_limit_s": TASK_LIMIT_S}
    async with service_beside(long_stack, "compute", tmp_path, **settings) as compute:
        await check_harm(long_stack, compute, stop_workers)


async def check_harm(
    long_stack: LocalStack, compute: OneService, harm: Callable[[psutil.Process], None]
) -> None:
    """Compute twice, and harm the workers the second time: all figures come, and are the same."""
    service, address = compute.process, compute.address
    request = await chunks_request(long_stack, chunk_size=4, count=10)
    undisturbed = await computed(address, request)
    assert len(undisturbed) == 20
    workers = workers_of(service)
    assert len(workers) == WORKERS
    files = service.num_fds()
    harmed = []

    def meanwhile() -> None:
        harmed.extend(workers)
        harm(service)

    assert await computed(address, request, meanwhile) == undisturbed
    assert len(harmed) == WORKERS
    await until(lambda: len(workers_of(service)) == WORKERS)
    replacements = workers_of(service)
    assert not {worker.pid for worker in workers} & {worker.pid for worker in replacements}
    assert not any(child.status() == psutil.STATUS_ZOMBIE for child in service.children(recursive=True))
    # Its connections are closed when its end has been seen.
    await until(lambda: service.num_fds() <= files)


async def test_a_task_that_loses_two_workers_fails_and_no_other_does(
    long_stack: LocalStack, compute: OneService
) -> None:
    service, address = compute.process, compute.address
    # Both workers have one, and each takes longer than it takes to find its worker.
    request = await chunks_request(long_stack, chunk_size=60, count=1)
    async with open_channel(address) as channel:
        call = ComputeServiceStub(channel).ComputeSweep(request)
        await until_workers_work(service)
        victim, other = workers_of(service)
        victim.kill()
        await until(lambda: len(workers_of(service)) == WORKERS and not victim.is_running())
        (replacement,) = {*workers_of(service)} - {other}
        await until(lambda: cpu_seconds(replacement) > 0.2)
        replacement.kill()
        responses = [response async for response in call]
    failed, done = sorted(responses, key=lambda response: response.HasField("chunk"))
    assert error_info(failed.failure.status) == ("UNAVAILABLE", ErrorReason.WORKER_DIED, {})
    assert failed.failure.status.message == "two workers died while computing this"
    assert done.HasField("chunk")
