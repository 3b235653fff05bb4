"""Each service is killed or stopped, and started again, under a running load."""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import grpc
import pytest

from backcast.backtest.v1.backtest_spec_pb2 import BacktestSpec
from backcast.backtest.v1.result_pb2 import BacktestResult
from backcast.gateway.v1 import backtest_service_pb2 as pb
from backcast.gateway.v1.backtest_service_pb2_grpc import BacktestServiceStub
from backcast_engine.candles import Candles
from backcast_engine.strategies.rsi import Rsi
from services.local.ports import HOST, free_ports
from services.local.stack import LocalStack
from services.rpc.channel import open_channel
from services.wire.backtests import strategy_to
from tests.end_to_end.one_service import OneService, service_beside
from tests.waiting import LIMIT_S

if TYPE_CHECKING:
    from backcast.gateway.v1.backtest_service_pb2_grpc import BacktestServiceAsyncStub

SYMBOLS = [f"RUN{number:02}USDT" for number in range(12)]
SERVICES = ("data", "compute", "gateway")
_CLIENTS = 4


@pytest.fixture(scope="module")
async def services(
    stack: LocalStack, market: dict[str, Candles], short_folder: Path
) -> AsyncIterator[dict[str, OneService]]:
    """Three services that know each other, by their names."""
    ports = dict(zip(SERVICES, free_ports(3), strict=True))
    addresses = {f"{name}_address": f"{HOST}:{port}" for name, port in ports.items()}
    folder = short_folder / "restarts"
    async with AsyncExitStack() as to_stop:
        yield {
            name: await to_stop.enter_async_context(service_beside(stack, name, folder, port, **addresses))
            for name, port in ports.items()
        }


async def run(stub: "BacktestServiceAsyncStub", client: int) -> dict[str, BacktestResult]:
    """Return the results of a complete run; half of the clients use the cache."""
    wanted = pb.RunBacktestsRequest(
        symbols=SYMBOLS,
        spec=BacktestSpec(strategy=strategy_to(Rsi())),
        cache_mode=pb.CACHE_MODE_BYPASS * (client % 2),
    )
    results = {}
    async for event in stub.RunBacktests(wanted, timeout=LIMIT_S):
        if event.HasField("failure"):
            # The part that a crypto needs was away: said of this crypto, and the others went on.
            assert event.failure.status.code == grpc.StatusCode.UNAVAILABLE.value[0]
            assert "does not answer" in event.failure.status.message
        elif event.HasField("result"):
            event.result.from_cache = False
            results[event.result.symbol] = event.result
    assert event.HasField("summary")
    return results


@pytest.mark.parametrize("sent", [signal.SIGKILL, signal.SIGTERM])
@pytest.mark.parametrize("service", SERVICES)
async def test_a_service_starts_again_under_load(
    services: dict[str, OneService], service: str, sent: signal.Signals
) -> None:
    others = [name for name in SERVICES if name != service]
    async with open_channel(services["gateway"].address) as channel:
        stub = BacktestServiceStub(channel)
        expected = await run(stub, 1)
        assert len(expected) == len(SYMBOLS)
        _ = await asyncio.gather(*(run(stub, client) for client in range(_CLIENTS)))
        files = {name: services[name].process.num_fds() for name in others}
        said: list[grpc.aio.AioRpcError] = []
        stop = asyncio.Event()

        async def load(client: int) -> int:
            complete = 0
            while not stop.is_set():
                try:
                    results = await run(stub, client)
                except grpc.aio.AioRpcError as error:
                    said.append(error)
                    continue
                assert all(expected[symbol] == result for symbol, result in results.items())
                complete += 1
            return complete

        loads = [asyncio.create_task(load(client)) for client in range(_CLIENTS)]
        process = services[service].process
        process.send_signal(sent)
        exit_code = await asyncio.to_thread(process.wait, LIMIT_S)
        assert exit_code == (0 if sent is signal.SIGTERM else -signal.SIGKILL)
        await services[service].start_again()
        # The very next run works, and nothing else was started again.
        assert await run(stub, 1) == expected
        stop.set()
        async with asyncio.timeout(2 * LIMIT_S):
            complete = await asyncio.gather(*loads)
        assert sum(complete) >= _CLIENTS
        for error in said:
            if service != "gateway":
                assert error.code() is grpc.StatusCode.UNAVAILABLE, error
                assert f"the {service} service" in (error.details() or "")
            else:
                # gRPC cancels what reaches a server in the instant in which it stops, and asks nobody.
                may_be = {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED}
                assert error.code() in (may_be if sent is signal.SIGTERM else {grpc.StatusCode.UNAVAILABLE})
        for name in others:
            assert services[name].process.num_fds() <= files[name] + 4
