"""The handler of backcast.gateway.v1.BacktestService: parses requests, starts runs, streams their events."""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import grpc
from grpc_status import rpc_status

from backcast.backtest.v1.result_pb2 import BacktestResult
from backcast.compute.v1.compute_service_pb2 import ComputeSeriesResponse
from backcast.compute.v1.computed_result_pb2 import ComputedResult
from backcast.gateway.v1 import backtest_service_pb2 as pb
from backcast.gateway.v1 import backtest_service_pb2_grpc
from backcast.gateway.v1.run_events_pb2 import CACHE_STATE_UNSPECIFIED, CACHE_STATE_USED, CacheState
from backcast.marketdata.v1 import market_data_service_pb2
from services.gateway.api.planner import Planner
from services.gateway.api.run_stream import run_stream
from services.gateway.cache.keys import ResultKeys
from services.gateway.cache.result_cache import ResultCache
from services.gateway.cache.run_cache import RunCache
from services.gateway.cache.single_flight import SingleFlight
from services.gateway.messages.result_pages import page_from
from services.gateway.messages.runs import (
    check_run_id,
    run_request_from,
    series_request_from,
    series_request_to,
    single_request_from,
    single_request_to,
)
from services.gateway.messages.strategies import (
    check_other_candles,
    compared_series_of,
    describe_rules,
    describe_strategies,
    parsed_texts,
)
from services.gateway.messages.sweeps import sweep_request_from
from services.gateway.planning.run_plan import RunPlan, RunRequest, make_plan
from services.gateway.planning.sweep_plan import SweepPlan, SweepRequest, make_sweep_plan
from services.gateway.runs.admission import RequestSize
from services.gateway.runs.backtest_events import BacktestEvents
from services.gateway.runs.event_log import LoggedEvent, logged
from services.gateway.runs.run import Run
from services.gateway.runs.series_events import series_events
from services.gateway.runs.start import RunStart, RunStarter
from services.gateway.sweeps.sweep_events import SweepEvents
from services.gateway.upstream.compute import ComputeClient
from services.gateway.upstream.market import MarketCatalog
from services.wire.backtests import spec_fields_named, strategy_from
from services.wire.expressions import expression_to
from services.wire.paging import page_of
from services.wire.result_parts import PartJoiner, joined_parts

if TYPE_CHECKING:
    # Generic in its stubs only.
    _Context = grpc.aio.ServicerContext[Any, Any]


SERVICE_NAME = pb.DESCRIPTOR.services_by_name["BacktestService"].full_name
# The plan of a run has a list of its cryptos. Single calls often take one crypto after the other.
_MOST_RUN_PLANS, _MOST_SINGLE_PLANS = 32, 1_024


@dataclass(frozen=True, slots=True)
class SinglePlan:
    """The plan of one crypto, the request that it fulfils, and the key of the result."""

    plan: RunPlan
    request: pb.RunBacktestRequest
    key: str

    @classmethod
    def of(cls, plan: RunPlan) -> Self:
        """Return the plan with what depends on it alone."""
        (crypto,) = plan.cryptos
        key = ResultKeys(plan.backtest, plan.others).key(crypto, crypto.seen_fingerprint)
        return cls(plan, single_request_to(plan), key)


