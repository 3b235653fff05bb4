"""A client that runs, cancels, leaves and comes back by chance, and keeps what it gets to be checked."""

from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING

import grpc

from backcast.backtest.v1.result_pb2 import BacktestResult
from backcast.gateway.v1 import backtest_service_pb2 as pb
from backcast.gateway.v1.backtest_service_pb2_grpc import BacktestServiceStub
from backcast.gateway.v1.run_service_pb2 import CancelRunRequest, WatchRunRequest
from backcast.gateway.v1.run_service_pb2_grpc import RunServiceStub
from backcast_engine import Detail, Execution
from backcast_engine.interval import Interval
from backcast_engine.strategies.rsi import Rsi
from services.wire.backtests import detail_to, spec_to
from tests.bench.soak.market import WINDOW
from tests.candle_making import results_in

if TYPE_CHECKING:
    from numpy.random import Generator

_CACHE_MODES = (pb.CACHE_MODE_DEFAULT, pb.CACHE_MODE_DEFAULT, pb.CACHE_MODE_BYPASS, pb.CACHE_MODE_REFRESH)
# Where all had been done, there is no such run any more.
_CANCELLED = {grpc.StatusCode.CANCELLED, grpc.StatusCode.NOT_FOUND}
# What faults may do to a run.
_BROKEN_OFF = {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.RESOURCE_EXHAUSTED}


class SoakClient:
    """One client; `outcomes` counts how its runs ended."""

    def __init__(
        self, channel: grpc.aio.Channel, symbols: list[str], random: "Generator", outcomes: Counter[str]
    ) -> None:
        self._gateway, self._runs = BacktestServiceStub(channel), RunServiceStub(channel)
        self._symbols, self._random, self._outcomes = symbols, random, outcomes
        self._number = 0
        self._unchecked: list[tuple[BacktestResult, float, Detail]] = []

    async def runs(self, count: int) -> None:
        """Run so many times."""
        for _ in range(count):
            await self._run()

    def check(self, is_right: Callable[[BacktestResult, float, Detail], bool]) -> None:
        """Check what came since the last time."""
        for result, oversold, detail in self._unchecked:
            self._outcomes["results"] += 1
            self._outcomes["wrong results"] += not is_right(result, oversold, detail)
        self._unchecked.clear()

    async def _run(self) -> None:
        self._number += 1
        oversold = float(self._random.integers(25, 35))
        detail = Detail.EQUITY if self._random.random() < 0.2 else Detail.METRICS
        request = pb.RunBacktestsRequest(
            run_id=f"soak-{id(self)}-{self._number}",
            symbols=self._symbols,
            spec=spec_to(Rsi(oversold=oversold), Interval.HOUR_1, WINDOW, Execution()),
            detail=detail_to(detail),
            cache_mode=self._random.choice(_CACHE_MODES),
            max_results_per_event=int(self._random.choice((1, 100))),
        )
        kind = self._random.choice(("runs", "cancelled", "left"), p=(0.7, 0.15, 0.15))
        try:
            results = await self._results(request, kind)
        except grpc.aio.AioRpcError as error:
            if kind == "cancelled" and error.code() in _CANCELLED:
                self._outcomes["cancelled"] += 1
            elif error.code() in _BROKEN_OFF:
                self._outcomes["broken off by faults"] += 1
            else:
                raise
            return
        self._outcomes[kind] += 1
        self._unchecked += [(result, oversold, detail) for result in results]

    async def _results(self, request: pb.RunBacktestsRequest, kind: str) -> list[BacktestResult]:
        """Run to the end; or cancel it after some events, or leave it and take it up again."""
        results: list[BacktestResult] = []
        events = int(self._random.integers(1, 8))
        call = self._gateway.RunBacktests(request)
        last = 0
        async for event in call:
            results += results_in(event)
            last = event.sequence
            events -= 1
            if kind != "runs" and events <= 0 and not event.HasField("summary"):
                break
        else:
            self._expect_all(results, event)
            return results
        if kind == "cancelled":
            await self._runs.CancelRun(CancelRunRequest(run_id=request.run_id))
            async for event in call:
                results += results_in(event)
            return results
        call.cancel()
        watched = self._runs.WatchRun(WatchRunRequest(run_id=request.run_id, after_sequence=last))
        async for answer in watched:
            results += results_in(answer.event)
        self._expect_all(results, answer.event)
        return results

    def _expect_all(self, results: list[BacktestResult], summary: pb.RunBacktestsResponse) -> None:
        failed = summary.summary.progress.failed
        if len(results) + failed != len(self._symbols) or len({each.symbol for each in results}) != len(
            results
        ):
            raise RuntimeError(f"results are missing or double: {sorted(each.symbol for each in results)}")
        self._outcomes["failures"] += failed
