"""The processes behind a run: what is in the workers, and what happens when one dies or a client leaves."""

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from backcast.gateway.v1 import backtest_service_pb2 as pb
from backcast.gateway.v1 import run_events_pb2
from backcast_engine.candles import Candles
from backcast_engine.strategies.rsi import Rsi
from services.local.stack import LocalStack
from services.wire.backtests import strategy_to
from tests.candle_making import events_of
from tests.end_to_end.processes import compute_workers, gateway_beside
from tests.requests import with_spec

if TYPE_CHECKING:
    from backcast.gateway.v1.backtest_service_pb2_grpc import BacktestServiceAsyncStub

BYPASS = pb.CACHE_MODE_BYPASS


def request(**fields: object) -> pb.RunBacktestsRequest:
    symbols = [f"RUN{number:02}USDT" for number in range(12)]
    return pb.RunBacktestsRequest(
        **with_spec(
            **{"symbols": symbols, "strategy": strategy_to(Rsi()), "cache_mode": BYPASS, **fields}  # type: ignore[arg-type]
        )
    )


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
async def test_workers_have_never_imported_grpc(
    stack: LocalStack, gateway: "BacktestServiceAsyncStub", market: dict[str, Candles]
) -> None:
    _ = [event async for event in events_of(gateway, request())]
    workers = compute_workers(stack)
    assert workers
    for worker in workers:
        maps = Path(f"/proc/{worker.pid}/maps").read_text()
        assert "numpy" in maps
        assert "cygrpc" not in maps


async def test_a_killed_worker_is_replaced_and_the_run_is_complete(
    stack: LocalStack, gateway: "BacktestServiceAsyncStub", market: dict[str, Candles]
) -> None:
    whole = [event async for event in events_of(gateway, request())]
    killed = compute_workers(stack)
    for worker in killed:
        worker.kill()
    again = [event async for event in events_of(gateway, request())]
    by_symbol = [
        {event.result.symbol: event.result for event in events if event.HasField("result")}
        for events in (whole, again)
    ]
    assert by_symbol[0] == by_symbol[1]
    assert not {worker.pid for worker in compute_workers(stack)} & {worker.pid for worker in killed}


async def test_a_client_that_leaves_mid_stream_harms_nobody(
    gateway: "BacktestServiceAsyncStub", market: dict[str, Candles]
) -> None:
    call = gateway.RunBacktests(request())
    assert (await anext(aiter(call))).HasField("started")
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await anext(aiter(call))
    events = [event async for event in events_of(gateway, request())]
    assert events[-1].progress.completed == 12


async def test_deleted_and_damaged_columns_are_fetched_anew(
    gateway: "BacktestServiceAsyncStub", market: dict[str, Candles], short_folder: Path
) -> None:
    _ = [event async for event in events_of(gateway, request())]
    files = list((short_folder / "stack" / "columns").iterdir())
    assert len(files) >= 12
    damaged = next(file for file in files if file.name.startswith("RUN00USDT-1h-"))
    for file in files:
        file.unlink()
    damaged.write_bytes(b"cut short")
    events = [event async for event in events_of(gateway, request())]
    assert events[-1].progress.completed == 12


async def test_without_the_cache_runs_still_work_and_say_so(
    stack: LocalStack, market: dict[str, Candles], short_folder: Path
) -> None:
    nowhere = "redis://127.0.0.1:1/0"
    async with gateway_beside(stack, short_folder / "uncached", redis_url=nowhere) as uncached:
        for _ in range(2):
            wanted = request(cache_mode=pb.CACHE_MODE_DEFAULT)
            events = [event async for event in events_of(uncached, wanted)]
            assert events[-1].progress == run_events_pb2.Progress(completed=12, total=12)
            assert events[-1].summary.cache_state == run_events_pb2.CACHE_STATE_UNAVAILABLE


async def test_the_result_does_not_depend_on_the_number_of_workers(
    stack: LocalStack,
    gateway: "BacktestServiceAsyncStub",
    market: dict[str, Candles],
    short_folder: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("BACKCAST_COMPUTE_WORKERS", "3")
    async with gateway_beside(stack, short_folder / "three") as other:
        results = [
            {
                event.result.symbol: event.result.SerializeToString(deterministic=True)
                async for event in events_of(client, request(detail=3))
                if event.HasField("result")
            }
            for client in (gateway, other)
        ]
    assert results[0] == results[1]
