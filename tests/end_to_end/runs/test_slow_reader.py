"""A slow reader makes the run wait, and no server's memory grow."""

from pathlib import Path
from typing import TYPE_CHECKING

import grpc
import pytest

from backcast.backtest.v1 import result_pb2
from backcast.gateway.v1 import backtest_service_pb2 as pb
from backcast.gateway.v1 import run_service_pb2
from backcast.gateway.v1.backtest_service_pb2_grpc import BacktestServiceStub
from backcast.gateway.v1.run_service_pb2_grpc import RunServiceStub
from backcast_engine.errors import ErrorReason
from services.local.stack import LocalStack
from services.rpc.channel import open_channel
from tests.end_to_end.one_service import service_beside
from tests.error_info import error_info
from tests.known_runs import known_run, known_runs
from tests.long_run import LONG_SYMBOLS, long_request
from tests.waiting import until

if TYPE_CHECKING:
    from backcast.gateway.v1.run_service_pb2_grpc import RunServiceAsyncStub

RUNS = 2


async def done(stub: "RunServiceAsyncStub", run_id: str) -> int:
    """Return how many results a run has."""
    return (await known_run(stub, run_id)).done_backtest_count


async def test_a_slow_reader_makes_the_run_wait(
    stack: LocalStack, long_market: None, short_folder: Path
) -> None:
    async with (
        service_beside(stack, "compute", short_folder / "slow") as compute,
        service_beside(stack, "gateway", short_folder / "slow", compute_address=compute.address) as gateway,
        open_channel(gateway.address) as channel,
    ):
        stub, runs = BacktestServiceStub(channel), RunServiceStub(channel)
        wanted = long_request()
        # Once at full speed: what is used from then on is the run's.
        _ = [event async for event in stub.RunBacktests(wanted)]
        memory_before = gateway.process.memory_info().rss + compute.process.memory_info().rss
        calls = []
        for number in range(RUNS):
            wanted.run_id = f"slow-{number}"
            calls.append(stub.RunBacktests(wanted))
            assert (await anext(aiter(calls[-1]))).HasField("started")
        # A run that was asked for later and is read is complete: so would they be, if they did not wait.
        # Its results are small, so that it takes no memory itself.
        wanted.run_id, wanted.detail = "", result_pb2.DETAIL_METRICS
        assert [event async for event in stub.RunBacktests(wanted)][-1].HasField("summary")
        for number in range(RUNS):
            # What is not computed takes no memory.
            assert 0 < await done(runs, f"slow-{number}") < len(LONG_SYMBOLS) / 2
        memory_after = gateway.process.memory_info().rss + compute.process.memory_info().rss
        # Of each run, 4 MiB of events are kept, and some 15 more are on their way: in gRPC's windows, in
        # sockets, in batches. It is as much where a run is four times as long.
        assert memory_after - memory_before < RUNS * 30 * 2**20
        # And who reads at last gets all of it.
        for call in calls:
            events = [event async for event in call]
            assert events[-1].summary.progress.completed == len(LONG_SYMBOLS)


async def test_the_error_of_a_watcher_who_asks_for_dropped_events_names_the_kept_ones(
    stack: LocalStack, long_market: None
) -> None:
    async with open_channel(stack.gateway_address) as channel:
        runs = RunServiceStub(channel)
        events = [
            event async for event in BacktestServiceStub(channel).RunBacktests(long_request("more-than-kept"))
        ]

        async def watched(after: int) -> list[pb.RunBacktestsResponse]:
            request = run_service_pb2.WatchRunRequest(run_id="more-than-kept", after_sequence=after)
            return [answer.event async for answer in runs.WatchRun(request)]

        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await watched(0)
        code, reason, metadata = error_info(caught.value)
        assert (code, reason) == ("NOT_FOUND", ErrorReason.RUN_EVENTS_NOT_KEPT)
        first_kept = int(metadata.pop("first_kept"))
        assert not metadata
        assert 1 < first_kept < len(events)
        assert await watched(first_kept - 1) == events[first_kept - 1 :]


async def test_a_run_whose_reader_forgets_it_gives_its_slot_back_and_goes_on_later(
    stack: LocalStack, long_market: None, short_folder: Path
) -> None:
    async with (
        service_beside(
            stack, "gateway", short_folder / "forgotten", max_runs=1, reader_idle_s=0.5
        ) as gateway,
        open_channel(gateway.address) as channel,
    ):
        stub, runs = BacktestServiceStub(channel), RunServiceStub(channel)
        forgotten = aiter(stub.RunBacktests(long_request()))
        first = await anext(forgotten)
        assert first.HasField("started")

        async def only_run() -> run_service_pb2.Run:
            (info,) = await known_runs(runs)
            return info

        async def is_paused() -> bool:
            return (await only_run()).state == run_service_pb2.RUN_STATE_PAUSED

        await until(is_paused)
        info = await only_run()
        assert (info.watcher_count, info.run_id) == (1, first.started.run_id)
        # There is one slot, and it is free.
        other = long_request()
        del other.symbols[1:]
        assert [event async for event in stub.RunBacktests(other)][-1].summary.progress.completed == 1
        events = [first, *[event async for event in forgotten]]
        assert [event.sequence for event in events] == list(range(1, len(events) + 1))
        results = [event.result.symbol for event in events if event.HasField("result")]
        assert sorted(results) == sorted(LONG_SYMBOLS)
        assert events[-1].summary.progress.completed == len(LONG_SYMBOLS)
