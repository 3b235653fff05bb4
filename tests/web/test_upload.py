"""Imports by upload: the report of the command, and what is refused before anything is written."""

import asyncio
import gzip
import re
import tempfile
import time
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import pytest
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo, RetryInfo

from backcast.marketdata.v1 import market_data_service_pb2
from backcast_engine.errors import ErrorReason
from services.local.ports import free_ports
from services.local.stack import LocalStack
from services.rpc.channel import open_channel
from services.web.upload import Upload
from tests.candle_making import START_S
from tests.cli.conftest import Cli, write_csv
from tests.end_to_end.one_service import OneService, service_beside
from tests.waiting import LIMIT_S, until
from tests.web.asgi import answer_of
from tests.web.clients import Answer, Page, next_status, violated

if TYPE_CHECKING:
    from backcast.marketdata.v1.market_data_service_pb2_grpc import MarketDataServiceAsyncStub

FILE = "application/octet-stream"
TWO_CANDLES = b"timestamp,open,high,low,close,volume\n1704067200,1,1,1,1,1\n1704070800,1,1,1,1,1\n"
# Of the process of the tests.
MOST_BYTES = 200_000
MOST_UPLOADS = 4


async def upload(page: Page, content: Any, content_type: str = FILE, **query: str) -> Answer:
    return await page.send("POST", f"/import?{urlencode(query)}", content, content_type=content_type)


def content_of(rows: list[str]) -> bytes:
    return "\n".join(["timestamp,open,high,low,close,volume", *rows, ""]).encode()


def csv(tmp_path: Path, seed: int = 1, hours: int = 500) -> bytes:
    return write_csv(tmp_path / "candles.csv", seed, hours).read_bytes()


async def candle_count(data_service: "MarketDataServiceAsyncStub", symbol: str) -> int:
    cryptos = (await data_service.ListCryptos(market_data_service_pb2.ListCryptosRequest())).cryptos
    return next((each.candle_count for each in cryptos if each.symbol == symbol), 0)


async def test_a_file_is_imported_with_the_report_of_the_command(
    page: Page, stack: LocalStack, data_service: "MarketDataServiceAsyncStub", tmp_path: Path
) -> None:
    content = csv(tmp_path) + b"junk,1,1,1,1,1\n"
    answer = await upload(page, content, name="UPAUSDT.csv")
    assert answer.status == 200
    report = answer.json()
    assert (report["symbol"], report["inserted"], report["candles"]) == ("UPAUSDT", 500, 500)
    assert (report["corrected"], report["unchanged"], report["kept"]) == (0, 0, 0)
    assert (report["rejected"], report["breaks"]) == (1, [])
    assert report["rejections"] == [{"line": 502, "reason": "the time is 'junk', not a time", "values": ""}]
    assert await candle_count(data_service, "UPAUSDT") == 500
    # The command prints the same of the same file under another name.
    file = tmp_path / "UPBUSDT.csv"
    file.write_bytes(content)
    printed = (await Cli(stack)("import", file)).out
    for line in (report["summary"], *report["notes"]):
        assert line.replace("UPAUSDT", "UPBUSDT") in " ".join(printed.split())
    again = (await upload(page, content, name="UPAUSDT.csv")).json()
    assert (again["inserted"], again["unchanged"]) == (0, 500)
    assert again["summary"].startswith("UPAUSDT: nothing written, 500 unchanged")


