"""What the page's process refuses, and the headers of every answer."""

import asyncio
import http.client
import json
from pathlib import Path

import grpc
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.responses import Response

from services.local.stack import LocalStack
from services.rpc.stopping import CallEnder
from services.settings import Settings
from services.web.app import web_app
from services.web.guard import Guard
from services.web.methods import REQUEST_BYTES
from tests.end_to_end.one_service import OneService, service_beside
from tests.web.asgi import answer_of
from tests.web.clients import JSON, METHODS, Page, enveloped, path_of

LIST = path_of("ListStrategies")
EVERYWHERE = ["/", "/healthz", "/assets/none.js", "/runs/1", LIST]


@pytest.mark.parametrize("path", EVERYWHERE)
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_every_answer_has_the_security_headers(page: Page, method: str, path: str) -> None:
    headers = (await page.send(method, path, b"{}", content_type=JSON)).headers
    assert headers["content-security-policy"] == (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
        "connect-src 'self'; font-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cross-origin-opener-policy"] == "same-origin"
    assert headers["cross-origin-resource-policy"] == "same-origin"
    assert not [name for name in headers if name.lower().startswith("access-control-")]
    assert "set-cookie" not in headers
    assert "server" not in headers


@pytest.mark.parametrize("path", ["/healthz", LIST])
async def test_what_is_no_file_is_kept_by_no_cache(page: Page, path: str) -> None:
    for method in ("GET", "POST"):
        headers = (await page.send(method, path, b"{}", content_type=JSON)).headers
        assert headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "10.0.0.1:8080", "localhost.", ""]
)
async def test_a_foreign_host_is_refused(page: Page, host: str) -> None:
    for method, path in (("GET", "/"), ("POST", LIST), ("POST", "/import?name=X.csv")):
        answer = await page.send(method, path, b"{}", host=host, content_type=JSON)
        assert answer.status == 421
        assert b"this is not the host" in answer.body
        # People read the one, programs the other.
        expected = "text/plain; charset=utf-8" if method == "GET" else "application/json"
        assert answer.headers["content-type"] == expected
    # Probes have the address of the pod.
    assert (await page.send("GET", "/healthz", host=host)).status == 200


@pytest.mark.parametrize("host", ["localhost:1", "127.0.0.1", "[::1]:8080", "127.3.2.1:80", "LOCALHOST"])
async def test_names_of_the_loopback_are_ours(page: Page, host: str) -> None:
    assert (await page.send("POST", LIST, b"{}", host=host, content_type=JSON)).status == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"origin": "http://127.0.0.1:1"},
        {"sec_fetch_site": "cross-site"},
        {"sec_fetch_site": "same-site"},
    ],
)
async def test_a_page_of_another_site_is_refused(page: Page, headers: dict[str, str]) -> None:
    for path in (LIST, "/import?name=XUSDT.csv"):
        answer = await page.send("POST", path, b"{}", content_type=JSON, **headers)
        assert (answer.status, answer.json()["code"]) == (403, "permission_denied")
    preflight = await page.send("OPTIONS", LIST, **headers)
    assert preflight.status in (403, 405)
    # A link on it is no call.
    assert (await page.send("GET", "/healthz", **headers)).status == 200


async def test_the_page_itself_is_served(page: Page) -> None:
    own = {"origin": page.url, "sec_fetch_site": "same-origin"}
    assert (await page.post("ListStrategies", **own)).status == 200
    # Typed in, or a bookmark.
    assert (await page.post("ListStrategies", sec_fetch_site="none")).status == 200
    assert (await page.post("ListStrategies", host="LocalHost:1", origin="http://localhost:1")).status == 200
    # A proxy in front of it has the TLS.
    assert (await page.post("ListStrategies", origin=f"https://{page.address}")).status == 200


async def test_hosts_that_the_settings_name_are_ours() -> None:
    async def app(scope, receive, send) -> None:
        await Response("ours")(scope, receive, send)

    guard = Guard(app, ["Page.Example", "[fd00::1]"])
    assert (await answer_of(guard, "/", host="[fd00::1]:443")).status == 200
    assert (await answer_of(guard, "/", host="page.example:443")).status == 200
    assert (await answer_of(guard, "/", host="other.example")).status == 421


async def test_the_address_that_is_listened_on_and_names_of_it_are_ours() -> None:
    # It connects when it is called first.
    channel = grpc.aio.insecure_channel("127.0.0.1:1")
    settings = Settings(host="10.1.2.3", web_hosts="page.example,other.example")
    app = web_app(channel, CallEnder("web"), settings, demand_tokens=False)
    for host in ("10.1.2.3:8080", "page.example", "other.example:443"):
        assert (await answer_of(app, "/", host=host)).status != 421
    assert (await answer_of(app, "/", host="10.1.2.4")).status == 421


async def test_a_content_type_may_have_capitals_and_a_charset(page: Page) -> None:
    for content_type in ("Application/JSON", "application/json; charset=utf-8"):
        assert (await page.send("POST", LIST, b"{}", content_type=content_type)).status == 200


