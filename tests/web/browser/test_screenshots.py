"""The pictures of the README: views of the page on the sample market.

This makes them anew:

    BACKCAST_TEST_SCREENSHOTS=docs/images .venv/bin/python -m pytest tests/web/browser/test_screenshots.py
"""

import io
import os
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from PIL import Image
from playwright.async_api import Browser, expect
from rich.console import Console

from services.cli.commands.sample import write_sample_market
from services.local.sample_market import CRYPTO_COUNT
from services.local.stack import LocalStack, StackSettings
from tests.web.browser.crypto import until_drawn
from tests.web.browser.tab import Tab, opened

FOLDER = os.environ.get("BACKCAST_TEST_SCREENSHOTS", "")
MOST_BYTES = 120_000
COLOURS = 256

pytestmark = pytest.mark.skipif(
    not FOLDER, reason="no pictures were asked for: BACKCAST_TEST_SCREENSHOTS names the folder for them"
)


@pytest.fixture(scope="module")
async def sample_page(short_folder: Path) -> AsyncIterator[str]:
    """The address of a page on a stack with the sample market and nothing else."""
    settings = StackSettings(
        short_folder / "sample", 0, 0, 0, database_url=None, redis_url=None, quiet=True, web_port=0
    )
    async with LocalStack(settings) as stack:
        await write_sample_market(stack.gateway_address, Console(quiet=True))
        yield stack.page_url.removeprefix("http://")


@pytest.fixture
async def tab(browser: Browser, sample_page: str) -> AsyncIterator[Tab]:
    """A tab of the page on the sample market."""
    async with opened(browser, sample_page) as tab:
        await tab.page.set_viewport_size({"width": 1280, "height": 900})
        yield tab


async def test_a_run_of_all_cryptos(tab: Tab) -> None:
    await tab.page.emulate_media(color_scheme="light")
    await tab.show("/", strategy="rsi", sort="total_return")
    await tab.button("Run").click()
    await tab.until_done(CRYPTO_COUNT)
    await save(tab, "run")


async def test_a_crypto(tab: Tab) -> None:
    await tab.page.emulate_media(color_scheme="dark")
    await tab.show("/crypto", symbol="SYN152USDT", strategy="rsi", interval="4h")
    await until_drawn(tab)
    await save(tab, "crypto")


async def test_a_sweep(tab: Tab) -> None:
    await tab.page.emulate_media(color_scheme="light")
    ranges = {"p.period": "6..30:2", "p.oversold": "20..40:4"}
    await tab.show("/sweep", strategy="rsi", interval="4h", split="70%", **ranges)
    await tab.button("Sweep").click()
    await expect(tab.page.locator(".combinations .grid")).to_be_visible()
    await save(tab, "sweep")


async def test_two_runs_compared(tab: Tab) -> None:
    await tab.page.emulate_media(color_scheme="dark")
    await tab.show("/compare", a="strategy=ma_cross&interval=4h", b="strategy=rsi&interval=4h")
    await tab.button("Run this").click()
    await expect(tab.says(re.compile("^In the total return, B is"))).to_be_visible()
    await expect(tab.page.locator(".chart-host canvas").first).to_be_visible()
    await save(tab, "compare")


async def test_a_portfolio(tab: Tab) -> None:
    await tab.page.emulate_media(color_scheme="dark")
    await tab.show("/portfolio", strategy="rsi", interval="4h", positions="10", rank="roc(42)")
    await tab.button("Run").click()
    await expect(tab.page.locator(".chart-host canvas").first).to_be_visible()
    await expect(tab.says(re.compile("The portfolio has completed"))).to_be_attached()
    await save(tab, "portfolio")


async def test_the_runs_of_everybody(tab: Tab) -> None:
    await tab.page.emulate_media(color_scheme="dark")
    await tab.show("/", strategy="bollinger")
    await tab.button("Run").click()
    await tab.until_done(CRYPTO_COUNT)
    await tab.show("/runs")
    await expect(tab.page.locator(".runs tbody tr").first).to_contain_text("bollinger")
    await save(tab, "runs")


async def test_the_data(tab: Tab) -> None:
    await tab.page.emulate_media(color_scheme="light")
    await tab.show("/data", symbol="SYN003USDT")
    await expect(tab.page.get_by_role("heading", name="SYN003USDT")).to_be_visible()
    breaks = tab.page.locator(".cryptos .grid-row").nth(1).get_by_role("gridcell").last
    await expect(breaks).to_have_text(re.compile(r"^\d+$"))
    await save(tab, "data")


async def save(tab: Tab, name: str) -> None:
    """Write the picture of a view, with few colours."""
    await tab.page.mouse.move(0, 0)
    taken = await tab.page.screenshot(animations="disabled")
    file = Path(FOLDER, f"{name}.png")
    file.parent.mkdir(parents=True, exist_ok=True)
    few = Image.open(io.BytesIO(taken)).convert("RGB").quantize(COLOURS, Image.Quantize.MAXCOVERAGE)
    few.save(file, optimize=True)
    assert file.stat().st_size < MOST_BYTES
