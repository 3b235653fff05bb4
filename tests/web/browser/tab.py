"""A tab of the browser with the page in it, in words of the page."""

import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from urllib.parse import urlencode, urlsplit

from playwright.async_api import Browser, Locator, Page, expect

from tests.waiting import LIMIT_S

expect.set_options(timeout=1000 * LIMIT_S)


@dataclass(slots=True)
class Tab:
    """A tab: the page in it, its address (host:port), and what must not be: errors, calls of others."""

    page: Page
    address: str
    errors: list[str] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)

    async def show(self, path: str = "/", **query: str) -> None:
        """Open a view by its link."""
        await self.page.goto(f"http://{self.address}{path}?{urlencode(query)}")

    async def run(self, symbols: Sequence[str], **query: str) -> None:
        """Show the view Run with a backtest, and press Run."""
        await self.show("/", **{"strategy": "ma_cross", "symbols": ",".join(symbols), **query})
        await self.button("Run").click()

    def button(self, name: str) -> Locator:
        """Return the button with this name."""
        return self.page.get_by_role("button", name=name, exact=True)

    def says(self, words: str | re.Pattern[str]) -> Locator:
        """Return what on the page has these words."""
        return self.page.get_by_text(words)

    @property
    def rows(self) -> Locator:
        """The rows of the table of results that are drawn, without its head."""
        return self.page.locator(".results .grid-row:not(.grid-head)")

    async def column(self, index: int = 0) -> list[str]:
        """Return the cells of a column of the rows that are drawn."""
        return await self.rows.locator(f"xpath=./div[{index + 1}]").all_inner_texts()

    async def until_rows(self, count: int) -> None:
        """Wait until the table has this number of rows."""
        await expect(self.page.locator(".results .grid")).to_have_attribute("aria-rowcount", str(count + 1))

    async def until_done(self, of: int) -> None:
        """Wait until the run has completed."""
        await expect(self.page.locator(".progress strong")).to_have_text(f"{of} of {of}")
        await expect(self.page.locator(".figures")).to_be_visible()

    def assert_clean(self) -> None:
        """Fail if the page wrote to the console, threw an error or asked anybody but its server."""
        assert self.errors == []
        assert self.foreign == []


def calls_of(tab: Tab, method: str) -> list[str]:
    """Return a list that gets the addresses of the calls that the tab makes of a method from now on."""
    calls: list[str] = []

    def note(url: str) -> None:
        if url.endswith(f"/{method}"):
            calls.append(url)

    tab.page.on("request", lambda request: note(request.url))
    return calls


@asynccontextmanager
async def opened(browser: Browser, address: str) -> AsyncIterator[Tab]:
    """Open a tab of its own, without a cache or a session of others."""
    context = await browser.new_context(accept_downloads=True)
    try:
        page = await context.new_page()
        tab = Tab(page, address)
        page.on("console", lambda message: tab.errors.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: tab.errors.append(str(error)))

        def asked(url: str) -> None:
            parts = urlsplit(url)
            if parts.scheme in {"http", "https", "ws", "wss"} and parts.netloc != address:
                tab.foreign.append(url)

        context.on("request", lambda request: asked(request.url))
        yield tab
    finally:
        await context.close()
