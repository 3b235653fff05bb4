"""The page's files: types, caching, views, and an installation without them."""

import gzip
import re
from pathlib import Path

import grpc
import pytest
from starlette.types import ASGIApp

from services.rpc.stopping import CallEnder
from services.settings import Settings
from services.web.app import web_app
from services.web.page_files import VIEWS, PageFiles
from tests.web.asgi import answer_of

PROJECT = Path(__file__).parents[2]
INDEX = b"<!doctype html><title>Backcast</title>"
SCRIPT = b"console.log(1)" * 100
SCRIPT_AS_BROTLI = b"what the build made"
PICTURE = b"\x89PNG" * 100


def app_of(folder: Path) -> ASGIApp:
    # It connects when it is called first.
    channel = grpc.aio.insecure_channel("127.0.0.1:1")
    return web_app(channel, CallEnder("web"), Settings(), demand_tokens=False, page=PageFiles(folder))


@pytest.fixture
async def app(tmp_path: Path) -> ASGIApp:
    (tmp_path / "assets").mkdir()
    (tmp_path / "index.html").write_bytes(INDEX)
    (tmp_path / "assets" / "main-1a2b.js").write_bytes(SCRIPT)
    (tmp_path / "assets" / "main-1a2b.js.br").write_bytes(SCRIPT_AS_BROTLI)
    (tmp_path / "assets" / "main-3c4d.css").write_bytes(b"a{}")
    (tmp_path / "icon.svg").write_bytes(b"<svg/>")
    (tmp_path / "icon.png").write_bytes(PICTURE)
    (tmp_path / "icon.xyz").write_bytes(b"")
    (tmp_path.parent / "secret.txt").write_text("secret")
    return app_of(tmp_path)


@pytest.mark.parametrize(
    ("path", "content_type", "caching"),
    [
        ("/", "text/html; charset=utf-8", "no-cache"),
        ("/index.html", "text/html; charset=utf-8", "no-cache"),
        ("/icon.svg", "image/svg+xml", "no-cache"),
        ("/icon.xyz", "application/octet-stream", "no-cache"),
        ("/assets/main-1a2b.js", "text/javascript; charset=utf-8", "public, max-age=31536000, immutable"),
        ("/assets/main-3c4d.css", "text/css; charset=utf-8", "public, max-age=31536000, immutable"),
    ],
)
async def test_files_have_their_type_and_their_caching(
    app: ASGIApp, path: str, content_type: str, caching: str
) -> None:
    answer = await answer_of(app, path)
    assert (answer.status, answer.headers["content-type"]) == (200, content_type)
    assert answer.headers["cache-control"] == caching


@pytest.mark.parametrize("view", sorted(VIEWS))
async def test_views_of_the_page_are_the_page(app: ASGIApp, view: str) -> None:
    answer = await answer_of(app, f"/{view}")
    assert (answer.status, answer.body, answer.headers["cache-control"]) == (200, INDEX, "no-cache")


def test_the_server_knows_the_views_that_the_page_has() -> None:
    source = (PROJECT / "page" / "src" / "address.ts").read_text()
    named = re.search(r"^const VIEWS = \[(.*)\]", source, re.M)
    assert named
    assert {*re.findall(r'"(\w+)"', named[1]), ""} == VIEWS


@pytest.mark.parametrize(
    "path", ["/foo/bar", "/foo", "/run/abc", "/crypto/BTCUSDT", "//example/", "/Runs", "/ "]
)
async def test_a_path_of_no_view_is_not_found(app: ASGIApp, path: str) -> None:
    answer = await answer_of(app, path)
    assert (answer.status, answer.headers["content-type"]) == (404, "text/html; charset=utf-8")
    assert b"There is nothing at this address" in answer.body


@pytest.mark.parametrize(
    ("path", "to"), [("/data/", "/data"), ("/runs//", "/runs"), ("//", "/"), ("/run/", "/run")]
)
async def test_a_view_has_one_path_to_which_others_lead(app: ASGIApp, path: str, to: str) -> None:
    answer = await answer_of(app, path, query="search=a%26b")
    assert (answer.status, answer.headers["location"]) == (308, f"{to}?search=a%26b")


@pytest.mark.parametrize(
    "path", ["/assets/gone.js", "/nothing.png", "/../secret.txt", "/assets/../../secret.txt", "/assets/x"]
)
async def test_a_file_that_is_not_there_is_not_the_page(app: ASGIApp, path: str) -> None:
    answer = await answer_of(app, path)
    assert answer.status == 404
    assert b"secret" not in answer.body


async def test_a_file_that_the_browser_has_is_not_sent_again(app: ASGIApp) -> None:
    first = await answer_of(app, "/assets/main-1a2b.js")
    for known in (first.headers["etag"], f'"other", W/{first.headers["etag"]}', "*"):
        again = await answer_of(app, "/assets/main-1a2b.js", if_none_match=known)
        assert (again.status, again.body) == (304, b"")
    assert (await answer_of(app, "/icon.svg", if_none_match=first.headers["etag"])).status == 200


async def test_files_are_compressed_for_who_reads_that(app: ASGIApp) -> None:
    packed = await answer_of(app, "/assets/main-1a2b.js", accept_encoding="gzip")
    assert packed.headers["content-encoding"] == "gzip"
    assert gzip.decompress(packed.body) == SCRIPT
    assert int(packed.headers["content-length"]) == len(packed.body) < len(SCRIPT)
    plain = await answer_of(app, "/assets/main-1a2b.js")
    assert plain.body == SCRIPT
    # Caches in between keep both apart.
    assert packed.headers["etag"] == f"W/{plain.headers['etag']}"
    assert packed.headers["vary"] == plain.headers["vary"] == "Accept-Encoding"


async def test_brotli_that_the_build_made_is_sent_to_who_reads_that(app: ASGIApp) -> None:
    packed = await answer_of(app, "/assets/main-1a2b.js", accept_encoding="gzip, deflate;q=0.5, br;q=1.0")
    assert packed.headers["content-encoding"] == "br"
    assert packed.body == SCRIPT_AS_BROTLI
    assert packed.headers["etag"].startswith("W/")
    # A file without it, and the file of the build itself.
    style = await answer_of(app, "/assets/main-3c4d.css", accept_encoding="gzip, br")
    assert style.headers["content-encoding"] == "gzip"
    assert (await answer_of(app, "/assets/main-1a2b.js.br")).status == 404


async def test_a_picture_is_not_compressed_once_more(app: ASGIApp) -> None:
    picture = await answer_of(app, "/icon.png", accept_encoding="gzip")
    assert picture.body == PICTURE
    assert "content-encoding" not in picture.headers


async def test_head_has_the_headers_alone(app: ASGIApp) -> None:
    answer = await answer_of(app, "/", method="HEAD")
    assert (answer.status, answer.headers["content-length"]) == (200, str(len(INDEX)))


async def test_an_installation_without_the_page_says_so_and_how_to_build_it(tmp_path: Path) -> None:
    app = app_of(tmp_path)
    for path in ("/", "/run/1", "/index.html"):
        answer = await answer_of(app, path)
        assert answer.status == 404
        assert answer.headers["content-type"].startswith("text/html")
        assert b"This installation has no page" in answer.body
        assert b"make page" in answer.body
    assert (await answer_of(app, "/healthz")).status == 200
