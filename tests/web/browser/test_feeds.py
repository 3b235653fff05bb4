"""The view Data: what is followed, and fetches that are started on the page and done by a feed process."""

import asyncio
import os
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING

import pytest
from playwright.async_api import Locator, expect

from backcast.marketdata.v1 import market_data_service_pb2 as pb
from services.local.stack import LocalStack
from tests.feed.feed_process import FeedProcess
from tests.feed.following.feeds import FollowedExchange
from tests.feed.stand_in import serving
from tests.folders import new_folder
from tests.waiting import LIMIT_S
from tests.web.browser.tab import Tab
from tests.web.browser.test_accessibility import serious

if TYPE_CHECKING:
    from backcast.marketdata.v1.market_data_service_pb2_grpc import MarketDataServiceAsyncStub

# Following asks for the newest 1,000 hours.
HOURS = 1500
PICTURES = os.environ.get("BACKCAST_TEST_SCREENSHOTS", "")
_SLOW_MS = 1000 * LIMIT_S

pytestmark = pytest.mark.usefixtures("no_feed_processes")


@pytest.fixture
async def exchange(data_service: "MarketDataServiceAsyncStub") -> AsyncIterator[FollowedExchange]:
    """An exchange with two pairs, whose candles are deleted afterwards: other tests run all cryptos."""
    exchange = FollowedExchange(hours=HOURS, at_hour=HOURS)
    yield exchange
    for crypto in (await data_service.ListCryptos(pb.ListCryptosRequest())).cryptos:
        if crypto.symbol in exchange.symbols:
            await data_service.DeleteCrypto(pb.DeleteCryptoRequest(symbol=crypto.symbol))


@contextmanager
def feed_process(stack: LocalStack, folder: Path, exchange: FollowedExchange) -> Iterator[FeedProcess]:
    """Run a feed process that follows the exchange."""
    settings = {"exchange": "binance", "quote": exchange.quote, "url": exchange.stand_in.base_url}
    feed = FeedProcess(stack.data_address, new_folder(folder, "page-feed"), **settings)
    try:
        yield feed
    finally:
        feed.process.stop(10)


def panel(tab: Tab) -> Locator:
    return tab.page.get_by_role("region", name="Feeds", exact=True)


async def fill(tab: Tab, **fields: str) -> None:
    """Open the form, and fill in fields by their labels."""
    details = panel(tab).locator("details").filter(has_text="Fetch candles from an exchange")
    if await details.get_attribute("open") is None:
        await details.locator("summary").click()
    for label, text in fields.items():
        await panel(tab).get_by_label(label.replace("_", " "), exact=True).fill(text)


async def test_without_a_feed_process_the_page_says_how_to_start_one(tab: Tab) -> None:
    await tab.show("/data")
    await expect(panel(tab)).to_contain_text("No exchange is followed.")
    await expect(panel(tab)).to_contain_text("No feed process takes up fetches.")
    await expect(tab.button("Fetch")).to_have_count(0)


async def test_a_fetch_that_is_started_on_the_page_shows_its_progress_and_brings_candles(
    tab: Tab,
    stack: LocalStack,
    short_folder: Path,
    exchange: FollowedExchange,
    data_service: "MarketDataServiceAsyncStub",
) -> None:
    with serving(exchange.stand_in), feed_process(stack, short_folder, exchange) as feed:
        await feed.record(event="round ended")
        await tab.show("/data")
        row = panel(tab).get_by_role("row", name=f"binance {exchange.quote}")
        await expect(row).to_contain_text("2024-01-16 10:00", timeout=_SLOW_MS)
        await expect(row).to_contain_text("2,000")
        assert await serious(tab) == []

        # One of the two cryptos is done, and the other one waits for its candles.
        asked, go_on = len(exchange.stand_in.asked), Event()

        def hold(number: int) -> None:
            if number == asked + 3:
                go_on.wait(LIMIT_S)

        exchange.stand_in.on_request = hold
        await fill(tab, All_pairs_of_a_currency=exchange.quote.lower(), From="2023-11-14")
        await tab.button("Fetch").click()
        item = panel(tab).get_by_role("listitem", name=f"binance {exchange.quote}")
        await expect(item).to_contain_text("running", timeout=_SLOW_MS)
        await expect(item).to_contain_text("1 of 2 cryptos", timeout=_SLOW_MS)
        assert await serious(tab) == []
        await picture(tab, "fetching")
        go_on.set()
        await expect(item).to_contain_text("2 of 2 cryptos", timeout=_SLOW_MS)
        await expect(item).to_contain_text("1,000 inserted")
        await expect(item).to_contain_text("done")
        await expect(tab.button(f"Cancel the fetch binance {exchange.quote}")).to_have_count(0)
        await picture(tab, "fetched")
    listed = (await data_service.ListCryptos(pb.ListCryptosRequest(symbols=exchange.symbols))).cryptos
    assert [crypto.candle_count for crypto in listed] == [HOURS, HOURS]


