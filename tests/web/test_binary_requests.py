"""Binary requests that are none: cut, overlong, mixed up. Each gets an answer of the protocol, and no 500."""

import gzip
import json
import struct
from collections.abc import Mapping
from typing import Any

import pytest
from google.protobuf.json_format import ParseDict
from google.protobuf.message import Message
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.web.methods import REQUEST_BYTES
from tests.end_to_end.one_service import OneService
from tests.web.clients import END_OF_STREAM, METHODS, Answer, Page, enveloped, envelopes, info_of, path_of
from tests.web.test_guard import CLEAR, LEFT_OUT

_SPEC = {
    "strategy": {"maCross": {"fast": 3, "slow": 9}},
    "interval": "INTERVAL_1D",
    "execution": {"feeRate": 0.001},
}
# Requests that read, of cryptos that there are not.
_WHOLE: Mapping[str, dict[str, Any]] = {
    "RunBacktest": {"symbol": "NOSUCHUSDT", "spec": _SPEC, "cacheMode": "CACHE_MODE_BYPASS"},
    "RunBacktests": {"symbols": ["NOSUCHUSDT", "NEITHERUSDT"], "spec": _SPEC},
    "SweepBacktests": {
        "symbols": ["NOSUCHUSDT"],
        "spec": _SPEC,
        "ranges": [{"name": "fast", "values": [3, 4]}],
    },
    "GetCandles": {"symbol": "NOSUCHUSDT", "interval": "INTERVAL_1D", "pageSize": 3},
    "WatchRun": {"runId": "nobody", "afterSequence": 7},
    "CancelRun": {"runId": "nobody"},
    "ParseRules": {"entry": "rsi(14) < 30", "exit": "rsi(14) > 70"},
    "ListRuns": {"pageSize": 3, "pageToken": "junk"},
}
_NAMES = sorted(
    name for name, method in METHODS.items() if not method.client_streaming and name not in LEFT_OUT
)
# The Connect protocol has INTERNAL for the flag of a compressed message where no compression was named.
_UNPACKED = "protocol error: sent compressed message without compression support"
# Tags of fields, numbers that never end, and lengths beyond the end.
_ODD = st.sampled_from(
    [b"\xff" * 11, b"\x0a\xff\xff\xff\xff\x0f", b"\x0a\x05a", b"\x0b", b"\x08", b"\x00", b"\x0a\x02\xff\xfe"]
)


def whole(name: str) -> bytes:
    """Return a request of a method: one that the method takes, where there is one above."""
    request: Message = info_of(name).input()
    return ParseDict(_WHOLE.get(name, {}), request).SerializeToString()


@st.composite
def bodies(draw: st.DrawFn, name: str) -> bytes:
    """Draw bytes for a method: any, or a request that was cut, lengthened or changed in one place."""
    request = whole(name)
    at = draw(st.integers(0, len(request)))
    return draw(
        st.one_of(
            st.binary(max_size=60),
            st.just(request[:at]),
            st.builds(
                lambda odd: request[:at] + odd + request[at:], _ODD | st.binary(min_size=1, max_size=4)
            ),
            st.builds(lambda byte: request[:at] + bytes([byte]) + request[at + 1 :], st.integers(0, 255)),
        )
    )


@st.composite
def streamed(draw: st.DrawFn, name: str) -> bytes:
    """Draw the body of a call of a stream: envelopes whose flags, lengths and ends may be wrong."""
    body = draw(bodies(name))
    length = draw(
        st.sampled_from([len(body), len(body) + 1, max(0, len(body) - 1), 0, REQUEST_BYTES + 1, 2**32 - 1])
    )
    flags = draw(st.sampled_from([0, 0, 0, 1, END_OF_STREAM, 0x80, 0xFF]))
    whole = struct.pack(">BI", flags, length) + body
    return draw(
        st.sampled_from([whole, whole, whole * 2, whole + b"\0", body, whole[: len(whole) // 2], whole[:3]])
    )


def error_in(answer: Answer, *, streams: bool) -> dict[str, Any] | None:
    """Return the error that an answer of the Connect protocol has, None for a success."""
    if answer.status != 200:
        error: dict[str, Any] = answer.json()
        return error
    if not streams:
        return None
    *messages, (flags, end) = envelopes(answer.body)
    assert flags == END_OF_STREAM
    assert all(not flags for flags, _ in messages)
    ended: dict[str, Any] = json.loads(end)
    return ended.get("error")


def assert_clear(page: Page, web: OneService, answer: Answer, error: dict[str, Any] | None) -> None:
    """Check that the client can mend what it is told, and that the process is as well as before."""
    assert answer.status in CLEAR, (answer.status, answer.body)
    if error is not None and error["message"] != _UNPACKED:
        assert error["code"] not in {"internal", "unknown", "data_loss"}, error
        assert error["message"], error
    assert b"Traceback" not in answer.body
    assert "Traceback" not in web.log.read_text()
    assert page.send_now("GET", "/healthz").status == 200


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), name=st.sampled_from(_NAMES))
def test_no_bytes_make_a_call_fail_that_the_client_cannot_mend(
    page: Page, web: OneService, data: st.DataObject, name: str
) -> None:
    streams = METHODS[name].server_streaming
    answer = page.send_now(
        "POST",
        path_of(name),
        data.draw(streamed(name) if streams else bodies(name)),
        content_type="application/connect+proto" if streams else "application/proto",
        connect_timeout_ms="20000",
    )
    assert_clear(page, web, answer, error_in(answer, streams=streams))


@pytest.mark.parametrize("content_type", ["application/proto", "application/connect+proto"])
async def test_a_binary_body_above_the_limit_is_refused(
    page: Page, web: OneService, content_type: str
) -> None:
    streams = content_type.endswith("+proto")
    body = b"\x0a" * (REQUEST_BYTES + 1)
    packed = gzip.compress(body)
    name = "WatchRun" if streams else "CancelRun"
    encoding = "connect_content_encoding" if streams else "content_encoding"
    for sent, headers in (
        (enveloped(body) if streams else body, {}),
        (struct.pack(">BI", 1, len(packed)) + packed if streams else packed, {encoding: "gzip"}),
    ):
        answer = await page.send("POST", path_of(name), sent, content_type=content_type, **headers)
        error = error_in(answer, streams=streams)
        assert error is not None
        assert error["code"] == "resource_exhausted", (headers, error)
        assert_clear(page, web, answer, error)
