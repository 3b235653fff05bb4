"""Readers that leave, that come back, and that do not read: what the gateway's runs do then."""

import asyncio
import json
from contextlib import aclosing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from backcast.backtest.v1 import result_pb2
from backcast.backtest.v1.backtest_spec_pb2 import BacktestSpec
from backcast.gateway.v1 import backtest_service_pb2 as pb
from backcast.gateway.v1 import run_service_pb2
from backcast.gateway.v1.run_service_pb2_grpc import RunServiceStub
from services.domain.candles import Candles
from services.engine.strategies.rsi import Rsi
from services.local.ports import free_ports
from services.local.stack import LocalStack
from services.rpc.channel import open_channel
from services.wire.backtests import strategy_to
from tests.candle_making import START_S, import_candles, random_candles
from tests.end_to_end.one_service import service_beside
from tests.end_to_end.processes import process_at, until_idle
from tests.waiting import LIMIT_S
from tests.web.clients import Page, enveloped, info_of, next_message, path_of

if TYPE_CHECKING:
    from backcast.gateway.v1.run_service_pb2_grpc import RunServiceAsyncStub
    from backcast.marketdata.v1.market_data_service_pb2_grpc import MarketDataServiceAsyncStub

SYMBOLS = [f"LONG{number}USDT" for number in range(30)]
HOURS = 24 * 365 * 6
SPEC: dict[str, Any] = {"strategy": {"rsi": {}}}
PAUSED = run_service_pb2.RUN_STATE_PAUSED
# Of events on their way: in the buffers of gRPC, of sockets, of HTTP.
MOST_ON_THEIR_WAY = 16 * 2**20


@pytest.fixture(scope="module")
async def long_market(data_service: "MarketDataServiceAsyncStub") -> None:
    """Thirty cryptos whose equity curves are 25 MB together."""
    for number, symbol in enumerate(SYMBOLS):
        await import_candles(data_service, symbol, random_candles(number, HOURS, START_S - 3600 * HOURS))


def request(run_id: str) -> pb.RunBacktestsRequest:
    """Return a request whose results are 25 MB."""
    return pb.RunBacktestsRequest(
        run_id=run_id,
        symbols=SYMBOLS,
        spec=BacktestSpec(start_time=Timestamp(seconds=START_S - 3600 * HOURS), strategy=strategy_to(Rsi())),
        detail=result_pb2.DETAIL_EQUITY,
        cache_mode=pb.CACHE_MODE_BYPASS,
    )


async def info(runs: "RunServiceAsyncStub", run_id: str) -> run_service_pb2.Run:
    listed = await runs.ListRuns(run_service_pb2.ListRunsRequest())
    (found,) = (each for each in listed.runs if each.run_id == run_id)
    return found


async def until_paused(runs: "RunServiceAsyncStub", run_id: str) -> run_service_pb2.Run:
    async with asyncio.timeout(LIMIT_S):
        while (found := await info(runs, run_id)).state != PAUSED or found.watcher_count:
            await asyncio.sleep(0.02)
    return found