class BacktestHandler(backtest_service_pb2_grpc.BacktestServiceServicer):
    """Serves backcast.gateway.v1.BacktestService."""

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
        self._run_plans = Planner(market, run_request_from, lambda plan: plan, _MOST_RUN_PLANS)
        self._single_plans = Planner(market, single_request_from, SinglePlan.of, _MOST_SINGLE_PLANS)

    def add_to(self, server: grpc.aio.Server) -> None:
        """Have a server call it."""
        backtest_service_pb2_grpc.add_BacktestServiceServicer_to_server(self, server)
        # A run's log has its events serialized: these replace generated handlers, which serialize.
        streams: dict[str, grpc.RpcMethodHandler[Any, Any]] = {
            "RunBacktests": grpc.unary_stream_rpc_method_handler(
                self.RunBacktests, pb.RunBacktestsRequest.FromString
            ),
            "SweepBacktests": grpc.unary_stream_rpc_method_handler(
                self.SweepBacktests, pb.SweepBacktestsRequest.FromString
            ),
        }
        server.add_registered_method_handlers(SERVICE_NAME, streams)

    async def RunBacktests(  # type: ignore[override]  # noqa: N802  # serialized; the RPC's name
        self, request: pb.RunBacktestsRequest, context: "_Context"
    ) -> AsyncGenerator[bytes]:
        """Stream the events of a run."""
        check_run_id(request, run_request_from)
        async with self._starter.start("RunBacktests", request.run_id, context) as start:
            with spec_fields_named():
                plan = await self._run_plans.plan(request)
            start.planned(plan.backtest.strategy.name, _size(plan))
            cache = RunCache(self._cache, plan.cache_mode)
            run = start.run(self._events(plan, start, cache), resumes=True)
        async with aclosing(run_stream(run, plan.results_per_event)) as events:
            async for event in events:
                yield event

    async def RunBacktest(  # noqa: N802  # the RPC's name
        self, request: pb.RunBacktestRequest, context: "_Context"
    ) -> pb.RunBacktestResponse:
        """Run one backtest, and return its result, or a page of it, or fail as it failed."""
        check_run_id(request, single_request_from)
        async with self._starter.start("RunBacktest", request.run_id, context) as start:
            single, read = await self._planned_and_read(request, start)
            if (result := _cached(single, read, start)) is None:
                run = start.run(self._events(single.plan, start, read.cache))
        answer = pb.RunBacktestResponse(request=single.request, cache_state=CACHE_STATE_USED)
        answer.request.run_id = start.record.run_id
        if result is None:
            result, answer.cache_state = await _result_of(run, context)
        part, answer.next_page_token = page_from(request.page_token).of(result)
        answer.result.CopyFrom(part)
        return answer

    async def SweepBacktests(  # type: ignore[override]  # noqa: N802  # serialized; the RPC's name
        self, request: pb.SweepBacktestsRequest, context: "_Context"
    ) -> AsyncGenerator[bytes]:
        """Stream the events of a sweep."""
        check_run_id(request, sweep_request_from)
        async with self._starter.start("SweepBacktests", request.run_id, context) as start:
            with spec_fields_named():
                plan = await self._sweep_plan(sweep_request_from(request))
            size = RequestSize(len(plan.cryptos), plan.backtests, plan.factors, "ranges")
            start.planned(plan.request.grid.base.name, size)
            sweep = SweepEvents(plan, self._cache, self._compute, start.record, start.arrived_at)
            run = start.run(lambda: logged(sweep.events()))
        async with aclosing(run.watch()) as events:
            async for event in events:
                yield event.serialized

    async def ListStrategies(  # noqa: N802  # the RPC's name
        self, request: pb.ListStrategiesRequest, context: object
    ) -> pb.ListStrategiesResponse:
        """List the strategies."""
        page, next_page_token = page_of(describe_strategies(), request, lambda each: each.name)
        return pb.ListStrategiesResponse(strategies=page, next_page_token=next_page_token)

    async def ParseRules(  # noqa: N802  # the RPC's name
        self, request: pb.ParseRulesRequest, context: object
    ) -> pb.ParseRulesResponse:
        """Parse texts to rules and to a series."""
        rules, series = parsed_texts(request)
        response = pb.ParseRulesResponse()
        if series:
            response.series.CopyFrom(expression_to(series))
        if rules:
            others = list(rules.other_symbols)
            known = await self._market.cryptos(others, None) if others else []
            check_other_candles(rules, request, [crypto.symbol for crypto in known])
            response.description.CopyFrom(describe_rules(rules))
        return response

    async def DescribeStrategy(  # noqa: N802  # the RPC's name
        self, request: pb.DescribeStrategyRequest, context: object
    ) -> pb.DescribeStrategyResponse:
        """Describe a strategy as rules."""
        return pb.DescribeStrategyResponse(description=describe_rules(strategy_from(request.strategy)))

    async def StreamSeries(  # noqa: N802  # the RPC's name
        self, request: pb.StreamSeriesRequest, context: "_Context"
    ) -> AsyncGenerator[pb.StreamSeriesResponse]:
        """Stream the blocks of the series of one crypto."""
        check_run_id(request, series_request_from)
        async with self._starter.start("StreamSeries", request.run_id, context) as start:
            with spec_fields_named():
                plan = await self._plan(series_request_from(request))
            start.planned(plan.backtest.strategy.name, _size(plan))
            run = start.run(
                lambda: logged(series_events(plan, self._compute, start.record, start.arrived_at))
            )
        # What the first response has besides its block.
        response = pb.StreamSeriesResponse(
            request=series_request_to(plan, start.record.run_id),
            series=compared_series_of(plan.backtest.strategy),
        )
        async with aclosing(run.watch()) as events:
            async for logged_event in events:
                event = ComputeSeriesResponse.FromString(logged_event.serialized)
                if event.HasField("failure"):
                    await context.abort_with_status(rpc_status.to_status(event.failure))
                response.block.CopyFrom(event.block)
                yield response
                response = pb.StreamSeriesResponse()

    async def ListCryptos(  # noqa: N802  # the RPC's name
        self, request: pb.ListCryptosRequest, context: object
    ) -> pb.ListCryptosResponse:
        """List the cryptos."""
        page = await self._market.page(
            market_data_service_pb2.ListCryptosRequest(
                page_size=request.page_size, page_token=request.page_token
            )
        )
        return pb.ListCryptosResponse(cryptos=page.cryptos, next_page_token=page.next_page_token)

    def _events(
        self, plan: RunPlan, start: RunStart, cache: RunCache
    ) -> Callable[[], AsyncGenerator[list[LoggedEvent]]]:
        """Return a function that opens iterators over the events of a plan's run."""
        return BacktestEvents(
            plan, cache, self._single_flight, self._compute, start.record, start.arrived_at
        ).events

    async def _planned_and_read(
        self, request: pb.RunBacktestRequest, start: RunStart
    ) -> tuple[SinglePlan, "_CacheRead"]:
        """Plan a run of one crypto, and look for its result in the cache.

        An equal request mostly has the plan that it had last: its result is read while that plan is checked.
        """
        last = self._single_plans.remembered(request)
        ahead = asyncio.create_task(self._read(last)) if last else None
        try:
            with spec_fields_named():
                single = await self._single_plans.plan(request)
            start.planned(single.plan.backtest.strategy.name, _size(single.plan))
            return single, await (ahead if ahead and single is last else self._read(single))
        finally:
            if ahead:
                ahead.cancel()

    async def _read(self, single: SinglePlan) -> "_CacheRead":
        began, cache = time.monotonic(), RunCache(self._cache, single.plan.cache_mode)
        results = await cache.results([single.key])
        return _CacheRead(cache, results.get(single.key), time.monotonic() - began)

    async def _plan(self, request: RunRequest) -> RunPlan:
        known = await self._market.cryptos(request.listed_symbols, request.seen_before_s)
        return make_plan(request, known, int(time.time()))

    async def _sweep_plan(self, request: SweepRequest) -> SweepPlan:
        known = await self._market.cryptos(request.run.listed_symbols, request.run.seen_before_s)
        return make_sweep_plan(request, await request.positions(), known, int(time.time()))


