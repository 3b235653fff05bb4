"""backcast.gateway.v1.BacktestService: parses, calls, answers."""

import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

from grpc_status import rpc_status

from backcast.backtest.v1.result_pb2 import BacktestResult
from backcast.gateway.v1 import backtest_service_pb2 as pb
from backcast.gateway.v1 import backtest_service_pb2_grpc
from backcast.marketdata.v1 import market_data_service_pb2
from services.engine.sweep.possible_combinations import possible_positions
from services.gateway.api.messages import get_request_from, get_request_to, run_request_from
from services.gateway.api.result_pages import page_from
from services.gateway.api.run_stream import run_stream
from services.gateway.api.strategy_descriptions import describe_strategies
from services.gateway.api.sweep_messages import sweep_request_from
from services.gateway.cache.result_store import ResultStore
from services.gateway.planning.run_plan import RunPlan, RunRequest, make_plan
from services.gateway.planning.sweep_plan import make_sweep_plan
from services.gateway.runs.admission import RequestSize
from services.gateway.runs.run import Run
from services.gateway.runs.start import RunStarter
from services.gateway.sweeps.sweep import SweepRun
from services.gateway.upstream.compute import ComputeClient
from services.gateway.upstream.market import Market
from services.wire.paging import page_size
from services.wire.result_parts import PartJoiner

if TYPE_CHECKING:
    import grpc

    _Context = grpc.aio.ServicerContext[Any, Any]


class BacktestHandler(backtest_service_pb2_grpc.BacktestServiceServicer):
    """Answers clients."""

    def __init__(
        self, market: Market, compute: ComputeClient, store: ResultStore, starter: RunStarter
    ) -> None:
        self._market = market
        self._compute = compute
        self._store = store
        self._starter = starter

    async def RunBacktests(  # noqa: N802  # the RPC's name
        self, request: pb.RunBacktestsRequest, context: "_Context"
    ) -> AsyncGenerator[pb.RunBacktestsResponse]:
        """Stream the events of a run."""
        async with self._starter.start("RunBacktests", request.request_id, context) as start:
            plan = await self._plan(run_request_from(request))
            start.planned(plan.backtest.strategy.name, _size(plan))
            run = Run(plan, self._store, self._compute, start.report, start.arrived_at)
            live = start.run(run.events, resumes=True)
        async with aclosing(run_stream(live, plan.results_per_event)) as events:
            async for event in events:
                yield event

    async def GetBacktest(  # noqa: N802  # the RPC's name
        self, request: pb.GetBacktestRequest, context: "_Context"
    ) -> pb.GetBacktestResponse:
        """Run one backtest, and return its result, or a page of it, or fail as it failed."""
        async with self._starter.start("GetBacktest", request.request_id, context) as start:
            wanted = page_from(request.page_token)
            plan = await self._plan(get_request_from(request))
            start.planned(plan.backtest.strategy.name, _size(plan))
            run = Run(plan, self._store, self._compute, start.report, start.arrived_at)
            live = start.run(run.events)
        answer = pb.GetBacktestResponse(request=get_request_to(plan, start.report.run_id))
        parts, result = PartJoiner(), BacktestResult()
        async with aclosing(live.watch()) as events:
            async for serialized in events:
                event = parts.joined(pb.RunBacktestsResponse.FromString(serialized))
                if event is None:
                    continue
                if event.HasField("failure"):
                    await context.abort_with_status(rpc_status.to_status(event.failure.status))
                if event.HasField("result"):
                    result = event.result
                if event.HasField("summary"):
                    answer.cache_state = event.summary.cache_state
        page, answer.next_page_token = wanted.of(result)
        answer.result.CopyFrom(page)
        return answer

    async def SweepBacktests(  # noqa: N802  # the RPC's name
        self, request: pb.SweepBacktestsRequest, context: "_Context"
    ) -> AsyncGenerator[pb.SweepBacktestsResponse]:
        """Stream the events of a sweep."""
        async with self._starter.start("SweepBacktests", request.request_id, context) as start:
            asked = sweep_request_from(request)
            known = await self._market.cryptos(list(asked.run.symbols), asked.run.seen_before_s)
            plan = make_sweep_plan(asked, await possible_positions(asked.grid), known, int(time.time()))
            size = RequestSize(len(plan.cryptos), plan.backtests, plan.factors, "ranges")
            start.planned(asked.grid.base.name, size)
            sweep = SweepRun(plan, self._store.cache, self._compute, start.report, start.arrived_at)
            live = start.run(sweep.events)
        async with aclosing(live.watch()) as events:
            async for event in events:
                yield pb.SweepBacktestsResponse.FromString(event)

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
        return make_plan(request, known, int(time.time()))


def _size(plan: RunPlan) -> RequestSize:
    cryptos = len(plan.cryptos)
    return RequestSize(cryptos, cryptos, f"{cryptos:,} cryptos", "symbols")
