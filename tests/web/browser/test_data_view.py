"""The view Data: files that are dropped, cryptos, breaks, deletion."""

import asyncio
import csv
import io
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from playwright.async_api import Browser, Locator, Route, expect

from backcast.marketdata.v1 import break_pb2, crypto_pb2
from backcast.marketdata.v1 import market_data_service_pb2 as pb
from backcast_engine.times import utc
from services.local.stack import LocalStack
from tests.candle_making import START_S
from tests.end_to_end.one_service import OneService, service_beside
from tests.waiting import until
from tests.web.browser.tab import Tab, opened
from tests.web.browser.test_accessibility import serious
from tests.web.clients import Page as Client

if TYPE_CHECKING:
    from backcast.marketdata.v1.market_data_service_pb2_grpc import MarketDataServiceAsyncStub

SYMBOL = "DROPPEDUSDT"
DROP = """
([target, files]) => {
  const dataTransfer = new DataTransfer();
  for (const [name, text] of files) dataTransfer.items.add(new File([text], name));
  for (const type of ["dragover", "drop"])
    document.querySelector(target).dispatchEvent(
      new DragEvent(type, { dataTransfer, bubbles: true, cancelable: true }));
}
"""


@pytest.fixture(autouse=True)
async def _deleted(data_service: "MarketDataServiceAsyncStub") -> AsyncIterator[None]:
    """Delete what a test has imported: other tests run all cryptos."""
    yield
    if await stored(data_service):
        await data_service.DeleteCrypto(pb.DeleteCryptoRequest(symbol=SYMBOL))


async def stored(data_service: "MarketDataServiceAsyncStub") -> list[crypto_pb2.Crypto]:
    return list((await data_service.ListCryptos(pb.ListCryptosRequest(symbols=[SYMBOL]))).cryptos)


async def dropped(tab: Tab, *files: tuple[str, str]) -> None:
    """Drop files with these names and texts."""
    await expect(tab.says("Drop files of candles here")).to_be_visible()
    await tab.page.evaluate(DROP, ["#main", files])