@dataclass(frozen=True, slots=True)
class _CacheRead:
    """What the cache answered to a run, None where it has no result, and after how many seconds."""

    cache: RunCache
    computed: ComputedResult | None
    took_s: float


def _cached(single: SinglePlan, read: _CacheRead, start: RunStart) -> BacktestResult | None:
    """Return the result where it is cached: then there is no run to watch, and this one has ended."""
    if read.computed is None:
        return None
    record = start.record
    record.total = record.completed = record.from_cache = 1
    record.phases_s |= {"cache": read.took_s, "first_result": time.monotonic() - start.arrived_at}
    start.end()
    (crypto,) = single.plan.cryptos
    result = joined_parts(read.computed.parts)
    result.symbol, result.data_fingerprint, result.from_cache = crypto.symbol, crypto.fingerprint, True
    return result


async def _result_of(run: Run, context: "_Context") -> tuple[BacktestResult, CacheState.ValueType]:
    """Return the result of a run of one crypto, and whether the cache was used; fail as it failed."""
    parts, result, cache_state = PartJoiner(), BacktestResult(), CACHE_STATE_UNSPECIFIED
    async with aclosing(run.watch()) as events:
        async for logged_event in events:
            event = parts.joined(pb.RunBacktestsResponse.FromString(logged_event.serialized))
            if event is None:
                continue
            if event.HasField("failure"):
                await context.abort_with_status(rpc_status.to_status(event.failure.status))
            if event.HasField("result"):
                result = event.result
            if event.HasField("summary"):
                cache_state = event.summary.cache_state
    return result, cache_state


def _size(plan: RunPlan) -> RequestSize:
    cryptos = len(plan.cryptos)
    return RequestSize(cryptos, cryptos, f"{cryptos:,} cryptos", "symbols")
