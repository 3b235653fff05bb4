"""Logs, metrics and traces of real services during a real run."""

import asyncio
import json
import os
from typing import TYPE_CHECKING

import grpc
import pytest
from google.protobuf.struct_pb2 import Value
from grpc_channelz.v1 import channelz_pb2, channelz_pb2_grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from backcast.backtest.v1.backtest_spec_pb2 import BacktestSpec
from backcast.backtest.v1.sweep_pb2 import ParameterRange
from backcast.gateway.v1 import backtest_service_pb2 as pb
from backcast_engine.candles import Candles
from backcast_engine.strategies.rsi import Rsi
from services.local.stack import serve_command
from services.rpc.channel import open_channel
from services.wire.backtests import strategy_to
from tests.candle_making import events_of, import_candles, random_candles
from tests.end_to_end.operations.observed import Observed
from tests.end_to_end.operations.service_metrics import SERVICES
from tests.requests import with_spec
from tests.waiting import until

if TYPE_CHECKING:
    from backcast.gateway.v1.backtest_service_pb2_grpc import BacktestServiceAsyncStub
    from backcast.marketdata.v1.market_data_service_pb2_grpc import MarketDataServiceAsyncStub

METHODS = {
    "backcast-gateway": "backcast.gateway.v1.BacktestService/RunBacktests",
    "backcast-compute": "backcast.compute.v1.ComputeService/ComputeBacktests",
    "backcast-data": "backcast.marketdata.v1.MarketDataService/StreamCandles",
}


def request(run_id: str, **fields: object) -> pb.RunBacktestsRequest:
    symbols = [f"RUN{number:02}USDT" for number in range(12)]
    return pb.RunBacktestsRequest(
        **with_spec(
            **{  # type: ignore[arg-type]
                "symbols": symbols,
                "strategy": strategy_to(Rsi()),
                "cache_mode": pb.CACHE_MODE_BYPASS,
                "run_id": run_id,
                **fields,
            }
        )
    )


async def test_one_run_is_one_trace_through_three_services(
    observed: Observed,
    observed_gateway: "BacktestServiceAsyncStub",
    data_service: "MarketDataServiceAsyncStub",
) -> None:
    # Of which compute has no candles yet.
    await import_candles(data_service, "TRACEDUSDT", random_candles(77, 24 * 50))
    run_id = "traced-run"
    asked = request(run_id, symbols=["TRACEDUSDT"], cache_mode=pb.CACHE_MODE_DEFAULT)
    events = [event async for event in events_of(observed_gateway, asked)]
    assert events[-1].progress.completed == 1
    names = (*METHODS.values(), "cache read", "compute batch")
    spans = await asyncio.to_thread(observed.collector.wait_for, names, run_id)
    served = {}
    for service, method in METHODS.items():
        (served[service],) = (span for name, span in spans if (name, span.name) == (service, method))
    gateway, compute, data = served.values()
    assert {span.trace_id for _, span in spans} == {gateway.trace_id}
    assert not gateway.parent_span_id
    assert compute.parent_span_id == gateway.span_id
    assert data.parent_span_id == compute.span_id
    assert all(span.kind == Span.SPAN_KIND_SERVER for span in served.values())
    reads, batches = (
        [span for _, span in spans if span.name == name] for name in ("cache read", "compute batch")
    )
    assert {span.parent_span_id for span in reads} == {gateway.span_id}
    assert {span.parent_span_id for span in batches} == {compute.span_id}
    # A call's span lasts until its stream has ended.
    last = max(span.end_time_unix_nano for span in batches)
    assert gateway.end_time_unix_nano >= compute.end_time_unix_nano >= last