def candles_file(closes: Sequence[float | None], name: str = f"{SYMBOL}.csv") -> tuple[str, str]:
    """Return a file of hourly candles from 2024 on; None leaves an hour out."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(["time", "open", "high", "low", "close", "volume"])
    before = closes[0]
    for hour, close in enumerate(closes):
        if close is not None:
            # After a gap, a candle opens at its own price.
            open_ = close if before is None or not 0.5 < close / before < 2 else before
            prices = [open_, max(open_, close), min(open_, close), close]
            writer.writerow([utc(START_S + 3600 * hour), *prices, 1])
            before = close
    return name, text.getvalue()


async def shown(tab: Tab) -> None:
    """Show the view with the crypto alone: the table draws the rows in sight, and other tests import too."""
    await tab.show("/data", search=SYMBOL)


def row(tab: Tab) -> Locator:
    return tab.page.locator(".cryptos .grid-row").filter(has_text=SYMBOL)


async def cells(tab: Tab) -> list[str]:
    return await row(tab).get_by_role("gridcell").all_inner_texts()


async def test_dropped_files_are_imported_with_the_commands_report_and_others_refused(
    tab: Tab, data_service: "MarketDataServiceAsyncStub"
) -> None:
    await shown(tab)
    hours = [100.0 + hour % 7 for hour in range(72)]
    gap = [*hours[:30], *[None] * 5, *hours[35:]]
    await dropped(tab, ("notes.txt", "nothing of the kind"), candles_file(gap))
    await expect(tab.says(f"{SYMBOL}: 67 written")).to_be_visible()
    await expect(tab.page.locator(".imported .problem")).to_contain_text("notes.txt:")
    await expect(tab.page.locator(".imported [role=status]")).to_have_text("1 file imported, 1 refused")
    await expect(row(tab)).to_be_visible()
    await expect(row(tab).get_by_role("gridcell").last).to_have_text("0")
    expected = [SYMBOL, "spot", "2024-01-01", "2024-01-03 23:00", "67", "5", "0"]
    assert await cells(tab) == expected
    (crypto,) = await stored(data_service)
    assert crypto.candle_count == 67
    tab.expect_refusals()


async def test_a_dropped_folder_gives_the_files_within_and_none_that_are_hidden(
    tab: Tab, data_service: "MarketDataServiceAsyncStub", tmp_path: Path
) -> None:
    name, text = candles_file([100.0 + hour % 7 for hour in range(72)])
    lines = text.splitlines(keepends=True)
    for path, part in (("2024/first", lines[:37]), ("2024/later/second", [lines[0], *lines[37:]])):
        (tmp_path / path).mkdir(parents=True)
        (tmp_path / path / name).write_text("".join(part))
    (tmp_path / "2024" / ".hidden.csv").write_text("nothing of the kind")
    await shown(tab)
    await expect(tab.says("Drop files of candles here")).to_be_visible()
    # A folder cannot be made within the page: the browser is given one of the machine's.
    browser = await tab.page.context.new_cdp_session(tab.page)
    dragged = {"items": [], "files": [str(tmp_path / "2024")], "dragOperationsMask": 1}
    # The pointer lets go as soon as it has come upon another element.
    for kind, y in (("dragEnter", 300), ("dragOver", 300), ("drop", 20)):
        await browser.send("Input.dispatchDragEvent", {"type": kind, "x": 600, "y": y, "data": dragged})
    await expect(tab.page.locator(".imported [role=status]")).to_have_text("2 files imported")
    await expect(tab.says(f"{SYMBOL}: 36 written")).to_have_count(2)
    (crypto,) = await stored(data_service)
    assert crypto.candle_count == 72


async def test_a_file_that_would_change_much_is_refused_until_it_shall_replace(
    tab: Tab, data_service: "MarketDataServiceAsyncStub"
) -> None:
    await shown(tab)
    await dropped(tab, candles_file([100.0] * 48))
    await expect(tab.says(f"{SYMBOL}: 48 written")).to_be_visible()
    await dropped(tab, candles_file([103.0] * 48))
    await tab.button("Replace the stored candles").click()
    await expect(tab.says(re.compile(f"{SYMBOL}: .*48 corrected"))).to_be_visible()
    await expect(tab.page.locator(".imported .problem")).to_have_count(0)
    tab.expect_refusals()


async def test_what_a_file_needs_is_said_in_words_of_the_page(
    tab: Tab, browser: Browser, stack: LocalStack, short_folder: Path
) -> None:
    problem = tab.page.locator(".imported .problem")
    _, text = candles_file([100.0] * 48)
    await shown(tab)
    await dropped(tab, ("candles.csv", text))
    await expect(problem).to_have_text(re.compile("names no crypto.*: give symbol"))
    await dropped(tab, ("TIMESUSDT.csv", "".join(text.splitlines(keepends=True)[:2])))
    await expect(problem.last).to_have_text(re.compile("how long candles are.*: give interval"))
    await tab.page.get_by_text("Options", exact=True).click()
    for name in ("Symbol", "Interval of its candles"):
        await expect(tab.page.get_by_label(name, exact=True)).to_be_visible()
    tab.expect_refusals()
    async with (
        service_beside(stack, "web", short_folder / "small", web_max_upload_bytes=len(text) - 1) as small,
        opened(browser, small.address) as other,
    ):
        other.expect_refusals()
        await shown(other)
        await dropped(other, (f"{SYMBOL}.csv", text))
        await expect(other.says(re.compile("Compress it, or use the command"))).to_be_visible()


async def test_a_file_waits_while_others_import_as_many_as_the_server_takes(
    tab: Tab, web_process: OneService
) -> None:
    server = Client(web_process.address)
    path, headers = "/import?name=OTHERUSDT.csv", {"content_type": "application/octet-stream"}

    async def is_full() -> bool:
        # Nothing is written of an empty file.
        return (await server.send("POST", path, b"", **headers)).status == 429

    await shown(tab)
    async with AsyncExitStack() as others:
        for _ in range(4):
            await others.enter_async_context(server.begun(path, 1000, **headers))
        await until(is_full)
        async with tab.page.expect_response(lambda answer: answer.status == 429):
            await dropped(tab, candles_file([100.0] * 48))
        await expect(tab.page.locator(".imported").get_by_text("waits", exact=True)).to_be_visible()
    await expect(tab.says(f"{SYMBOL}: 48 written")).to_be_visible()
    tab.expect_refusals()


async def test_a_break_is_confirmed_removed_and_reset(
    tab: Tab, data_service: "MarketDataServiceAsyncStub"
) -> None:
    async def state() -> str:
        (found,) = (await data_service.ListBreaks(pb.ListBreaksRequest(symbol=SYMBOL))).breaks
        return break_pb2.BreakState.Name(found.state)

    await shown(tab)
    await dropped(tab, candles_file([100.0] * 48 + [2.0] * 48))
    await expect(tab.page.locator(".imported .note")).to_have_text(re.compile("^break: 100 until"))
    await row(tab).click()
    await expect(row(tab).get_by_role("gridcell").last).to_have_text("1")
    panel = tab.page.get_by_role("region", name=SYMBOL)
    await panel.get_by_role("button", name="Confirm the break at 2024-01-03").click()
    await expect(panel.get_by_role("cell", name="confirmed")).to_be_visible()
    assert await state() == "BREAK_STATE_CONFIRMED"
    # The button that was pressed has gone, and left the focus to its row.
    await expect(panel.get_by_role("button", name="Remove the break at 2024-01-03")).to_be_focused()
    assert await serious(tab) == []
    await panel.get_by_role("button", name="Remove the break at 2024-01-03").click()
    await expect(panel.get_by_role("cell", name="removed")).to_be_visible()
    await expect(row(tab).get_by_role("gridcell").last).to_have_text("0")
    assert await state() == "BREAK_STATE_REMOVED"
    await expect(panel.get_by_role("button", name="Confirm the break at 2024-01-03")).to_be_focused()
    await panel.get_by_role("button", name="Reset the break at 2024-01-03").click()
    await expect(panel.get_by_role("cell", name="detected by an import")).to_be_visible()
    assert await state() == "BREAK_STATE_DETECTED"


async def test_a_crypto_is_deleted_once_that_is_confirmed(
    tab: Tab, data_service: "MarketDataServiceAsyncStub"
) -> None:
    await shown(tab)
    await dropped(tab, candles_file([100.0] * 48))
    await row(tab).click()
    await tab.button("Close").click()
    # The panel has gone, and left the focus to the table.
    await expect(tab.page.get_by_role("grid", name="Cryptos")).to_be_focused()
    await row(tab).click()
    await tab.button(f"Delete {SYMBOL}").click()
    await tab.button("Keep").click()
    await expect(tab.page.get_by_role("dialog")).to_have_count(0)
    assert await stored(data_service)
    await tab.button(f"Delete {SYMBOL}").click()
    await tab.button("Delete 48 candles").click()
    await expect(row(tab)).to_have_count(0)
    await expect(tab.page.get_by_role("grid", name="Cryptos")).to_be_focused()
    assert not await stored(data_service)


async def test_a_list_that_was_under_way_before_an_import_is_loaded_again(tab: Tab) -> None:
    answered, imported = asyncio.Event(), asyncio.Event()

    async def answer_late(route: Route) -> None:
        answer = await route.fetch()
        answered.set()
        await imported.wait()
        await route.fulfill(response=answer)

    await tab.page.route("**/ListCryptos", answer_late, times=1)
    await shown(tab)
    await answered.wait()
    await dropped(tab, candles_file([100.0] * 48))
    await expect(tab.says(f"{SYMBOL}: 48 written")).to_be_visible()
    imported.set()
    await expect(row(tab)).to_be_visible()


async def test_cryptos_are_searched_and_sorted(tab: Tab, cryptos: list[str]) -> None:
    await tab.show("/data", search="tab0")
    grid = tab.page.locator(".cryptos .grid")
    await expect(grid).to_have_attribute("aria-rowcount", "11")
    shown = tab.page.locator(".cryptos .grid-row:not(.grid-head) > :first-child")
    assert await shown.all_inner_texts() == cryptos[:10]
    await tab.page.get_by_role("columnheader", name="Crypto").get_by_role("button").click()
    await expect(shown.first).to_have_text(cryptos[9])
    assert "sort=-symbol" in tab.page.url
