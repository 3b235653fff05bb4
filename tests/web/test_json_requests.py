"""Requests in JSON name enum values as people write them."""

import json
from typing import Any

import pytest
from google.protobuf.descriptor_pb2 import DescriptorProto, FieldDescriptorProto, FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.json_format import ParseDict
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from backcast.gateway.v1 import backtest_service_pb2 as pb
from backcast.marketdata.v1 import interval_pb2
from backcast.marketdata.v1 import market_data_service_pb2 as md
from backcast_engine.candles import Candles
from backcast_engine.errors import InvalidInput
from services.web.json_requests import request_from_json
from tests.web.clients import Page, violated
from tests.web.conftest import SYMBOLS


def read(content: Any, kind: type[Message] = pb.RunBacktestsRequest) -> Message:
    return request_from_json(json.dumps(content).encode(), kind)


def refused(content: Any, kind: type[Message] = pb.RunBacktestsRequest) -> dict[str, str]:
    with pytest.raises(InvalidInput) as caught:
        read(content, kind)
    return {violation.field: violation.reason for violation in caught.value.violations}


@pytest.mark.parametrize("name", ["4h", "4H", "interval_4h", "INTERVAL_4H", "Interval_4h", "2", 2])
def test_a_value_has_its_name_in_any_case_with_the_prefix_or_without(name: str | int) -> None:
    request = read({"spec": {"interval": name}})
    assert request == ParseDict({"spec": {"interval": "INTERVAL_4H"}}, pb.RunBacktestsRequest())


@pytest.mark.parametrize("name", ["INTERVAL_UNSPECIFIED", "interval_unspecified", "0", 0, None])
def test_a_value_may_be_left_unspecified(name: Any) -> None:
    assert not read({"spec": {"interval": name}}).SerializeToString()[2:]


def test_values_are_named_wherever_they_are() -> None:
    short = {
        "symbols": ["BTCUSDT", "1h"],
        "cache_mode": "bypass",
        "detail": "Equity",
        "spec": {
            "execution": {"fillTime": "same_close", "direction": "Long_Short", "break_rule": "split"},
            "strategy": {
                "rules": {
                    "entry": {
                        "function": "less",
                        "arguments": [
                            {"column": "close"},
                            {"function": "sma", "arguments": [{"column": "LOW"}, {"number": 5}]},
                        ],
                    }
                }
            },
        },
    }
    whole = {
        "symbols": ["BTCUSDT", "1h"],
        "cacheMode": "CACHE_MODE_BYPASS",
        "detail": "DETAIL_EQUITY",
        "spec": {
            "execution": {
                "fillTime": "FILL_TIME_SAME_CLOSE",
                "direction": "DIRECTION_LONG_SHORT",
                "breakRule": "BREAK_RULE_SPLIT",
            },
            "strategy": {
                "rules": {
                    "entry": {
                        "function": "FUNCTION_LESS",
                        "arguments": [
                            {"column": "COLUMN_CLOSE"},
                            {"function": "FUNCTION_SMA", "arguments": [{"column": 3}, {"number": 5}]},
                        ],
                    }
                }
            },
        },
    }
    assert read(short) == ParseDict(whole, pb.RunBacktestsRequest())


def test_each_value_of_a_list_is_named() -> None:
    request = read({"columns": ["open", "candle_column_close", 2]}, md.StreamCandlesRequest)
    assert isinstance(request, md.StreamCandlesRequest)
    assert request.columns == [1, 4, 2]


def test_the_values_of_a_sweep_stay_as_they_are() -> None:
    ranges = [{"name": "kind", "values": ["sma", "Ema"]}]
    request = read({"ranges": ranges, "metric": "calmar_ratio"}, pb.SweepBacktestsRequest)
    assert isinstance(request, pb.SweepBacktestsRequest)
    assert [value.string_value for value in request.ranges[0].values] == ["sma", "Ema"]
    assert request.metric == 8


def test_all_unknown_names_are_reported_with_their_fields() -> None:
    condition = {"function": "below", "arguments": [{"column": "close"}, {"column": "price"}]}
    content = {
        "detail": "everything",
        "spec": {
            "interval": "7h",
            "strategy": {"rules": {"entry": condition}},
            "execution": {"direction": ""},
        },
    }
    reasons = refused(content)
    entry = "spec.strategy.rules.entry"
    assert list(reasons) == [
        *("detail", "spec.interval", f"{entry}.function", f"{entry}.arguments[1].column"),
        "spec.execution.direction",
    ]
    assert reasons["spec.interval"] == "must be one of 1H, 4H, 1D, 1W, not '7h'"
    assert reasons["detail"].endswith("TRADES, EQUITY, not 'everything'")
    assert reasons[f"{entry}.function"] == "there is no 'below': docs/api.md lists the values of Function"
    condition["function"] = "lesss"
    assert refused(content)[f"{entry}.function"].startswith("there is no 'lesss': did you mean LESS")
    assert list(refused({"columns": ["open", "x" * 1_000]}, md.StreamCandlesRequest)) == ["columns[1]"]


