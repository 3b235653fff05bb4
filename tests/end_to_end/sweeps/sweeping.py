"""Runs sweeps for tests, and collects their events."""

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

from google.protobuf.json_format import ParseDict
from google.protobuf.timestamp_pb2 import Timestamp

from backcast.backtest.v1.backtest_spec_pb2 import BacktestSpec
from backcast.backtest.v1.result_pb2 import Metrics
from backcast.gateway.v1 import backtest_service_pb2 as pb
from backcast.gateway.v1 import sweep_pb2
from tests.requests import with_spec

if TYPE_CHECKING:
    from backcast.gateway.v1.backtest_service_pb2_grpc import BacktestServiceAsyncStub


def sweep_request(**fields: Any) -> pb.SweepBacktestsRequest:
    """Return a request; fields are as in its JSON."""
    return ParseDict(with_spec(**fields), pb.SweepBacktestsRequest())


def utc(time_s: int) -> str:
    """Return Unix seconds as a request's JSON has them."""
    return Timestamp(seconds=time_s).ToJsonString()


class Swept:
    """The events of one sweep, which came in the order that the API says."""

    def __init__(self, events: list[pb.SweepBacktestsResponse]) -> None:
        self.kinds = [event.WhichOneof("event") for event in events]
        assert self.kinds[0] == "started"
        assert self.kinds[-1] == "summary"
        self.started = events[0].started
        self.progress = [event.progress for event in events if event.HasField("progress")]
        self.bests = [list(event.best.trials) for event in events if event.HasField("best")]
        self.best = self.bests[-1] if self.bests else []
        self.failures = {event.failure.symbol: event.failure for event in events if event.HasField("failure")}
        self.rows = [row for event in events if event.HasField("rows") for row in event.rows.rows]
        self.curves = [event.out_of_sample for event in events if event.HasField("out_of_sample")]
        self.summary = events[-1].summary

    @property
    def outcome(self) -> list[bytes]:
        """All that must not depend on time, workers or cache, bit by bit."""
        messages: list[Any] = [*self.best, *self.rows, self.summary.winner, self.summary.selection_bias]
        messages += [self.summary.walk_forward, self.summary.overfitting, *self.curves]
        messages += [self.failures[symbol] for symbol in sorted(self.failures)]
        return [message.SerializeToString(deterministic=True) for message in messages]


async def swept(gateway: "BacktestServiceAsyncStub", request: pb.SweepBacktestsRequest) -> Swept:
    """Sweep to the end."""
    return Swept([event async for event in sweep_events(gateway, request)])


async def sweep_events(
    gateway: "BacktestServiceAsyncStub", request: pb.SweepBacktestsRequest
) -> AsyncIterator[pb.SweepBacktestsResponse]:
    async for event in gateway.SweepBacktests(request):
        yield event


async def single_metrics(
    gateway: "BacktestServiceAsyncStub",
    trial: sweep_pb2.SweepTrial,
    request: pb.SweepBacktestsRequest,
    window: tuple[Any, Any],
) -> Metrics:
    """Return what RunBacktest says of a trial in a window."""
    answer = await gateway.RunBacktest(
        pb.RunBacktestRequest(
            symbol=trial.symbol,
            spec=BacktestSpec(
                strategy=trial.strategy,
                interval=request.spec.interval,
                start_time=window[0],
                end_time=window[1],
                execution=request.spec.execution,
            ),
            cache_mode=pb.CACHE_MODE_BYPASS,
        )
    )
    return answer.result.metrics
