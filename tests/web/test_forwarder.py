"""Every method of the gateway through the page's process: as the gateway itself answers, in each form."""

import json
import re
from contextlib import aclosing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import grpc
import pytest
from connectrpc.code import Code
from connectrpc.errors import ConnectError
from connectrpc.protocol import ProtocolType
from google.protobuf.json_format import ParseDict
from google.rpc import error_details_pb2
from grpc_health.v1 import health_pb2
from grpc_status import rpc_status

from backcast.backtest.v1.backtest_spec_pb2 import BacktestSpec
from backcast.gateway.v1 import backtest_service_pb2 as pb
from backcast_engine.candles import Candles
from backcast_engine.strategies.rsi import Rsi
from services.local.stack import LocalStack
from services.web.errors import error_of_call
from services.wire.backtests import strategy_to
from tests.end_to_end.one_service import OneService, service_beside
from tests.web.clients import METHODS, Page, detail_of, enveloped, info_of, path_of, violated
from tests.web.conftest import SYMBOLS

if TYPE_CHECKING:
    from backcast.gateway.v1.backtest_service_pb2_grpc import BacktestServiceAsyncStub

FORMS = pytest.mark.parametrize(
    ("protocol", "as_json"),
    [
        (ProtocolType.CONNECT, False),
        (ProtocolType.CONNECT, True),
        (ProtocolType.GRPC_WEB, False),
        (ProtocolType.GRPC_WEB, True),
    ],
)


def request(**fields: Any) -> pb.RunBacktestsRequest:
    spec = BacktestSpec(strategy=strategy_to(Rsi()))
    return pb.RunBacktestsRequest(**{"symbols": SYMBOLS, "spec": spec, **fields})


def results_of(events: list[pb.RunBacktestsResponse]) -> dict[str, bytes]:
    """Return the results by crypto, whether they come from the cache or not."""
    results = [event.result for event in events if event.HasField("result")]
    for result in results:
        result.ClearField("from_cache")
    return {result.symbol: result.SerializeToString(deterministic=True) for result in results}


@FORMS
async def test_a_unary_call_answers_as_the_gateway_does(
    page: Page, gateway: "BacktestServiceAsyncStub", protocol: ProtocolType, as_json: bool
) -> None:
    expected = await gateway.ListStrategies(pb.ListStrategiesRequest())
    async with page.client(protocol, as_json) as client:
        answer = await client.execute_unary(
            request=pb.ListStrategiesRequest(), method=info_of("ListStrategies")
        )
    assert answer == expected


@FORMS
async def test_a_stream_has_the_events_of_the_gateway(
    page: Page,
    gateway: "BacktestServiceAsyncStub",
    market: dict[str, Candles],
    protocol: ProtocolType,
    as_json: bool,
) -> None:
    expected = [event async for event in gateway.RunBacktests(request())]
    async with page.client(protocol, as_json) as client:
        stream = client.execute_server_stream(request=request(), method=info_of("RunBacktests"))
        events = [event async for event in stream]
    assert [event.sequence for event in events] == list(range(1, len(SYMBOLS) + 3))
    assert results_of(events) == results_of(expected)
    assert events[-1].summary.progress.completed == len(SYMBOLS)


async def test_the_answer_names_the_run_in_its_head(page: Page, market: dict[str, Candles]) -> None:
    spec: dict[str, Any] = {"strategy": {"rsi": {}}}
    unary = await page.post("RunBacktest", {"symbol": SYMBOLS[0], "spec": spec})
    assert re.fullmatch("[0-9a-f]{32}", unary.headers["backcast-run-id"])
    stream = await page.send(
        "POST",
        path_of("RunBacktests"),
        enveloped(json.dumps({"symbols": SYMBOLS[:1], "runId": "a-streamed-run", "spec": spec}).encode()),
        content_type="application/connect+json",
    )
    assert stream.headers["backcast-run-id"] == "a-streamed-run"


async def test_plain_json_is_enough(page: Page, market: dict[str, Candles]) -> None:
    listed = await page.post("ListStrategies")
    assert (listed.status, listed.headers["content-type"]) == (200, "application/json")
    assert "rsi" in [each["name"] for each in listed.json()["strategies"]]
    events, end = await page.stream(
        "RunBacktests", {"symbols": SYMBOLS[:1], "spec": {"strategy": {"rsi": {"period": 7}}}}
    )
    assert [key for event in events for key in event if key in ("started", "result", "summary")] == [
        *("started", "result", "summary")
    ]
    assert end == {}


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("CancelRun", {"runId": "nobody"}),
        ("CancelRun", {"runId": ""}),
        ("ListRuns", {"pageSize": -1}),
        ("ListRuns", {"pageToken": "junk"}),
        ("ListCryptos", {"pageSize": -1}),
        ("RunBacktest", {"symbol": "NOSUCHUSDT", "spec": {"strategy": {"rsi": {"period": -5}}}}),
    ],
)
async def test_an_error_comes_with_the_details_that_the_gateway_gave(
    page: Page, stack: LocalStack, name: str, fields: dict[str, Any]
) -> None:
    method = METHODS[name]
    info = info_of(name)
    async with grpc.aio.insecure_channel(stack.gateway_address) as channel:
        call: Any = channel.unary_unary(f"/{method.containing_service.full_name}/{name}")
        with pytest.raises(grpc.aio.AioRpcError) as failed:
            await call(ParseDict(fields, info.input()).SerializeToString())
    status = rpc_status.from_call(failed.value)
    assert status is not None
    answer = await page.post(name, fields)
    error = answer.json()
    assert error["code"].upper() == failed.value.code().name
    assert error["message"] == status.message
    for detail in status.details:
        kind = getattr(error_details_pb2, detail.type_url.rpartition(".")[2])
        assert detail_of(error, kind).SerializeToString() == detail.value
    assert len(error["details"]) == len(status.details)