async def test_a_run_is_counted_by_all_services(
    observed: Observed, observed_gateway: "BacktestServiceAsyncStub", market: dict[str, Candles]
) -> None:
    async def counts() -> list[float]:
        return [
            await observed.metrics.value(
                "gateway", "backcast_rpc_duration_seconds_count", method=METHODS["backcast-gateway"]
            ),
            await observed.metrics.value(
                "compute", "backcast_backtests_total", method="ComputeBacktests", code="OK"
            ),
            await observed.metrics.value("data", "backcast_rpc_duration_seconds_count", code="OK"),
        ]

    before = await counts()
    _ = [event async for event in events_of(observed_gateway, request("counted-run"))]
    after = await counts()
    assert after[0] == before[0] + 1
    assert after[1] == before[1] + 12
    assert after[2] >= before[2] + 1
    assert await observed.metrics.value("data", "backcast_candles_read_total", interval="1h") > 0
    assert await observed.metrics.value("data", "backcast_database_connections") >= 1
    assert await observed.metrics.value("compute", "backcast_workers") >= 1
    assert await observed.metrics.value("compute", "backcast_workers_busy") == 0


async def test_calls_are_timed_by_how_they_end(
    observed: Observed, observed_gateway: "BacktestServiceAsyncStub", market: dict[str, Candles]
) -> None:
    service = "backcast.gateway.v1.BacktestService"
    ends = [(f"{service}/RunBacktests", "INVALID_ARGUMENT"), (f"{service}/SweepBacktests", "CANCELLED")]

    async def counts() -> list[float]:
        name = "backcast_rpc_duration_seconds_count"
        return [
            await observed.metrics.value("gateway", name, method=method, code=code) for method, code in ends
        ]

    before = await counts()
    with pytest.raises(grpc.aio.AioRpcError):
        _ = [event async for event in events_of(observed_gateway, pb.RunBacktestsRequest())]
    values = [Value(number_value=value) for value in range(2, 500)]
    call = observed_gateway.SweepBacktests(
        pb.SweepBacktestsRequest(
            spec=BacktestSpec(strategy=strategy_to(Rsi())),
            ranges=[ParameterRange(name="period", values=values)],
            cache_mode=pb.CACHE_MODE_BYPASS,
        )
    )
    await anext(aiter(call))
    call.cancel()

    # The server learns of it when it does.
    async def all_have_ended() -> bool:
        return await counts() == [count + 1 for count in before]

    await until(all_have_ended)
    for method, _ in ends:
        assert await observed.metrics.value("gateway", "backcast_rpcs_in_progress", method=method) == 0


async def test_methods_that_there_are_not_make_no_series_of_their_own(observed: Observed) -> None:
    async def unknown() -> float:
        return await observed.metrics.value(
            "gateway", "backcast_rpc_duration_seconds_count", method="unknown"
        )

    before = await unknown()
    async with open_channel(observed.stack.gateway_address) as channel:
        for number in range(3):
            with pytest.raises(grpc.aio.AioRpcError):
                await channel.unary_unary(f"/strange.Service/Method{number}")(b"")
    assert await unknown() == before + 3
    for metric in await observed.metrics.all_of("gateway"):
        assert not any("strange" in sample.labels.get("method", "") for sample in metric.samples)


async def test_a_run_ends_with_one_line_of_the_log_and_is_counted(
    observed: Observed, observed_gateway: "BacktestServiceAsyncStub", market: dict[str, Candles]
) -> None:
    labels = {"method": "RunBacktests"}

    async def counts() -> list[float]:
        return [
            await observed.metrics.value("gateway", "backcast_runs_total", **labels, outcome="completed"),
            await observed.metrics.value("gateway", "backcast_results_total", **labels, source="computed"),
            await observed.metrics.value("gateway", "backcast_results_total", **labels, source="cache"),
            await observed.metrics.value(
                "gateway", "backcast_run_phase_seconds_count", **labels, phase="first_result"
            ),
        ]

    before = await counts()
    refresh = request("logged-run", cache_mode=pb.CACHE_MODE_REFRESH)
    cached = request("cached-run", cache_mode=pb.CACHE_MODE_ONLY)
    for asked in (refresh, cached):
        _ = [event async for event in events_of(observed_gateway, asked)]
    assert await counts() == [count + more for count, more in zip(before, (2, 12, 12, 2), strict=True)]
    for run_id, from_cache in (("logged-run", 0), ("cached-run", 12)):
        (line,) = (
            each
            for each in observed.lines("gateway")
            if each["event"] == "run ended" and each["run_id"] == run_id
        )
        fields = {
            name: line[name] for name in ("client", "strategy", "outcome", "total", "completed", "failed")
        }
        assert fields == {
            "client": "anonymous",
            "strategy": "rsi",
            "outcome": "completed",
            "total": 12,
            "completed": 12,
            "failed": 0,
        }
        assert line["from_cache"] == from_cache
        assert 0 <= line["plan_s"] <= line["first_result_s"] <= line["total_s"]