async def test_the_report_counts_what_was_left_out_and_why(page: Page) -> None:
    rows = [
        *(f"{START_S + hour * 3600},1,1,1,1,{hour}" for hour in range(4)),
        # Two that repeat others, one that contradicts another, two without a price.
        *(f"{START_S + hour * 3600},1,1,1,1,{hour}" for hour in (1, 2)),
        f"{START_S + 3 * 3600},1,1,1,1,4",
        *(f"{START_S + hour * 3600},x,1,1,1,1" for hour in (4, 5)),
        # After a break.
        f"{START_S + 6 * 3600},50,50,50,50,1",
    ]
    report = (await upload(page, content_of(rows), name="UPKUSDT.csv", interval="1h")).json()
    rejections, notes, summary = (report.pop(name) for name in ("rejections", "notes", "summary"))
    text = "break: 1 until 2024-01-01 03:00 UTC, 50 from 2024-01-01 06:00 UTC"
    assert report == {
        **{"name": "UPKUSDT.csv", "symbol": "UPKUSDT", "format": "plain-csv", "candles": 5},
        **{"inserted": 5, "corrected": 0, "unchanged": 0, "kept": 0, "withoutVolume": 1},
        **{"rejected": 3, "duplicates": 2, "conflicts": 1, "stillOpen": 0, "incomplete": 0, "withJump": 0},
        "breaks": [
            {
                **{"beforeTime": "2024-01-01 03:00 UTC", "afterTime": "2024-01-01 06:00 UTC"},
                **{"close": 1.0, "open": 50.0, "text": text},
            }
        ],
    }
    assert [each["line"] for each in rejections] == [5, 9, 10]
    assert rejections[0]["values"].startswith("2024-01-01 03:00 UTC, open 1.0, high 1.0")
    assert (notes[0], notes[3], len(notes)) == (text, "line 10: open is 'x', not a finite number", 4)
    assert summary == (
        "UPKUSDT: 5 written, 2 rejected, 2 repeated, "
        "1 row in conflict with another (the last one was taken), 1 without volume, 1 break"
    )


async def test_all_bad_parameters_are_named_at_once(page: Page) -> None:
    query = [
        *(("name", "a/b"), ("symbol", "A B"), ("interval", "7h"), ("on_conflict", "x"), ("nope", "1")),
        *(("map", "junk"), ("map", "open="), ("folder", "")),
    ]
    answer = await page.send("POST", f"/import?{urlencode(query)}", TWO_CANDLES, content_type=FILE)
    assert answer.status == 400
    assert violated(answer.json()) == [
        *("folder", "nope", "name", "symbol", "interval", "on_conflict", "map", "map")
    ]


async def test_the_report_counts_a_candle_that_has_not_closed(page: Page) -> None:
    hour_s = int(time.time()) // 3600 * 3600
    # One of them is under way, also where the hour ends during the test; the one after it is rejected.
    rows = [f"{start_s},1,1,1,1,1" for start_s in (START_S, hour_s, hour_s + 3600)]
    report = (await upload(page, content_of(rows), name="UPMUSDT.csv", interval="1h")).json()
    assert report["stillOpen"] == 1
    assert "1 candle left out as not closed yet" in report["summary"]


async def test_the_report_counts_hours_that_shorter_candles_do_not_make(page: Page) -> None:
    halves = [
        # A whole hour, two that miss a half, and one within which the price jumps.
        *(f"{START_S + half * 1800},1,1,1,1,1" for half in (0, 1, 2, 4)),
        *(f"{START_S + 3 * 3600 + half * 1800},{1 + 19 * half},20,1,{1 + 19 * half},1" for half in (0, 1)),
    ]
    report = (await upload(page, content_of(halves), name="UPLUSDT.csv", interval="30m")).json()
    assert (report["candles"], report["incomplete"], report["withJump"]) == (1, 2, 1)
    assert report["summary"] == (
        "UPLUSDT: 1 written, 2 thirty-minute candles became 1 hour, 2 hours left out as incomplete, "
        "1 hour left out: the price jumps by a factor of 10 or more within it"
    )


async def test_the_query_says_what_the_file_does_not(page: Page, tmp_path: Path) -> None:
    content = csv(tmp_path, seed=2).replace(b"timestamp,open", b"Moment,open")
    answer = await upload(page, content, name="candles.csv", symbol="upc/usdt", map="datetime=Moment")
    assert answer.status == 200, answer.body
    assert answer.json()["symbol"] == "UPCUSDT"
    packed = await upload(page, gzip.compress(csv(tmp_path, seed=2)), name="UPCUSDT.csv.gz", interval="1h")
    assert packed.json()["unchanged"] == 500


