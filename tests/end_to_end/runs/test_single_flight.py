"""What many want at the same time is computed once, by one of them or by another gateway."""

import asyncio
import signal
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from redis.asyncio import Redis

from backcast.backtest.v1 import result_pb2
from backcast.backtest.v1.result_pb2 import BacktestResult
from backcast.gateway.v1 import backtest_service_pb2 as pb
from backcast.gateway.v1.backtest_service_pb2_grpc import BacktestServiceStub
from backcast_engine.candles import Candles
from backcast_engine.strategies.rsi import Rsi
from services.local.stack import LocalStack
from services.rpc.channel import open_channel
from services.wire.backtests import strategy_to
from tests.candle_making import events_of
from tests.end_to_end.one_service import service_beside
from tests.requests import with_spec
from tests.waiting import LIMIT_S

if TYPE_CHECKING:
    from backcast.gateway.v1.backtest_service_pb2_grpc import BacktestServiceAsyncStub

SYMBOLS = [f"RUN{number:02}USDT" for number in range(12)]


def request(oversold: float, **fields: object) -> pb.RunBacktestsRequest:
    """Return a request that no other test makes."""
    return pb.RunBacktestsRequest(
        **with_spec(
            **{"symbols": SYMBOLS, "strategy": strategy_to(Rsi(oversold=oversold)), **fields}  # type: ignore[arg-type]
        )
    )


async def results_of(
    gateway: "BacktestServiceAsyncStub", wanted: pb.RunBacktestsRequest
) -> dict[str, BacktestResult]:
    results = {
        event.result.symbol: event.result
        async for event in events_of(gateway, wanted)
        if event.HasField("result")
    }
    assert len(results) == len(wanted.symbols)
    return results


def computed(runs: list[dict[str, BacktestResult]]) -> int:
    return sum(not result.from_cache for run in runs for result in run.values())


def same(runs: list[dict[str, BacktestResult]]) -> bool:
    for run in runs:
        for result in run.values():
            result.from_cache = False
    return all(run == runs[0] for run in runs)


async def test_a_hundred_clients_cause_one_computation(stack: LocalStack, market: dict[str, Candles]) -> None:
    async with AsyncExitStack() as channels:
        clients = [
            BacktestServiceStub(await channels.enter_async_context(open_channel(stack.gateway_address)))
            for _ in range(100)
        ]
        runs = await asyncio.gather(*(results_of(client, request(21.0)) for client in clients))
    assert computed(runs) == len(SYMBOLS)
    assert same(runs)


async def test_runs_share_what_they_have_in_common(
    gateway: "BacktestServiceAsyncStub", market: dict[str, Candles]
) -> None:
    parts = [SYMBOLS[:8], SYMBOLS[4:], SYMBOLS[::2], SYMBOLS]
    runs = await asyncio.gather(
        *(results_of(gateway, request(22.0, symbols=part, detail=result_pb2.DETAIL_EQUITY)) for part in parts)
    )
    assert computed(runs) == len(SYMBOLS)


async def test_two_gateways_compute_once(
    stack: LocalStack, gateway: "BacktestServiceAsyncStub", market: dict[str, Candles], short_folder: Path
) -> None:
    async with (
        service_beside(stack, "gateway", short_folder / "second") as second,
        open_channel(second.address) as channel,
    ):
        other = BacktestServiceStub(channel)
        runs = await asyncio.gather(
            *(results_of(client, request(23.0)) for _ in range(5) for client in (gateway, other))
        )
    assert computed(runs) == len(SYMBOLS)
    assert same(runs)


async def test_a_gateway_that_dies_with_its_leases_does_not_keep_the_others_waiting(
    stack: LocalStack, gateway: "BacktestServiceAsyncStub", market: dict[str, Candles], short_folder: Path
) -> None:
    async with (
        Redis.from_url(stack.redis_url) as redis,
        service_beside(stack, "gateway", short_folder / "dies") as second,
        open_channel(second.address) as channel,
    ):
        # Compute that stands still: the second gateway gets its leases, and no further.
        async with service_beside(stack, "compute", short_folder / "still") as compute:
            async with service_beside(
                stack, "gateway", short_folder / "dying", compute_address=compute.address
            ) as dying:
                compute.process.send_signal(signal.SIGSTOP)
                async with open_channel(dying.address) as its_channel:
                    call = BacktestServiceStub(its_channel).RunBacktests(request(24.0))
                    await anext(aiter(call))
                    while not [key async for key in redis.scan_iter("*:lease")]:
                        pass
                    dying.process.kill()
                    call.cancel()
                async with asyncio.timeout(LIMIT_S):
                    runs = [await results_of(gateway, request(24.0))]
            compute.process.send_signal(signal.SIGCONT)
        assert computed(runs) == len(SYMBOLS)
        assert computed([await results_of(BacktestServiceStub(channel), request(24.0))]) == 0


async def test_whoever_computes_may_leave(
    gateway: "BacktestServiceAsyncStub", market: dict[str, Candles]
) -> None:
    wanted = request(25.0, detail=result_pb2.DETAIL_EQUITY)
    first = gateway.RunBacktests(wanted)
    await anext(aiter(first))
    others = [asyncio.create_task(results_of(gateway, wanted)) for _ in range(3)]
    first.cancel()
    runs = await asyncio.gather(*others)
    assert computed(runs) <= len(SYMBOLS)
    assert same(runs)


async def test_failures_are_shared_too(
    gateway: "BacktestServiceAsyncStub", market: dict[str, Candles]
) -> None:
    # The last one is listed late: it has no candle in this window.
    wanted = request(26.0)
    wanted.symbols[:] = ["RUN11USDT"]
    wanted.spec.start_time.seconds = int(market["RUN00USDT"].open_time_s[0])
    wanted.spec.end_time.seconds = wanted.spec.start_time.seconds + 100 * 3600

    async def failure() -> str:
        (said,) = [
            event.failure.status.message
            async for event in events_of(gateway, wanted)
            if event.HasField("failure")
        ]
        return said

    said = await asyncio.gather(*(failure() for _ in range(20)))
    assert len(set(said)) == 1
