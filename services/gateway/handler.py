"""backcast.gateway.v1.BacktestService: parses, calls, answers."""

import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

import grpc
from grpc_status import rpc_status

from backcast.gateway.v1 import backtest_service_pb2 as pb
from backcast.gateway.v1 import backtest_service_pb2_grpc
from backcast.marketdata.v1 import market_data_service_pb2
from services.gateway.compute_client import ComputeClient
from services.gateway.market import Market
from services.gateway.messages import get_request_from, get_request_to, run_request_from
from services.gateway.plan import RunPlan, RunRequest, make_plan
from services.gateway.result_cache import ResultCache
from services.gateway.run import Run
from services.gateway.strategy_descriptions import describe_strategies
from services.gateway.sweep import SweepRun
from services.gateway.sweep_messages import sweep_request_from
from services.gateway.sweep_plan import make_sweep_plan
from services.shared.paging import page_size
from services.shared.possible_combinations import possible_positions


class BacktestHandler(backtest_service_pb2_grpc.BacktestServiceServicer):
    """Answers clients."""

    def __init__(self, market: Market, compute: ComputeClient, cache: ResultCache) -> None:
        self._market = market
        self._compute = compute
        self._cache = cache

    async def RunBacktests(  # noqa: N802  # the RPC's name
        self, request: pb.RunBacktestsRequest, context: object
    ) -> AsyncGenerator[pb.RunBacktestsResponse]:
        """Stream the events of a run."""
        arrived_at = time.monotonic()
        plan = await self._plan(run_request_from(request))
        async with aclosing(Run(plan, self._cache, self._compute, arrived_at).events()) as events:
            async for event in events:
                yield event

    async def GetBacktest(  # noqa: N802  # the RPC's name
        self, request: pb.GetBacktestRequest, context: "grpc.aio.ServicerContext[Any, Any]"
    ) -> pb.GetBacktestResponse:
        """Run one backtest, and return its result or fail as it failed."""
        arrived_at = time.monotonic()
        plan = await self._plan(get_request_from(request))
        answer = pb.GetBacktestResponse(request=get_request_to(plan))
        async with aclosing(Run(plan, self._cache, self._compute, arrived_at).events()) as events:
            async for event in events:
                if event.HasField("failure"):
                    await context.abort_with_status(rpc_status.to_status(event.failure.status))
                if event.HasField("result"):
                    answer.result.CopyFrom(event.result)
        return answer

    async def SweepBacktests(  # noqa: N802  # the RPC's name
        self, request: pb.SweepBacktestsRequest, context: object
    ) -> AsyncGenerator[pb.SweepBacktestsResponse]:
        """Stream the events of a sweep."""
        arrived_at = time.monotonic()
        asked = sweep_request_from(request)
        known = await self._market.cryptos(list(asked.run.symbols), asked.run.seen_before_s)
        plan = make_sweep_plan(asked, await possible_positions(asked.grid), known)
        async with aclosing(SweepRun(plan, self._cache, self._compute, arrived_at).events()) as events:
            async for event in events:
                yield event

    async def ListStrategies(  # noqa: N802  # the RPC's name
        self, request: pb.ListStrategiesRequest, context: object
    ) -> pb.ListStrategiesResponse:
        """List the strategies."""
        return pb.ListStrategiesResponse(strategies=describe_strategies())

    async def ListCryptos(  # noqa: N802  # the RPC's name
        self, request: pb.ListCryptosRequest, context: object
    ) -> pb.ListCryptosResponse:
        """List the cryptos."""
        page = await self._market.page(
            market_data_service_pb2.ListCryptosRequest(
                page_size=page_size(request.page_size), page_token=request.page_token
            )
        )
        return pb.ListCryptosResponse(cryptos=page.cryptos, next_page_token=page.next_page_token)

    async def _plan(self, request: RunRequest) -> RunPlan:
        known = await self._market.cryptos(list(request.symbols), request.seen_before_s)
        return make_plan(request, known)
