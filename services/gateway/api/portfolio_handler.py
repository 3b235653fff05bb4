"""The handler of backcast.gateway.v1.PortfolioService: parses requests, starts runs, streams their events."""

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

import grpc

from backcast.backtest.v1.portfolio_pb2 import PortfolioSpec
from backcast.gateway.v1 import portfolio_service_pb2 as pb
from backcast.gateway.v1 import portfolio_service_pb2_grpc
from backcast.gateway.v1.portfolio_sweep_pb2 import SweepPortfoliosRequest
from services.gateway.cache.result_cache import ResultCache
from services.gateway.cache.run_cache import RunCache
from services.gateway.cache.single_flight import SingleFlight
from services.gateway.messages.portfolio_sweeps import portfolio_sweep_request_from
from services.gateway.messages.portfolios import portfolio_request_from
from services.gateway.messages.runs import check_run_id
from services.gateway.planning.portfolio_plan import PortfolioPlan, make_portfolio_plan
from services.gateway.planning.portfolio_sweep_plan import PortfolioSweepPlan, make_portfolio_sweep_plan
from services.gateway.runs.admission import RequestSize
from services.gateway.runs.event_log import logged
from services.gateway.runs.portfolio_events import PortfolioEvents
from services.gateway.runs.start import RunStarter
from services.gateway.sweeps.portfolio_sweep_events import PortfolioSweepEvents
from services.gateway.upstream.compute import ComputeClient
from services.gateway.upstream.market import MarketCatalog
from services.wire.backtests import spec_fields_named

if TYPE_CHECKING:
    # Generic in its stubs only.
    _Context = grpc.aio.ServicerContext[Any, Any]

SERVICE_NAME = pb.DESCRIPTOR.services_by_name["PortfolioService"].full_name


class PortfolioHandler(portfolio_service_pb2_grpc.PortfolioServiceServicer):
    """Serves backcast.gateway.v1.PortfolioService."""

    def __init__(
        self,
        market: MarketCatalog,
        compute: ComputeClient,
        cache: ResultCache,
        single_flight: SingleFlight,
        starter: RunStarter,
    ) -> None:
        self._market = market
        self._compute = compute
        self._cache = cache
        self._single_flight = single_flight
        self._starter = starter

    def add_to(self, server: grpc.aio.Server) -> None:
        """Have a server call it."""
        portfolio_service_pb2_grpc.add_PortfolioServiceServicer_to_server(self, server)
        # A run's log has its events serialized: this replaces the generated handler, which serializes.
        run: grpc.RpcMethodHandler[Any, Any] = grpc.unary_stream_rpc_method_handler(
            self.RunPortfolio, pb.RunPortfolioRequest.FromString
        )
        sweep: grpc.RpcMethodHandler[Any, Any] = grpc.unary_stream_rpc_method_handler(
            self.SweepPortfolios, SweepPortfoliosRequest.FromString
        )
        methods = {"RunPortfolio": run, "SweepPortfolios": sweep}
        server.add_registered_method_handlers(SERVICE_NAME, methods)

    async def RunPortfolio(  # type: ignore[override]  # noqa: N802  # serialized; the RPC's name
        self, request: pb.RunPortfolioRequest, context: "_Context"
    ) -> AsyncGenerator[bytes]:
        """Stream the events of a portfolio."""
        check_run_id(request, portfolio_request_from)
        async with self._starter.start("RunPortfolio", request.run_id, context) as start:
            with spec_fields_named(PortfolioSpec):
                plan = await self._plan(request)
            size = RequestSize(len(plan.cryptos), plan.backtests, plan.factors, "spec.strategies")
            start.planned(plan.strategy_names, size)
            cache = RunCache(self._cache, plan.run.cache_mode)
            events = PortfolioEvents(
                *(plan, cache, self._single_flight, self._compute, start.record, start.arrived_at)
            )
            run = start.run(events.events, resumes=True)
        async with aclosing(run.watch()) as logged:
            async for event in logged:
                yield event.serialized

    async def SweepPortfolios(  # type: ignore[override]  # noqa: N802  # serialized; the RPC's name
        self, request: SweepPortfoliosRequest, context: "_Context"
    ) -> AsyncGenerator[bytes]:
        """Stream the events of a sweep over portfolios."""
        check_run_id(request, portfolio_sweep_request_from)
        async with self._starter.start("SweepPortfolios", request.run_id, context) as start:
            with spec_fields_named(PortfolioSpec):
                plan = await self._sweep_plan(request)
            size = RequestSize(len(plan.cryptos), plan.backtests, plan.factors, "ranges")
            start.planned(plan.strategy_names, size)
            sweep = PortfolioSweepEvents(
                *(plan, self._cache, self._single_flight, self._compute, start.record, start.arrived_at)
            )
            run = start.run(lambda: logged(sweep.events()))
        async with aclosing(run.watch()) as events:
            async for event in events:
                yield event.serialized

    async def _sweep_plan(self, request: SweepPortfoliosRequest) -> PortfolioSweepPlan:
        # Threads read thousands of values: other clients are served meanwhile.
        asked = await asyncio.to_thread(portfolio_sweep_request_from, request)
        possible = await asyncio.to_thread(asked.positions)
        run = asked.planned_run
        known = await self._market.cryptos(run.listed_symbols, run.seen_before_s)
        return make_portfolio_sweep_plan(asked, possible, known, int(time.time()))

    async def _plan(self, request: pb.RunPortfolioRequest) -> PortfolioPlan:
        asked = portfolio_request_from(request)
        run = asked.planned_run
        known = await self._market.cryptos(run.listed_symbols, run.seen_before_s)
        return make_portfolio_plan(asked, known, int(time.time()))