async def test_a_single_backtest_is_logged_and_counted_as_a_run_is(
    observed: Observed, observed_gateway: "BacktestServiceAsyncStub", market: dict[str, Candles]
) -> None:
    async def counts() -> list[float]:
        return [
            await observed.metrics.value("gateway", name, method="RunBacktest", **labels)
            for name, labels in (
                ("backcast_runs_total", {"outcome": "completed"}),
                ("backcast_results_total", {"source": "computed"}),
                ("backcast_results_total", {"source": "cache"}),
                ("backcast_run_phase_seconds_count", {"phase": "first_result"}),
                ("backcast_run_phase_seconds_count", {"phase": "total"}),
            )
        ]

    before = await counts()
    asked = pb.RunBacktestRequest(symbol="RUN00USDT", spec=BacktestSpec(strategy=strategy_to(Rsi())))
    for run_id, cache_mode in (("computed", pb.CACHE_MODE_REFRESH), ("cached", pb.CACHE_MODE_ONLY)):
        asked.run_id, asked.cache_mode = f"{run_id}-call", cache_mode
        await observed_gateway.RunBacktest(asked)
    assert await counts() == [count + more for count, more in zip(before, (2, 1, 1, 2, 2), strict=True)]
    computed, cached = (
        next(each for each in observed.lines("gateway") if each.get("run_id") == run_id and "total_s" in each)
        for run_id in ("computed-call", "cached-call")
    )
    assert (computed["from_cache"], cached["from_cache"]) == (0, 1)
    for name in ("event", "method", "client", "strategy", "outcome", "total", "completed", "failed"):
        assert computed[name] == cached[name]
    assert 0 <= cached["plan_s"] <= cached["first_result_s"] <= cached["total_s"]

    async def none_is_under_way() -> bool:
        return await observed.metrics.value("gateway", "backcast_runs_in_progress") == 0

    await until(none_is_under_way)


async def test_every_line_of_a_log_is_json_and_names_its_service(observed: Observed) -> None:
    for service in SERVICES:
        lines = observed.lines(service)
        assert lines
        assert all(list(line)[:3] == ["timestamp", "level", "service"] for line in lines)
        assert {line["service"] for line in lines} == {service}


async def test_a_service_that_cannot_start_says_why_in_one_line(observed: Observed) -> None:
    (port,) = (line["port"] for line in observed.lines("data") if line["event"] == "metrics endpoint started")
    process = await asyncio.create_subprocess_exec(
        *serve_command("data"),
        env={
            **os.environ,
            "BACKCAST_DATA_PORT": "0",
            "BACKCAST_DATA_METRICS_PORT": str(port),
            "BACKCAST_DATABASE_URL": observed.stack.database_url,
        },
        stderr=asyncio.subprocess.PIPE,
    )
    _, said = await process.communicate()
    assert process.returncode == 1
    line = json.loads(said)
    assert line["level"] == "error"
    assert "BACKCAST_DATA_METRICS_PORT" in line["event"]


@pytest.mark.parametrize("service", SERVICES)
async def test_channelz_and_health_list_every_server(observed: Observed, service: str) -> None:
    async with open_channel(getattr(observed.stack, f"{service}_address")) as channel:
        health = health_pb2_grpc.HealthStub(channel)
        watch = health.Watch(health_pb2.HealthCheckRequest())
        assert (await anext(aiter(watch))).status == health_pb2.HealthCheckResponse.SERVING
        watch.cancel()
        channelz = channelz_pb2_grpc.ChannelzStub(channel)
        servers = (await channelz.GetServers(channelz_pb2.GetServersRequest())).server
        assert sum(server.data.calls_succeeded for server in servers) > 0
