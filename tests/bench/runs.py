"""One run through the gateway, timed at the client."""

import time
from typing import TYPE_CHECKING

from backcast.backtest.v1.backtest_spec_pb2 import BacktestSpec
from backcast.backtest.v1.strategy_pb2 import Rsi, Strategy
from backcast.gateway.v1 import backtest_service_pb2 as pb
from services.cli.client.event_stream import RESULTS_PER_EVENT
from services.local.sample_market import CRYPTO_COUNT
from tests.bench.timing import Timing

if TYPE_CHECKING:
    from backcast.gateway.v1.backtest_service_pb2_grpc import BacktestServiceAsyncStub


def request(variant: int, *, cached: bool, per_event: int = RESULTS_PER_EVENT) -> pb.RunBacktestsRequest:
    """Return a request for the whole market; each variant costs the same and has results of its own."""
    return pb.RunBacktestsRequest(
        spec=BacktestSpec(strategy=Strategy(rsi=Rsi(oversold=oversold(variant)))),
        cache_mode=pb.CACHE_MODE_DEFAULT if cached else pb.CACHE_MODE_BYPASS,
        max_results_per_event=per_event,
    )


def oversold(variant: int) -> float:
    """Return the parameter that makes a variant: next to nothing apart, so that the work is the same."""
    return 30 + variant / 1e6


async def timed_run(
    gateway: "BacktestServiceAsyncStub", run: pb.RunBacktestsRequest, from_cache: int
) -> Timing:
    """Run `run` to its end; raise where not every crypto succeeded, or not so many came from the cache."""
    first_s = None
    summary = None
    began = time.perf_counter()
    async for event in gateway.RunBacktests(run):
        kind = event.WhichOneof("event")
        if first_s is None and kind in ("result", "results"):
            first_s = time.perf_counter() - began
        elif kind == "summary":
            summary = event.summary
    total_s = time.perf_counter() - began
    if summary is None or summary.progress.completed != CRYPTO_COUNT:
        raise RuntimeError(f"the run is not complete: {summary}")
    if summary.progress.from_cache != from_cache:
        raise RuntimeError(f"not {from_cache} results came from the cache: {summary.progress}")
    return Timing(total_s, first_s)
