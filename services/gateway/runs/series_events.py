"""The events of a run of StreamSeries: the responses of compute, as they come."""

import time
from collections.abc import AsyncGenerator
from contextlib import aclosing

from backcast.compute.v1.compute_service_pb2 import ComputeSeriesResponse
from services.gateway.planning.run_plan import RunPlan
from services.gateway.runs.record import RunRecord
from services.gateway.upstream.compute import ComputeClient


async def series_events(
    plan: RunPlan, compute: ComputeClient, record: RunRecord, arrived_at: float
) -> AsyncGenerator[ComputeSeriesResponse]:
    """Yield the blocks of the series of a plan of one crypto, or their failure; keep `record` up to date.

    `arrived_at` is when the request came, by time.monotonic().
    """
    record.total = 1
    async with aclosing(compute.series(plan.backtest, plan.cryptos[0], plan.others)) as responses:
        async for response in responses:
            record.phases_s.setdefault("first_result", time.monotonic() - arrived_at)
            if response.is_last:
                record.failed = int(response.HasField("failure"))
                record.completed = 1 - record.failed
            yield response