def test_what_else_is_no_request_comes_with_bad_names() -> None:
    reasons = refused({"detail": "everything", "nope": 1})
    assert list(reasons) == ["detail", "request"]
    assert "nope" in reasons["request"]


@pytest.mark.parametrize(
    "text",
    [
        *('{"detail": 1, "detail": 2}', "7", "{", '{"detail": []}', '{"spec": {"interval": ["1h"]}}'),
        *('{"spec": "1h"}', '["detail"]', "[" * 100_000, '{"symbols": [1]}'),
    ],
    ids=lambda text: text[:40],
)
def test_what_is_no_request_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match=r"^request: is no RunBacktestsRequest in JSON"):
        request_from_json(text.encode(), pb.RunBacktestsRequest)


def test_bytes_that_are_no_text_are_refused() -> None:
    with pytest.raises(InvalidInput, match=r"^request: is no RunBacktestsRequest in JSON"):
        request_from_json(b'{"runId": "\xff"}', pb.RunBacktestsRequest)


def mapped_type() -> type[Message]:
    """Return a message type with a map of intervals, and one of messages that have an interval."""
    pool = DescriptorPool()
    pool.AddSerializedFile(interval_pb2.DESCRIPTOR.serialized_pb)

    def field(name: str, number: int, kind: str, is_list: bool = True) -> FieldDescriptorProto:
        is_enum = kind == ".backcast.marketdata.v1.Interval"
        return FieldDescriptorProto(
            name=name,
            number=number,
            label=FieldDescriptorProto.LABEL_REPEATED if is_list else FieldDescriptorProto.LABEL_OPTIONAL,
            type=FieldDescriptorProto.TYPE_ENUM if is_enum else FieldDescriptorProto.TYPE_MESSAGE,
            type_name=kind,
        )

    def entry(name: str, kind: str) -> DescriptorProto:
        key = FieldDescriptorProto(
            name="key",
            number=1,
            label=FieldDescriptorProto.LABEL_OPTIONAL,
            type=FieldDescriptorProto.TYPE_STRING,
        )
        made = DescriptorProto(name=name, field=[key, field("value", 2, kind, is_list=False)])
        made.options.map_entry = True
        return made

    interval = ".backcast.marketdata.v1.Interval"
    file = FileDescriptorProto(
        name="mapped.proto",
        package="mapped",
        syntax="proto3",
        dependency=[interval_pb2.DESCRIPTOR.name],
        message_type=[
            DescriptorProto(name="Part", field=[field("interval", 1, interval, is_list=False)]),
            DescriptorProto(
                name="Mapped",
                field=[
                    field("intervals", 1, ".mapped.Mapped.IntervalsEntry"),
                    field("parts", 2, ".mapped.Mapped.PartsEntry"),
                ],
                nested_type=[entry("IntervalsEntry", interval), entry("PartsEntry", ".mapped.Part")],
            ),
        ],
    )
    pool.AddSerializedFile(file.SerializeToString())
    return GetMessageClass(pool.FindMessageTypeByName("mapped.Mapped"))


def test_the_values_of_maps_are_named() -> None:
    kind = mapped_type()
    request: Any = read(
        {"intervals": {"a": "1h", "1D": "interval_1d"}, "parts": {"b": {"interval": "1w"}}}, kind
    )
    assert dict(request.intervals) == {"a": 1, "1D": 3}
    assert request.parts["b"].interval == 4
    reasons = refused({"intervals": {"a": "1h", 'x"': "7h"}, "parts": {"b": {"interval": "8h"}}}, kind)
    assert list(reasons) == ['intervals["x\\""]', 'parts["b"].interval']


async def test_the_page_takes_the_names_of_people(page: Page, market: dict[str, Candles]) -> None:
    spec = {"strategy": {"maCross": {"fast": 3, "slow": 9, "kind": "ema"}}, "interval": "1d"}
    answer = await page.post("RunBacktest", {"symbol": SYMBOLS[0], "spec": spec, "cacheMode": "bypass"})
    assert answer.status == 200, answer.body
    assert answer.json()["request"]["spec"]["interval"] == "INTERVAL_1D"
    assert answer.json()["cacheState"] == "CACHE_STATE_BYPASSED"
    events, end = await page.stream(
        "RunBacktests", {"symbols": SYMBOLS[:1], "spec": spec, "detail": "trades"}
    )
    assert end == {}
    assert events[0]["started"]["request"]["detail"] == "DETAIL_TRADES"


async def test_the_page_names_the_field_of_a_bad_name(page: Page) -> None:
    bad = {"spec": {"interval": "7h", "strategy": {"maCross": {"kind": "x"}}}}
    answer = await page.post("RunBacktest", bad)
    assert (answer.status, answer.json()["code"]) == (400, "invalid_argument")
    assert violated(answer.json()) == ["spec.interval", "spec.strategy.ma_cross.kind"]
    _, end = await page.stream("RunBacktests", bad)
    assert violated(end["error"]) == ["spec.interval", "spec.strategy.ma_cross.kind"]