async def test_the_rule_decides_about_stored_candles(page: Page, tmp_path: Path) -> None:
    first, other = csv(tmp_path, seed=3), csv(tmp_path, seed=4)
    assert (await upload(page, first, name="UPDUSDT.csv")).json()["inserted"] == 500
    refused = await upload(page, other, name="UPDUSDT.csv")
    assert refused.status == 400
    assert refused.json()["code"] == "failed_precondition"
    assert "on_conflict=replace" in refused.json()["message"]
    assert "CONFLICT_RULE" not in refused.json()["message"]
    kept = (await upload(page, other, name="UPDUSDT.csv", on_conflict="keep")).json()
    assert (kept["kept"], kept["corrected"]) == (500, 0)
    replaced = (await upload(page, other, name="UPDUSDT.csv", on_conflict="replace")).json()
    assert (replaced["kept"], replaced["corrected"]) == (0, 500)


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({}, "name"),
        ({"name": ""}, "name"),
        ({"name": ".."}, "name"),
        ({"name": "../UPUSDT.csv"}, "name"),
        ({"name": "a\\b.csv"}, "name"),
        ({"name": "a\0.csv"}, "name"),
        ({"name": "x" * 256}, "name"),
        ({"name": "UPUSDT.csv", "on_conflict": "perhaps"}, "on_conflict"),
        ({"name": "UPUSDT.csv", "interval": "2h"}, "interval"),
        ({"name": "UPUSDT.csv", "symbol": "no symbol"}, "symbol"),
        ({"name": "UPUSDT.csv", "map": "no mapping"}, "map"),
        ({"name": "UPUSDT.csv", "folder": "/"}, "folder"),
    ],
)
async def test_a_wrong_query_is_refused_by_its_name(
    page: Page, tmp_path: Path, query: dict[str, str], field: str
) -> None:
    answer = await upload(page, csv(tmp_path), **query)
    assert answer.status == 400
    assert violated(answer.json()) == [field]


@pytest.mark.parametrize(
    ("content", "name", "reason"),
    [
        (b"", "UPEUSDT.csv", "empty"),
        (b"\x00\x01\x02", "UPEUSDT.csv", ""),
        (b"hello\nworld\n", "UPEUSDT.csv", ""),
        (TWO_CANDLES, "data.csv", "give symbol"),
        (b"1704067200,1,1,1,1\n1704070800,1,1,1,1\n", "UPEUSDT.csv", "map=volume= takes"),
        (TWO_CANDLES[: TWO_CANDLES.rindex(b"17")], "UPEUSDT.csv", "give interval"),
    ],
)
async def test_a_file_of_no_candles_is_refused_with_its_reason(
    page: Page, data_service: "MarketDataServiceAsyncStub", content: bytes, name: str, reason: str
) -> None:
    answer = await upload(page, content, name=name)
    assert (answer.status, answer.json()["code"]) == (400, "invalid_argument")
    (violation,) = answer.detail(BadRequest).field_violations
    for text in (answer.json()["message"], violation.description):
        assert reason in text
        assert "--" not in text
        assert "Traceback" not in text
        assert tempfile.gettempdir() not in text
    assert not await candle_count(data_service, "UPEUSDT")


async def test_a_file_above_the_limit_is_refused(page: Page, temporary_files: Path) -> None:
    said = await upload(page, b"1" * (MOST_BYTES + 1), name="UPFUSDT.csv")
    # Its length is not said: what has come is thrown away.
    chunked = await upload(page, (b"1" * 10_000 for _ in range(100)), name="UPFUSDT.csv")
    for answer in (said, chunked):
        assert (answer.status, answer.json()["code"]) == (429, "resource_exhausted")
        assert "BACKCAST_WEB_MAX_UPLOAD_BYTES" in answer.json()["message"]
        assert answer.detail(ErrorInfo).reason == ErrorReason.FILE_TOO_LARGE
    assert list(temporary_files.iterdir()) == []


async def test_a_file_whose_length_is_above_the_limit_is_refused_before_it_comes(page: Page) -> None:
    path = "/import?name=UPFUSDT.csv"
    async with page.begun(path, MOST_BYTES + 1, content_type=FILE) as (reader, _):
        assert await next_status(reader) == 429


async def test_four_files_at_most_are_taken_at_once(page: Page, temporary_files: Path) -> None:
    def taken() -> list[str]:
        return [file.name for file in temporary_files.glob("*/*")]

    async with AsyncExitStack() as connections:
        uploads = {}
        for name in (f"UPJ{number}USDT.csv" for number in range(MOST_UPLOADS)):
            begun = page.begun(f"/import?name={name}", len(TWO_CANDLES), content_type=FILE)
            uploads[name] = await connections.enter_async_context(begun)
        await until(lambda: sorted(taken()) == sorted(uploads))
        # A client that comes then is refused at once, with the advice to retry, and waits behind nobody.
        refused = await upload(page, TWO_CANDLES, name="UPJ9USDT.csv")
        assert (refused.status, refused.json()["code"]) == (429, "resource_exhausted")
        assert refused.detail(ErrorInfo).reason == ErrorReason.TOO_MANY_UPLOADS
        assert refused.detail(RetryInfo).retry_delay.seconds > 0
        for reader, writer in uploads.values():
            writer.write(TWO_CANDLES)
            assert await next_status(reader) == 200
    assert (await upload(page, TWO_CANDLES, name="UPJ9USDT.csv")).status == 200


