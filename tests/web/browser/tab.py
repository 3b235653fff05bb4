"""A tab of the browser with the page in it, in words of the page."""

import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from urllib.parse import parse_qs, urlencode, urlsplit

from playwright.async_api import Browser, Locator, Page, expect

from services.local.stack import LocalStack
from tests.end_to_end.processes import workers_held
from tests.waiting import LIMIT_S

expect.set_options(timeout=1000 * LIMIT_S)

# Logs to the console if two streams are open at once. A stream is closed at its end or when it is aborted.
REPORT_STREAMS = """
  const streaming = /[/](RunBacktests|RunPortfolio|WatchRun|SweepBacktests|StreamCandles|StreamSeries)$/;
  const open = new Set();
  const { fetch } = window;
  window.fetch = async (url, options) => {
    const [, method] = streaming.exec(url) ?? [];
    if (method === undefined) return fetch(url, options);
    const stream = { method };
    if (open.size > 0) console.error(`${method} is open beside ${[...open].map(({ method }) => method)}`);
    open.add(stream);
    options.signal?.addEventListener("abort", () => open.delete(stream));
    try {
      const response = await fetch(url, options);
      const reader = response.body.getReader();
      const read = reader.read.bind(reader);
      reader.read = async () => {
        const part = await read();
        if (part.done) open.delete(stream);
        return part;
      };
      response.body.getReader = () => reader;
      return response;
    } catch (error) {
      open.delete(stream);
      throw error;
    }
  };
"""


@dataclass(slots=True)
class Tab:
    """A tab: the page in it, its address (host:port), and what must not be: errors, calls of others."""

    page: Page
    address: str
    errors: list[str] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)
    refusals_expected: bool = False

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
    def run_id(self) -> str:
        """The id of the run that the address names; empty if it names none."""
        return parse_qs(urlsplit(self.page.url).query).get("run", [""])[0]

    @property
    def progress(self) -> Locator:
        """What says how much of the run is done: "3 of 24"."""
        return self.page.locator(".progress strong")

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
        await expect(self.progress).to_have_text(f"{of} of {of}")
        await expect(self.page.locator(".figures")).to_be_visible()

    async def until_called(self, method: str) -> None:
        """Wait until the tab has made a call of a method, from now on, and the call has ended."""
        async with self.page.expect_request_finished(lambda call: call.url.endswith(f"/{method}")):
            pass

    def expect_refusals(self) -> None:
        """Let the browser write that calls were refused, broke or did not reach the server."""
        self.refusals_expected = True

    def assert_clean(self) -> None:
        """Fail if the page wrote to the console, threw an error, had two streams or asked others."""
        refused = "Failed to load resource" if self.refusals_expected else None
        assert [error for error in self.errors if refused is None or refused not in error] == []
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
async def held_run(tab: Tab, stack: LocalStack, cryptos: Sequence[str], **query: str) -> AsyncIterator[None]:
    """Run all cryptos, and hold it at three rows, which the cache has; after the body, it completes."""
    await tab.run(cryptos[:3], **query)
    await tab.until_done(3)
    async with workers_held(stack):
        await tab.run(cryptos, **query)
        await tab.until_rows(3)
        yield
    await tab.until_done(len(cryptos))
    assert sorted(await tab.column()) == cryptos


@asynccontextmanager
async def opened(browser: Browser, address: str) -> AsyncIterator[Tab]:
    """Open a tab of its own, without a cache or a session of others; its body must leave it clean."""
    context = await browser.new_context(accept_downloads=True)
    try:
        await context.add_init_script(REPORT_STREAMS)
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
        tab.assert_clean()
    finally:
        await context.close()