@pytest.mark.parametrize(
    "content_type",
    [
        *("", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"),
        *(
            "application/grpc",
            "application/grpc+proto",
            "application/connect+json",
            "application/xml",
            "json",
        ),
    ],
)
async def test_another_content_type_is_refused(page: Page, content_type: str) -> None:
    answer = await page.send("POST", LIST, b"{}", content_type=content_type)
    assert answer.status == 415
    assert answer.json()["message"].startswith("content-type: must be one of application/proto, ")
    assert answer.headers["accept-post"].startswith("application/proto, ")
    stream = "application/json" if content_type == "application/connect+json" else content_type
    assert (await page.send("POST", path_of("WatchRun"), b"{}", content_type=stream)).status == 415


async def test_methods_are_called_by_post_only(page: Page) -> None:
    for method in ("GET", "PUT", "DELETE"):
        answer = await page.send(method, LIST)
        assert (answer.status, answer.headers["allow"]) == (405, "POST")
        assert answer.json()["message"] == "methods are called by POST"


async def test_a_header_that_is_not_ascii_is_refused(page: Page) -> None:
    for value in ("Bearer é", "Bearer a\tb"):
        answer = await page.send("POST", LIST, b"{}", content_type=JSON, authorization=value)
        assert answer.status == 400
        assert b"printable ASCII" in answer.body


async def test_a_body_above_the_limit_is_refused(page: Page, web: OneService) -> None:
    body = b"[" * (REQUEST_BYTES + 1)
    answer = await page.send("POST", LIST, body, content_type=JSON)
    assert (answer.status, answer.json()["code"]) == (429, "resource_exhausted")
    streamed = await page.send(
        "POST", path_of("WatchRun"), enveloped(body), content_type="application/connect+json"
    )
    assert b"resource_exhausted" in streamed.body


async def test_a_body_without_end_is_given_up_at_the_limit(page: Page, web: OneService) -> None:
    """Its length is not said beforehand: chunks come, and what is above the limit is in no memory."""

    def send() -> int:
        connection = http.client.HTTPConnection(page.address, timeout=60)
        try:
            connection.request("POST", LIST, (b" " * 65536 for _ in range(1000)), {"content-type": JSON})
            return connection.getresponse().status
        finally:
            connection.close()

    before = web.process.memory_info().rss
    assert await asyncio.to_thread(send) == 429
    assert web.process.memory_info().rss - before < 8 * REQUEST_BYTES


async def test_a_bomb_is_not_unpacked(page: Page) -> None:
    import gzip

    body = gzip.compress(b" " * (REQUEST_BYTES * 4))
    answer = await page.send("POST", LIST, body, content_type=JSON, content_encoding="gzip")
    assert (answer.status, answer.json()["code"]) == (429, "resource_exhausted")


FIELDS = st.sampled_from(
    [
        *(
            "spec",
            "strategy",
            "rsi",
            "rules",
            "entry",
            "exit",
            "period",
            "symbols",
            "runId",
            "symbol",
            "interval",
        ),
        *("startTime", "endTime", "execution", "ranges", "name", "values", "pageSize", "pageToken", "detail"),
        *("afterSequence", "service", "metric", "split", "foldCount", "cacheMode", "expression", "candles"),
    ]
)
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(FIELDS | st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=12,
)
REQUESTS = st.dictionaries(FIELDS, JSON_VALUES, max_size=5).map(json.dumps) | st.text(max_size=40)
# What a client can mend: INTERNAL and UNKNOWN, which are 500, would be bugs of ours.
CLEAR = {200, 400, 403, 404, 409, 415, 429}
# It deletes, and lasts for ever.
LEFT_OUT = {"Watch", "DeleteCrypto", "UpdateBreak"}


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    name=st.sampled_from(sorted(set(METHODS) - LEFT_OUT - {"ImportCandles"})),
    text=REQUESTS,
    as_stream=st.booleans(),
)
def test_no_json_makes_it_fail(page: Page, web: OneService, name: str, text: str, as_stream: bool) -> None:
    method, body = METHODS[name], text.encode(errors="surrogatepass")
    if method.server_streaming:
        answer = page.send_now(
            "POST",
            path_of(name),
            enveloped(body) if as_stream else body,
            content_type="application/connect+json",
            connect_timeout_ms="20000",
        )
        assert b'"code": "internal"' not in answer.body
        assert b'"code": "unknown"' not in answer.body
    else:
        answer = page.send_now("POST", path_of(name), body, content_type=JSON)
    assert answer.status in CLEAR, (answer.status, answer.body)
    assert b"Traceback" not in answer.body
    assert "Traceback" not in web.log.read_text()


async def test_deep_and_odd_json_is_refused(page: Page, web: OneService) -> None:
    for body in (
        b"[" * 100_000,
        b'{"a":' * 50_000,
        b'{"pageSize": 1e400}',
        b'{"pageSize": 1' + b"0" * 9000 + b"}",
    ):
        answer = await page.send("POST", path_of("ListRuns"), body, content_type=JSON)
        assert answer.status == 400, answer.body[:200]
        assert len(answer.body) < 4000
    assert "Traceback" not in web.log.read_text()


async def test_metadata_of_the_log_has_no_token(stack: LocalStack, short_folder: Path) -> None:
    async with service_beside(stack, "web", short_folder / "silent") as web:
        page = Page(web.address)
        await page.post("ListStrategies", authorization="Bearer backcast_secret")
        await page.post("CancelRun", {"run": 1}, authorization="Bearer backcast_secret")
        assert "backcast_secret" not in web.log.read_text()