async def test_an_impossible_fetch_names_the_field_or_shows_why_it_failed(
    tab: Tab, stack: LocalStack, short_folder: Path, exchange: FollowedExchange
) -> None:
    with serving(exchange.stand_in), feed_process(stack, short_folder, exchange) as feed:
        await feed.record(event="round ended")
        await tab.show("/data")
        await fill(tab, Or_symbols="BTCUSDT.P", From="2999-01-01")
        await expect(panel(tab).get_by_label("All pairs of a currency")).to_have_value("")
        await tab.button("Fetch").click()
        field = panel(tab).locator(".field")
        await expect(field.filter(has_text="Or symbols")).to_contain_text("only spot candles can be fetched.")
        await expect(field.filter(has_text="From")).to_contain_text("2999-01-01 00:00 UTC is in the future.")
        await picture(tab, "refused")
        await fill(tab, From="yesterday")
        await expect(field.filter(has_text="From")).to_contain_text("A day such as 2020-01-31 is needed")

        await fill(tab, Or_symbols="XYZUSDT", From="2023-11-14")
        await tab.button("Fetch").click()
        item = panel(tab).get_by_role("listitem", name="binance XYZUSDT")
        await expect(item).to_contain_text("failed", timeout=_SLOW_MS)
        await expect(item).to_contain_text("Binance has no XYZUSDT")


async def test_a_fetch_can_be_cancelled_on_the_page(
    tab: Tab, stack: LocalStack, short_folder: Path, exchange: FollowedExchange
) -> None:
    with serving(exchange.stand_in), feed_process(stack, short_folder, exchange) as feed:
        await feed.record(event="round ended")
        go_on = Event()

        def hold(_: int) -> None:
            go_on.wait(LIMIT_S)

        exchange.stand_in.on_request = hold
        try:
            await tab.show("/data")
            await fill(tab, All_pairs_of_a_currency=exchange.quote)
            # What is asked for once is not done by itself where no answer comes.
            tab.expect_refusals()
            cancel = tab.button(f"Cancel the fetch binance {exchange.quote}")
            await tab.page.route("**/CreateFetch", lambda route: route.abort())
            await tab.button("Fetch").click()
            await expect(tab.says(re.compile("If the fetch is not in the list later"))).to_be_visible()
            await tab.page.unroute("**/CreateFetch")
            await tab.button("Fetch").click()
            await tab.page.route("**/CancelFetch", lambda route: route.abort())
            await cancel.click(timeout=_SLOW_MS)
            await expect(tab.says(re.compile("The fetch may not be cancelled: try again"))).to_be_visible()
            await tab.page.unroute("**/CancelFetch")
            await cancel.click(timeout=_SLOW_MS)
            item = panel(tab).get_by_role("listitem", name=f"binance {exchange.quote}")
            await expect(item).to_contain_text("cancelled", timeout=_SLOW_MS)
        finally:
            go_on.set()


async def picture(tab: Tab, name: str) -> None:
    """Save a picture, if they are asked for."""
    if PICTURES:
        await asyncio.to_thread(Path(PICTURES).mkdir, parents=True, exist_ok=True)
        await tab.page.screenshot(path=f"{PICTURES}/feeds-{name}.png", full_page=True)
