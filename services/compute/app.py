"""The compute service: runs backtests in a pool of processes."""

import asyncio
from functools import partial

from backcast.compute.v1 import compute_service_pb2, compute_service_pb2_grpc
from backcast.marketdata.v1.market_data_service_pb2_grpc import MarketDataServiceStub
from services.compute.backtests import Backtester
from services.compute.candle_source import CandleSource
from services.compute.column_files import ColumnFiles
from services.compute.column_supply import ColumnSupply
from services.compute.handler import ComputeHandler
from services.compute.pool import WorkerPool
from services.shared.rpc_channel import open_channel
from services.shared.rpc_server import serve
from services.shared.settings import Settings

SERVICE_NAME = compute_service_pb2.DESCRIPTOR.services_by_name["ComputeService"].full_name


async def run(settings: Settings) -> None:
    """Start the workers, then serve until told to stop."""
    async with WorkerPool(settings.compute_workers) as pool, open_channel(settings.data) as channel:
        files = ColumnFiles(settings.column_dir, settings.column_dir_max_gb)
        await asyncio.to_thread(files.tidy)
        supply = ColumnSupply(files, CandleSource(MarketDataServiceStub(channel)))
        handler = ComputeHandler(Backtester(pool, supply))
        await serve(
            f"{settings.host}:{settings.compute_port}",
            SERVICE_NAME,
            partial(compute_service_pb2_grpc.add_ComputeServiceServicer_to_server, handler),
            settings.shutdown_grace_s,
        )
