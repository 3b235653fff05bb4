"""The page's process in front of secured services: TLS of its own, and the tokens of its clients."""

import ssl
from pathlib import Path

import pytest
import trustme
from google.rpc.error_details_pb2 import ErrorInfo

from backcast_engine.errors import ErrorReason
from services.local.health import is_page_served
from services.local.ports import free_ports
from services.local.server_process import ServerProcess
from services.local.stack import LocalStack, serve_command
from tests.end_to_end.one_service import service_beside
from tests.security.certificates import make_files
from tests.security.secured import Secured
from tests.waiting import until
from tests.web.clients import Page, next_status


@pytest.fixture
async def secured_page(secured: Secured, short_folder: Path, ca: trustme.CA, monkeypatch: pytest.MonkeyPatch):
    """A page that others than this machine may reach, with a certificate."""
    (port,) = free_ports(1)
    files = make_files(short_folder / "page-pem", ca, ca, "127.0.0.1")
    for name, value in files.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("BACKCAST_HOST", "0.0.0.0")
    monkeypatch.setenv("BACKCAST_WEB_PORT", str(port))
    monkeypatch.setenv("BACKCAST_GATEWAY_ADDRESS", secured.stack.gateway_address)
    log = short_folder / "page-logs" / "web.log"
    server = ServerProcess("the page", serve_command("web"), log)
    context = ssl.create_default_context(cafile=files.ca)
    page = Page(f"127.0.0.1:{port}", context)

    async def serves() -> bool:
        server.check()
        return await is_page_served(page.url, files.ca)

    try:
        await until(serves)
        yield page
    finally:
        server.stop(10)


async def test_a_token_passes_and_gives_its_rights_and_no_others(
    secured: Secured, secured_page: Page
) -> None:
    def shown(name: str) -> dict[str, str]:
        return {"authorization": f"Bearer {secured.tokens[name]}"}

    assert (await secured_page.post("ListStrategies")).status == 401
    assert (await secured_page.post("ListStrategies", authorization="Bearer wrong")).status == 401
    assert (await secured_page.post("ListStrategies", **shown("run"))).status == 200
    denied = await secured_page.post("DeleteCrypto", {"symbol": "NOSUCHUSDT"}, **shown("run"))
    assert (denied.status, denied.json()["code"]) == (403, "permission_denied")
    upload = {"content_type": "application/octet-stream"}
    path = "/import?name=PAGEUSDT.csv&interval=1h"
    candles = b"timestamp,open,high,low,close,volume\n1704067200,1,1,1,1,1\n"
    assert (await secured_page.send("POST", path, candles, **upload)).status == 401
    assert (await secured_page.send("POST", path, candles, **upload, **shown("run"))).status == 403
    # Before its file is sent.
    for shows, status in (({}, 401), (shown("run"), 403)):
        async with secured_page.begun(path, len(candles), **upload, **shows) as (reader, _):
            assert await next_status(reader) == status
    imported = await secured_page.send("POST", path, candles, **upload, **shown("import"))
    assert (imported.status, imported.json()["inserted"]) == (200, 1)


async def test_a_page_that_others_reach_does_not_open_a_gateway_without_tokens(
    stack: LocalStack, short_folder: Path
) -> None:
    async with service_beside(stack, "web", short_folder / "behind", web_hosts="page.example") as web:
        page = Page(web.address)
        for host in ("page.example", "127.0.0.1"):
            answer = await page.post("ListStrategies", host=host)
            assert answer.json()["code"] == "failed_precondition"
            assert "the gateway asks for no token" in answer.json()["message"]
            assert answer.detail(ErrorInfo).reason == ErrorReason.REFUSED
        upload = await page.send("POST", "/import?name=X.csv", b"", content_type="application/octet-stream")
        assert upload.json()["code"] == "failed_precondition"
        # The page itself, which says why, is there.
        assert (await page.send("GET", "/healthz", host="page.example")).status == 200


async def test_a_gateway_that_is_away_is_not_taken_for_one_without_tokens(
    stack: LocalStack, short_folder: Path
) -> None:
    settings = {"web_hosts": "page.example", "gateway_address": "127.0.0.1:1"}
    async with service_beside(stack, "web", short_folder / "before-nobody", **settings) as web:
        answer = await Page(web.address).post("ListStrategies")
    assert (answer.status, answer.json()["message"]) == (503, "the gateway service does not answer")
