"""A compute service that is killed takes its workers with it, also one in the middle of a task."""

from pathlib import Path

import grpc
import pytest

from backcast.compute.v1.compute_service_pb2_grpc import ComputeServiceStub
from services.local.stack import LocalStack
from services.rpc.channel import open_channel
from tests.end_to_end.faults.stacks import chunks_request
from tests.end_to_end.one_service import service_beside
from tests.end_to_end.processes import cpu_seconds, is_alive, until_workers_work, workers_of
from tests.waiting import until

# How long a task takes at the least; workers that end much earlier do not end for want of work.
_TASK_S = 20.0


async def test_no_process_outlives_a_killed_compute_service(long_stack: LocalStack, tmp_path: Path) -> None:
    async with service_beside(long_stack, "compute", tmp_path, compute_workers=2) as compute:
        service = compute.process
        # A task for each worker.
        request = await chunks_request(long_stack, chunk_size=1_000, count=1)
        async with open_channel(compute.address) as channel:
            call = ComputeServiceStub(channel).ComputeSweep(request)
            await until_workers_work(service)
            await until(lambda: all(cpu_seconds(worker) > 0.1 for worker in workers_of(service)))
            descendants = service.children(recursive=True)
            assert len(descendants) >= 3
            service.kill()
            with pytest.raises(grpc.aio.AioRpcError) as error:
                _ = [response async for response in call]
            assert error.value.code() is grpc.StatusCode.UNAVAILABLE
        await until(lambda: not any(map(is_alive, descendants)), _TASK_S / 2)
