"""The compute service's process: its server, and its workers in a pool of processes or a Dask cluster."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from backcast.compute.v1 import compute_service_pb2, compute_service_pb2_grpc
from backcast.marketdata.v1.market_data_service_pb2_grpc import MarketDataServiceStub
from services.compute.candles.column_files import ColumnFiles
from services.compute.candles.column_provider import ColumnProvider
from services.compute.candles.remote import RemoteProvider
from services.compute.candles.source import CandleSource
from services.compute.handler import ComputeHandler
from services.compute.metrics import watch_pool
from services.compute.tasks.runner import TaskRunner
from services.compute.workers.dask_cluster import DaskCluster
from services.compute.workers.pool import WorkerPool
from services.rpc.access import services_only
from services.rpc.channel import open_channel
from services.rpc.server import ServedService, serve
from services.rpc.tls import channel_credentials
from services.settings import Settings
from services.telemetry.observation import observed

SERVICE_NAME = compute_service_pb2.DESCRIPTOR.services_by_name["ComputeService"].full_name


async def run(settings: Settings) -> None:
    """Start the workers, then serve until the process is stopped."""
    access = services_only(settings)
    async with observed("compute", settings), _task_runner(settings) as runner:
        handler = ComputeHandler(runner)
        await serve(
            settings,
            "compute",
            settings.compute_port,
            [
                ServedService(
                    SERVICE_NAME,
                    partial(compute_service_pb2_grpc.add_ComputeServiceServicer_to_server, handler),
                )
            ],
            access,
        )


@asynccontextmanager
async def _task_runner(settings: Settings) -> AsyncIterator[TaskRunner]:
    if settings.dask_scheduler:
        async with DaskCluster(settings.dask_scheduler) as cluster:
            yield TaskRunner(cluster, RemoteProvider(settings.data))
    else:
        async with (
            WorkerPool(settings.compute_workers, settings.task_limit_s) as pool,
            open_channel(settings.data, channel_credentials(settings)) as channel,
        ):
            files = ColumnFiles(settings.column_dir, settings.column_dir_max_gb)
            await asyncio.to_thread(files.tidy)
            watch_pool(pool)
            yield TaskRunner(pool, ColumnProvider(files, CandleSource(MarketDataServiceStub(channel))))
