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
from services.web.page_files import FOLDER, VIEWS, PageFiles
from tests.web.asgi import answer_of
from tests.web.built_page import built_files, files_of_view

PROJECT = Path(__file__).parents[2]
INDEX = b"<!doctype html><title>Backcast</title>"
SCRIPT = b"console.log(1)" * 100
# What the build made.
SCRIPT_AS_BROTLI = b"the script as Brotli"
SCRIPT_AS_GZIP = b"the script as gzip"
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
    (tmp_path / "assets" / "main-1a2b.js.gz").write_bytes(SCRIPT_AS_GZIP)
    (tmp_path / "assets" / "main-3c4d.css").write_bytes(b"a{}")
    (tmp_path / "assets" / "main-3c4d.css.gz").write_bytes(b"gzip")
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


@pytest.mark.parametrize(
    ("accepted", "encoding", "sent"),
    [
        ("gzip", "gzip", SCRIPT_AS_GZIP),
        ("gzip, deflate;q=0.5, br;q=1.0", "br", SCRIPT_AS_BROTLI),
        ("identity", None, SCRIPT),
    ],
)
async def test_what_the_build_compressed_is_sent_to_who_reads_that(
    app: ASGIApp, accepted: str, encoding: str | None, sent: bytes
) -> None:
    answer = await answer_of(app, "/assets/main-1a2b.js", accept_encoding=accepted)
    assert answer.headers.get("content-encoding") == encoding
    assert answer.body == sent
    assert int(answer.headers["content-length"]) == len(sent)
    # Caches in between keep them apart.
    plain = await answer_of(app, "/assets/main-1a2b.js")
    assert plain.body == SCRIPT
    assert answer.headers["etag"] == f"{'W/' if encoding else ''}{plain.headers['etag']}"
    assert answer.headers["vary"] == plain.headers["vary"] == "Accept-Encoding"


async def test_a_file_is_sent_as_it_is_where_the_build_did_not_compress_it(app: ASGIApp) -> None:
    style = await answer_of(app, "/assets/main-3c4d.css", accept_encoding="gzip, br")
    assert (style.headers["content-encoding"], style.body) == ("gzip", b"gzip")
    picture = await answer_of(app, "/icon.png", accept_encoding="gzip, br")
    assert picture.body == PICTURE
    assert "content-encoding" not in picture.headers


@pytest.mark.parametrize("suffix", [".br", ".gz"])
async def test_what_the_build_compressed_has_no_path_of_its_own(app: ASGIApp, suffix: str) -> None:
    assert (await answer_of(app, f"/assets/main-1a2b.js{suffix}")).status == 404


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


@pytest.fixture(scope="module")
def built() -> dict[str, Path]:
    """The files that the build made to be served, by their paths."""
    if not PageFiles().is_built:
        pytest.skip("the page is not built")
    return built_files()


@pytest.mark.parametrize(("encoding", "most"), [("br", 140_000), ("gzip", 150_000)])
async def test_all_that_a_view_loads_is_small(built: dict[str, Path], encoding: str, most: int) -> None:
    app = app_of(FOLDER)
    sent = {path: len((await answer_of(app, f"/{path}", accept_encoding=encoding)).body) for path in built}
    # Pytest prints it where it is too much: which view, and which of its files.
    loaded = {view: {path: sent[path] for path in files_of_view(view)} for view in VIEWS - {""}}
    assert {view: files for view, files in loaded.items() if sum(files.values()) >= most} == {}


async def test_all_files_of_the_page_are_small_and_belong_to_a_view(built: dict[str, Path]) -> None:
    app = app_of(FOLDER)
    answers = {path: await answer_of(app, f"/{path}", accept_encoding="gzip") for path in built}
    assert all(answer.status == 200 for answer in answers.values())
    assert sum(len(answer.body) for answer in answers.values()) < 200_000
    assert set().union(*map(files_of_view, VIEWS - {""})) == set(built)


async def test_what_is_compressed_of_the_page_is_the_page(built: dict[str, Path]) -> None:
    app = app_of(FOLDER)
    for path, file in built.items():
        answer = await answer_of(app, f"/{path}", accept_encoding="gzip")
        assert answer.headers["content-encoding"] == "gzip"
        assert gzip.decompress(answer.body) == file.read_bytes()