async def test_the_error_of_a_stream_is_in_its_end(page: Page) -> None:
    events, end = await page.stream("RunBacktests", {"spec": {"strategy": {"rsi": {"period": -1}}}})
    assert events == []
    assert end["error"]["code"] == "invalid_argument"
    assert violated(end["error"]) == ["spec.strategy.rsi.period"]


async def test_an_exceeded_limit_is_reported_with_its_reason(
    page: Page, stack: LocalStack, short_folder: Path, market: dict[str, Candles]
) -> None:
    async with (
        service_beside(stack, "gateway", short_folder / "full", max_backtests=1) as full,
        service_beside(stack, "web", short_folder / "full", gateway_address=full.address) as web,
    ):
        _, end = await Page(web.address).stream("RunBacktests", {"spec": {"strategy": {"rsi": {}}}})
    assert end["error"]["code"] == "resource_exhausted"
    info = detail_of(end["error"], error_details_pb2.ErrorInfo)
    assert (info.domain, info.reason) == ("backcast", "TOO_MANY_BACKTESTS")


async def test_json_that_is_no_request_names_what_is_wrong(page: Page) -> None:
    answer = await page.post("CancelRun", {"runIdd": "x"})
    assert answer.status == 400
    assert "runIdd" in answer.json()["message"]
    assert violated(answer.json()) == ["request"]


async def test_bytes_that_are_no_request_are_refused_by_the_gateway(page: Page) -> None:
    answer = await page.send(
        "POST",
        "/backcast.gateway.v1.RunService/CancelRun",
        b"\xff\xff",
        content_type="application/proto",
    )
    assert (answer.status, answer.json()["code"]) == (400, "invalid_argument")


async def test_a_deadline_ends_a_stream_that_would_last(page: Page) -> None:
    seen: list[int] = []
    limit_ms = 200
    async with page.client() as client:
        # On a busy machine, a deadline can pass before the first message.
        while not seen:
            limit_ms *= 2
            watch = client.execute_server_stream(
                request=health_pb2.HealthCheckRequest(), method=info_of("Watch"), timeout_ms=limit_ms
            )
            async with aclosing(watch) as states:  # type: ignore[type-var]  # a generator
                with pytest.raises(ConnectError) as error:
                    async for state in states:
                        seen.append(state.status)
            assert error.value.code is Code.DEADLINE_EXCEEDED
    assert seen == [health_pb2.HealthCheckResponse.SERVING]


def test_the_error_of_a_deadline_at_the_gateway_says_what_to_do() -> None:
    metadata = grpc.aio.Metadata()
    code = grpc.StatusCode.DEADLINE_EXCEEDED
    error = error_of_call(grpc.aio.AioRpcError(code, metadata, metadata, "Deadline Exceeded"))
    assert (error.code, error.message) == (
        Code.DEADLINE_EXCEEDED,
        "the deadline passed before the gateway service had answered: call again with a later one",
    )


async def test_an_unavailable_gateway_is_reported_in_a_sentence(
    stack: LocalStack, short_folder: Path, page: Page
) -> None:
    async with service_beside(stack, "web", short_folder / "alone", gateway_address="127.0.0.1:1") as web:
        answer = await Page(web.address).post("ListStrategies")
    assert answer.status == 503
    assert answer.json()["message"] == "the gateway service does not answer"
    assert answer.detail(error_details_pb2.ErrorInfo).reason == "SERVICE_UNAVAILABLE"


async def test_a_method_that_streams_requests_has_no_path(page: Page) -> None:
    for path in (
        "/backcast.marketdata.v1.MarketDataService/ImportCandles",
        "/backcast.gateway.v1.RunService/Nothing",
        "/grpc.health.v1.Health/",
    ):
        answer = await page.send("POST", path, b"{}", content_type="application/json")
        assert (answer.status, answer.json()["code"]) == (404, "unimplemented")


async def test_every_other_method_of_the_gateway_has_one(page: Page, web: OneService) -> None:
    for name, method in METHODS.items():
        if not method.client_streaming:
            content_type = "application/connect+json" if method.server_streaming else "application/json"
            path = f"/{method.containing_service.full_name}/{name}"
            # Not JSON: what refuses it has found the method.
            answer = await page.send("POST", path, b"\0\0\0\0\1{", content_type=content_type)
            assert b"invalid_argument" in answer.body, name
