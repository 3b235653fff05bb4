"""Our side of the sweep: SweepBacktests through the gateway, past the cache, ranking and table included."""

import tempfile
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
from google.protobuf.struct_pb2 import Value
from rich.console import Console

from backcast.backtest.v1.backtest_spec_pb2 import BacktestSpec
from backcast.backtest.v1.strategy_pb2 import Rsi as RsiMessage
from backcast.backtest.v1.strategy_pb2 import Strategy
from backcast.backtest.v1.sweep_pb2 import ParameterRange
from backcast.gateway.v1 import backtest_service_pb2 as pb
from backcast.gateway.v1.backtest_service_pb2_grpc import BacktestServiceStub
from backcast_engine.strategies.rsi import Rsi
from services.cli.commands.sample import write_sample_market
from services.local.stack import LocalStack, StackSettings
from services.rpc.channel import open_channel
from tests.bench.engine.markets import CRYPTO_COUNT
from tests.bench.timing import Timing

if TYPE_CHECKING:
    from backcast.gateway.v1.backtest_service_pb2_grpc import BacktestServiceAsyncStub

PERIODS, OVERSOLD = tuple(range(5, 25)), tuple(range(20, 40, 2))
GRID = [Rsi(period, oversold) for period in PERIODS for oversold in OVERSOLD]


@dataclass(frozen=True, slots=True)
class OurSweep:
    """A gateway, and the processes that work for it: gateway, compute and its workers."""

    gateway: "BacktestServiceAsyncStub"
    process_ids: list[int]

    async def measure(self, _number: int) -> Timing:
        """Sweep the whole sample market once; raise where something is missing."""
        request = pb.SweepBacktestsRequest(
            spec=BacktestSpec(strategy=Strategy(rsi=RsiMessage())),
            ranges=[
                ParameterRange(name=name, values=[Value(number_value=number) for number in numbers])
                for name, numbers in (("period", PERIODS), ("oversold", OVERSOLD))
            ],
            cache_mode=pb.CACHE_MODE_BYPASS,
        )
        rows, summary = 0, None
        began = time.perf_counter()
        async for event in self.gateway.SweepBacktests(request):
            rows += len(event.rows.rows)
            if event.HasField("summary"):
                summary = event.summary
        took_s = time.perf_counter() - began
        if summary is None or summary.progress.completed != len(GRID) * CRYPTO_COUNT or rows != len(GRID):
            raise RuntimeError(f"the sweep is not complete: {summary}")
        return Timing(took_s)


@asynccontextmanager
async def our_sweep(console: Console) -> AsyncGenerator[OurSweep]:
    """Start everything, and write the sample market."""
    with tempfile.TemporaryDirectory(prefix="backcast-bench-") as folder:
        settings = StackSettings(Path(folder), 0, 0, 0, database_url=None, redis_url=None, quiet=True)
        async with LocalStack(settings) as stack, open_channel(stack.gateway_address) as channel:
            await write_sample_market(stack.data_address, console)
            yield OurSweep(BacktestServiceStub(channel), _process_ids(("gateway", "compute")))


def _process_ids(services: tuple[str, ...]) -> list[int]:
    children = psutil.Process().children(recursive=True)
    return [child.pid for child in children if " ".join(child.cmdline()).endswith(services)]
