"""A real browser, and the page in it."""

import os
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING

import asyncpg
import numpy as np
import pytest
from playwright.async_api import Browser, async_playwright

from backcast.marketdata.v1 import fetch_service_pb2
from backcast.marketdata.v1.fetch_service_pb2_grpc import FetchServiceStub
from backcast_engine.candles import Candles
from services.local.stack import LocalStack
from services.rpc.channel import open_channel
from services.web.page_files import PageFiles
from tests.candle_making import import_candles, random_candles
from tests.end_to_end.one_service import OneService, service_beside
from tests.web.browser.crypto import BACKTEST, BREAK, GAP, HOURS, WITH_BREAK, WITH_GAP, until_drawn
from tests.web.browser.tab import Tab, opened

if TYPE_CHECKING:
    from backcast.marketdata.v1.market_data_service_pb2_grpc import MarketDataServiceAsyncStub

CHROMIUM = os.environ.get("BACKCAST_TEST_CHROMIUM") or shutil.which("chromium") or "/usr/bin/chromium"
SYMBOLS = [f"TAB{number:02}USDT" for number in range(24)]


@pytest.fixture(scope="session")
async def browser() -> AsyncIterator[Browser]:
    """The browser of this machine; BACKCAST_TEST_CHROMIUM names another one."""
    if not Path(CHROMIUM).exists():
        pytest.skip(
            "NO BROWSER: the page is not tested; install chromium, or name one by BACKCAST_TEST_CHROMIUM"
        )
    if not PageFiles().is_built:
        pytest.skip("NO PAGE: it is not tested, as it is not built; `make page` builds it")
    async with async_playwright() as playwright:
        # A renderer that is held ready for the next tab would look as if a test had left it.
        arguments = ["--no-sandbox", "--disable-features=SpareRendererForSitePerProcess"]
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        yield browser
        await browser.close()


@pytest.fixture(scope="session")
async def web_process(stack: LocalStack, short_folder: Path) -> AsyncIterator[OneService]:
    """The page's process, beside the stack."""
    async with service_beside(stack, "web", short_folder / "page") as web:
        yield web


@pytest.fixture(scope="session")
async def cryptos(data_service: "MarketDataServiceAsyncStub") -> list[str]:
    """Cryptos of the tests of the page."""
    for number, symbol in enumerate(SYMBOLS):
        await import_candles(data_service, symbol, random_candles(number, HOURS))
    return SYMBOLS


@pytest.fixture
async def tab(browser: Browser, web_process: OneService, cryptos: list[str]) -> AsyncIterator[Tab]:
    """A tab of the page; its test fails if the page writes to the console or asks anybody else."""
    async with opened(browser, web_process.address) as tab:
        yield tab


@pytest.fixture
async def no_feed_processes(stack: LocalStack) -> AsyncIterator[None]:
    """Forget the feed processes, feeds and fetches of other tests, and of this one at its end."""
    connection = await asyncpg.connect(stack.database_url)
    try:
        await connection.execute("TRUNCATE fetchers, fetches, feeds")
        yield
        await connection.execute("TRUNCATE fetchers, fetches, feeds")
    finally:
        await connection.close()


@pytest.fixture
async def fetches_wait(stack: LocalStack, no_feed_processes: None) -> None:
    """Have the data service know a feed process for Binance, which takes up no fetch: each of them waits."""
    request = fetch_service_pb2.TakeFetchRequest(fetcher="busy elsewhere", exchanges=["binance"])
    async with open_channel(stack.data_address) as channel:
        assert not (await FetchServiceStub(channel).TakeFetch(request)).HasField("fetch")


@pytest.fixture(scope="module")
async def odd_cryptos(data_service: "MarketDataServiceAsyncStub") -> None:
    """A crypto without candles for half a day, and one that was redenominated."""
    candles = random_candles(71, HOURS)
    kept = np.delete(np.arange(HOURS), GAP)
    await import_candles(data_service, WITH_GAP, candles.at(kept))
    candles = random_candles(72, HOURS)
    factor = np.where(np.arange(HOURS) < BREAK, 1.0, 1000.0)
    columns = {name: getattr(candles, name) * factor for name in ("open", "high", "low", "close")}
    # The candle after the break opens where the new prices are.
    columns["open"][BREAK] = columns["close"][BREAK]
    broken = Candles(open_time_s=candles.open_time_s, volume=candles.volume, **columns)
    await import_candles(data_service, WITH_BREAK, broken)


@pytest.fixture
async def crypto(tab: Tab) -> AsyncIterator[str]:
    """The first crypto of the tests of the page, whose view is shown with its chart."""
    symbol = "TAB00USDT"
    await tab.show("/crypto", symbol=symbol, **BACKTEST)
    await until_drawn(tab)
    yield symbol