async def begun(reader: asyncio.StreamReader) -> pb.RunBacktestsResponse:
    """Read the head of a response and its first event."""
    head = await reader.readuntil(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 ")
    return pb.RunBacktestsResponse.FromString(await next_message(reader))


async def test_a_reader_that_leaves_pauses_its_run_and_takes_it_up_where_it_was(
    page: Page, runs: "RunServiceAsyncStub", long_market: None
) -> None:
    async with page.connected("RunBacktests", request("left")) as reader:
        first = await begun(reader)
        second = pb.RunBacktestsResponse.FromString(await next_message(reader))
    assert (first.sequence, second.sequence) == (1, 2)
    paused = await until_paused(runs, "left")
    assert paused.done_backtest_count < len(SYMBOLS)
    wanted = run_service_pb2.WatchRunRequest(run_id="left", after_sequence=2)
    async with page.client() as client:
        stream = client.execute_server_stream(request=wanted, method=info_of("WatchRun"))
        rest = [answer.event async for answer in stream]
    events = [first, second, *rest]
    assert [event.sequence for event in events] == list(range(1, len(events) + 1))
    assert events[-1].summary.progress.completed == len(SYMBOLS)
    assert sorted(event.result.symbol for event in events if event.HasField("result")) == sorted(SYMBOLS)


async def test_connectrpcs_client_that_leaves_pauses_its_run(
    page: Page, runs: "RunServiceAsyncStub", long_market: None
) -> None:
    async with page.client() as client:
        stream: Any = client.execute_server_stream(request=request("closed"), method=info_of("RunBacktests"))
        async with aclosing(stream):
            assert (await anext(stream)).HasField("started")
    await until_paused(runs, "closed")


async def test_who_leaves_before_a_unary_call_has_answered_cancels_it(
    stack: LocalStack, market: dict[str, Candles], short_folder: Path
) -> None:
    """The gateway counts it as cancelled, and not as failed, though compute says nothing."""
    folder, (port,) = short_folder / "unary", free_ports(1)
    compute = process_at(stack.compute_address)
    async with (
        service_beside(stack, "gateway", folder, gateway_metrics_port=port) as gateway,
        service_beside(stack, "web", folder, gateway_address=gateway.address) as web,
        open_channel(gateway.address) as channel,
    ):
        runs, metrics = RunServiceStub(channel), Page(f"127.0.0.1:{port}")
        compute.suspend()
        try:
            body = {"symbol": next(iter(market)), "cacheMode": "CACHE_MODE_BYPASS", "spec": SPEC}
            text = json.dumps(body).encode()
            _, writer = await asyncio.open_connection(*web.address.rsplit(":", 1))
            head = f"POST {path_of('RunBacktest')} HTTP/1.1\r\nhost: {web.address}\r\n"
            head += f"content-type: application/json\r\ncontent-length: {len(text)}\r\n\r\n"
            writer.write(head.encode() + text)
            await writer.drain()
            async with asyncio.timeout(LIMIT_S):
                while not await running(runs):
                    await asyncio.sleep(0.02)
                writer.transport.abort()
                counted = b""
                while b"RunBacktest" not in counted:
                    counted = await ended_calls(metrics)
            assert b'code="CANCELLED"' in counted
        finally:
            compute.resume()


async def ended_calls(metrics: Page) -> bytes:
    """Return the metrics of calls of RunBacktest that have ended, by their codes."""
    lines = (await metrics.send("GET", "/metrics")).body.splitlines()
    name = b"backcast_rpc_duration_seconds_count"
    return b"\n".join(line for line in lines if line.startswith(name) and b'/RunBacktest"' in line)


async def running(runs: "RunServiceAsyncStub") -> list[run_service_pb2.Run]:
    listed = await runs.ListRuns(run_service_pb2.ListRunsRequest())
    return [each for each in listed.runs if each.state == run_service_pb2.RUN_STATE_RUNNING]


async def test_a_reader_that_does_not_read_makes_the_run_wait_in_bounded_memory(
    stack: LocalStack, long_market: None, short_folder: Path
) -> None:
    async with (
        service_beside(stack, "gateway", short_folder / "slow-page") as gateway,
        service_beside(stack, "web", short_folder / "slow-page", gateway_address=gateway.address) as web,
        open_channel(gateway.address) as channel,
    ):
        runs, page = RunServiceStub(channel), Page(web.address)
        compute = process_at(stack.compute_address)
        async with page.connected("RunBacktests", request("slow")) as reader:
            first = await begun(reader)
            memory_before = web.process.memory_info().rss
            while not (await info(runs, "slow")).done_backtest_count:
                await asyncio.sleep(0.05)
            await until_idle(web.process, gateway.process, compute)
            # What is not asked for is not computed, and the page's process holds next to nothing of it.
            assert (await info(runs, "slow")).done_backtest_count < len(SYMBOLS) * 2 / 3
            assert web.process.memory_info().rss - memory_before < MOST_ON_THEIR_WAY
            # And who reads at last gets all of it.
            events = [first]
            while message := await next_message(reader):
                events.append(pb.RunBacktestsResponse.FromString(message))
        assert events[-1].summary.progress.completed == len(SYMBOLS)


async def test_a_killed_process_loses_nothing(
    stack: LocalStack, runs: "RunServiceAsyncStub", long_market: None, short_folder: Path
) -> None:
    async with (
        service_beside(stack, "web", short_folder / "killed") as web,
        Page(web.address).connected("RunBacktests", request("killed")) as reader,
    ):
        first = await begun(reader)
        web.process.kill()
        with pytest.raises((asyncio.IncompleteReadError, ConnectionError, ValueError)):
            while True:
                await next_message(reader)
    await until_paused(runs, "killed")
    async with (
        service_beside(stack, "web", short_folder / "killed") as web,
        Page(web.address).client() as client,
    ):
        wanted = run_service_pb2.WatchRunRequest(run_id="killed", after_sequence=first.sequence)
        stream = client.execute_server_stream(request=wanted, method=info_of("WatchRun"))
        rest = [answer.event async for answer in stream]
    assert [event.sequence for event in rest] == list(range(2, len(rest) + 2))
    assert rest[-1].summary.progress.completed == len(SYMBOLS)


async def test_stopping_ends_streams_with_a_sentence(stack: LocalStack, short_folder: Path) -> None:
    async with service_beside(stack, "web", short_folder / "stopped", shutdown_grace_s=0.1) as web:
        reader, writer = await asyncio.open_connection(*web.address.rsplit(":", 1))
        body = enveloped(b"{}")
        head = f"POST {path_of('Watch')} HTTP/1.1\r\nhost: {web.address}\r\n"
        head += f"content-type: application/connect+json\r\ncontent-length: {len(body)}\r\n\r\n"
        writer.write(head.encode() + body)
        await reader.readuntil(b"\r\n\r\n")
        assert b"SERVING" in await next_message(reader)
        web.process.terminate()
        async with asyncio.timeout(LIMIT_S):
            end = await reader.read()
        writer.close()
        assert b'"unavailable"' in end
        assert b"the service is stopping" in end
        assert await asyncio.to_thread(web.process.wait, LIMIT_S) in (0, None)
    assert not psutil.pid_exists(web.process.pid)
