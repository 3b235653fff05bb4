"""Readers that leave, that come back, and that do not read: what the gateway's runs do then."""

import asyncio
import json
from contextlib import aclosing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from backcast.gateway.v1 import backtest_service_pb2 as pb
from backcast.gateway.v1 import run_service_pb2
from backcast.gateway.v1.backtest_service_pb2_grpc import BacktestServiceStub
from backcast.gateway.v1.run_service_pb2_grpc import RunServiceStub
from backcast_engine.candles import Candles
from services.local.ports import free_ports
from services.local.stack import LocalStack
from services.rpc.channel import open_channel
from tests.end_to_end.one_service import service_beside
from tests.end_to_end.processes import process_at
from tests.known_runs import known_run, known_runs
from tests.long_run import LONG_SYMBOLS, long_request
from tests.waiting import LIMIT_S, until
from tests.web.clients import Page, enveloped, info_of, next_message, path_of

if TYPE_CHECKING:
    from backcast.gateway.v1.run_service_pb2_grpc import RunServiceAsyncStub

SPEC: dict[str, Any] = {"strategy": {"rsi": {}}}
PAUSED = run_service_pb2.RUN_STATE_PAUSED
# Of events on their way: in the buffers of gRPC, of sockets, of HTTP.
MOST_ON_THEIR_WAY = 16 * 2**20


async def until_paused(runs: "RunServiceAsyncStub", run_id: str) -> run_service_pb2.Run:
    async def is_paused() -> bool:
        found = await known_run(runs, run_id)
        return found.state == PAUSED and not found.watcher_count

    await until(is_paused)
    return await known_run(runs, run_id)


async def begun(reader: asyncio.StreamReader) -> pb.RunBacktestsResponse:
    """Read the head of a response and its first event."""
    head = await reader.readuntil(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 ")
    return pb.RunBacktestsResponse.FromString(await next_message(reader))


async def test_a_reader_that_leaves_pauses_its_run_and_takes_it_up_where_it_was(
    page: Page, runs: "RunServiceAsyncStub", long_market: None
) -> None:
    async with page.connected("RunBacktests", long_request("left")) as reader:
        first = await begun(reader)
        second = pb.RunBacktestsResponse.FromString(await next_message(reader))
    assert (first.sequence, second.sequence) == (1, 2)
    paused = await until_paused(runs, "left")
    assert paused.done_backtest_count < len(LONG_SYMBOLS)
    wanted = run_service_pb2.WatchRunRequest(run_id="left", after_sequence=2)
    async with page.client() as client:
        stream = client.execute_server_stream(request=wanted, method=info_of("WatchRun"))
        rest = [answer.event async for answer in stream]
    events = [first, second, *rest]
    assert [event.sequence for event in events] == list(range(1, len(events) + 1))
    assert events[-1].summary.progress.completed == len(LONG_SYMBOLS)
    assert sorted(event.result.symbol for event in events if event.HasField("result")) == sorted(LONG_SYMBOLS)


async def test_connectrpcs_client_that_leaves_pauses_its_run(
    page: Page, runs: "RunServiceAsyncStub", long_market: None
) -> None:
    async with page.client() as client:
        stream: Any = client.execute_server_stream(
            request=long_request("closed"), method=info_of("RunBacktests")
        )
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
            await until(lambda: is_running(runs))
            writer.transport.abort()
            await until(lambda: has_ended(metrics))
            assert b'code="CANCELLED"' in await ended_calls(metrics)
        finally:
            compute.resume()


async def ended_calls(metrics: Page) -> bytes:
    """Return the metrics of calls of RunBacktest that have ended, by their codes."""
    lines = (await metrics.send("GET", "/metrics")).body.splitlines()
    name = b"backcast_rpc_duration_seconds_count"
    return b"\n".join(line for line in lines if line.startswith(name) and b'/RunBacktest"' in line)


async def has_ended(metrics: Page) -> bool:
    return bool(await ended_calls(metrics))


async def is_running(runs: "RunServiceAsyncStub") -> bool:
    return any(each.state == run_service_pb2.RUN_STATE_RUNNING for each in await known_runs(runs))


async def test_a_reader_that_does_not_read_makes_the_run_wait_in_bounded_memory(
    stack: LocalStack, long_market: None, short_folder: Path
) -> None:
    async with (
        service_beside(stack, "gateway", short_folder / "slow-page") as gateway,
        service_beside(stack, "web", short_folder / "slow-page", gateway_address=gateway.address) as web,
        open_channel(gateway.address) as channel,
    ):
        runs, page = RunServiceStub(channel), Page(web.address)
        async with page.connected("RunBacktests", long_request("slow")) as reader:
            first = await begun(reader)
            memory_before = web.process.memory_info().rss
            # A run that was asked for later and is read is complete: so would this one be without a limit.
            later = [event async for event in BacktestServiceStub(channel).RunBacktests(long_request())]
            assert later[-1].HasField("summary")
            # What is not asked for is not computed, and the page's process holds next to nothing of it.
            assert 0 < (await known_run(runs, "slow")).done_backtest_count < len(LONG_SYMBOLS) * 2 / 3
            assert web.process.memory_info().rss - memory_before < MOST_ON_THEIR_WAY
            # And who reads at last gets all of it.
            events = [first]
            while message := await next_message(reader):
                events.append(pb.RunBacktestsResponse.FromString(message))
        assert events[-1].summary.progress.completed == len(LONG_SYMBOLS)


async def test_a_killed_process_loses_nothing(
    stack: LocalStack, runs: "RunServiceAsyncStub", long_market: None, short_folder: Path
) -> None:
    async with (
        service_beside(stack, "web", short_folder / "killed") as web,
        Page(web.address).connected("RunBacktests", long_request("killed")) as reader,
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
    assert rest[-1].summary.progress.completed == len(LONG_SYMBOLS)


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