async def test_a_file_of_which_nothing_comes_does_not_keep_its_place(
    stack: LocalStack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setattr("services.web.upload._LONGEST_PAUSE_S", 0.1)
    async with open_channel(stack.gateway_address) as channel:
        served = Upload(channel, MOST_BYTES)
        for _ in range(MOST_UPLOADS + 1):
            stalled = answer_of(
                served,
                "/import",
                "POST",
                b"timestamp,open",
                query="name=UPNUSDT.csv",
                is_whole=False,
                content_type=FILE,
            )
            answer = await asyncio.wait_for(stalled, LIMIT_S)
            assert (answer.status, answer.headers["connection"]) == (408, "close")
            assert b"send it again" in answer.body
    assert not list(tmp_path.iterdir())


async def test_another_content_type_is_refused(page: Page, tmp_path: Path) -> None:
    for content_type in (
        "",
        "text/csv",
        "multipart/form-data; boundary=x",
        "application/x-www-form-urlencoded",
    ):
        answer = await upload(page, csv(tmp_path), content_type, name="UPGUSDT.csv")
        assert answer.status == 415


async def test_uploads_are_counted_by_their_statuses(
    stack: LocalStack, short_folder: Path, tmp_path: Path
) -> None:
    (port,) = free_ports(1)
    async with service_beside(
        stack, "web", short_folder / "counted", web_metrics_port=port, web_max_upload_bytes=MOST_BYTES
    ) as web:
        page = Page(web.address)
        assert (await upload(page, csv(tmp_path), name="UPJUSDT.csv")).status == 200
        assert (await upload(page, csv(tmp_path), "text/csv", name="UPJUSDT.csv")).status == 415
        assert (await upload(page, b"1" * (MOST_BYTES + 1), name="UPJUSDT.csv")).status == 429
        refused = await upload(page, csv(tmp_path, seed=2), name="UPJUSDT.csv")
        assert refused.json()["code"] == "failed_precondition"
        metrics = (await Page(f"127.0.0.1:{port}").send("GET", "/metrics")).body.decode()
    counted = re.findall(
        r'^backcast_rpc_duration_seconds_count{code="(\w+)",method="import"} (.*)', metrics, re.M
    )
    assert sorted(counted) == [
        ("FAILED_PRECONDITION", "1.0"),
        ("INVALID_ARGUMENT", "1.0"),
        ("OK", "1.0"),
        ("RESOURCE_EXHAUSTED", "1.0"),
    ]


async def test_an_upload_that_breaks_off_leaves_nothing(
    page: Page, data_service: "MarketDataServiceAsyncStub", temporary_files: Path
) -> None:
    async with page.begun("/import?name=UPHUSDT.csv", 100_000, content_type=FILE) as (_, writer):
        writer.write(b"timestamp,open")
        await until(lambda: any(temporary_files.iterdir()))
    await until(lambda: not any(temporary_files.iterdir()))
    assert not await candle_count(data_service, "UPHUSDT")


async def test_an_unavailable_gateway_is_reported_before_the_file_is_read(
    stack: LocalStack, short_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    async with service_beside(stack, "web", short_folder / "import", gateway_address="127.0.0.1:1") as web:
        page = Page(web.address)
        answer = await upload(page, csv(tmp_path), name="UPIUSDT.csv")
        async with page.begun("/import?name=UPIUSDT.csv", 1000, content_type=FILE) as (reader, _):
            assert await next_status(reader) == 503
    assert (answer.status, answer.json()["code"]) == (503, "unavailable")
    assert not list(tmp_path.glob("backcast-import-*"))


async def test_the_process_says_nothing_of_the_files(web: OneService) -> None:
    assert "Traceback" not in web.log.read_text()
