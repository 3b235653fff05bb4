"""Views load when they are shown, also where a server is away or has been replaced meanwhile."""

import re
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.async_api import Browser, Route, expect

from services.local.stack import LocalStack
from services.web.page_files import VIEWS
from tests.web.browser.own_page import own_page
from tests.web.browser.tab import Tab
from tests.web.built_page import files_of_view

AWAY = re.compile("The server of this page does not answer")


@pytest.mark.parametrize("view", sorted(VIEWS - {""}))
async def test_a_view_loads_its_own_files_alone(tab: Tab, view: str) -> None:
    asked = set[str]()
    tab.page.on("request", lambda request: asked.add(urlsplit(request.url).path.removeprefix("/")))
    await tab.show(f"/{view}")
    await expect(tab.page.locator("main > *").first).to_be_visible()
    assert {path for path in asked if path.startswith("assets/")} == {
        path for path in files_of_view(view) if path.startswith("assets/")
    }


async def test_a_view_that_the_server_has_no_more_asks_for_a_reload(tab: Tab, cryptos: list[str]) -> None:
    await tab.run(cryptos[:3])
    await tab.until_done(3)

    async def ask_by_an_old_name(route: Route) -> None:
        await route.continue_(url=re.sub(r"sweep-[^/]+$", "sweep-of-yesterday.js", route.request.url))

    # The server has been replaced by one of another version, which names its files after other content.
    await tab.page.route("**/assets/sweep-*", ask_by_an_old_name)
    tab.expect_refusals()
    await tab.page.get_by_role("link", name="Sweep").click()
    await expect(tab.page.get_by_role("alert")).to_contain_text(
        "This view could not be loaded. Reload the page: the server may have a newer one."
    )
    # The other views are there, and the run is still in them.
    await tab.page.get_by_role("link", name="Run", exact=True).click()
    await tab.until_rows(3)
    await tab.page.get_by_role("link", name="Sweep").click()
    await tab.page.unroute("**/assets/sweep-*")
    await tab.button("Reload").click()
    await expect(tab.page.get_by_role("heading", level=1, name="Sweep")).to_be_visible()


async def test_a_view_is_loaded_once_a_server_that_was_away_is_back(
    browser: Browser, stack: LocalStack, cryptos: list[str], short_folder: Path
) -> None:
    async with own_page(browser, stack, short_folder / "views") as page:
        tab = page.tab
        await tab.run(cryptos[:3])
        await tab.until_done(3)
        tab.expect_refusals()
        page.web.process.kill()
        await tab.page.get_by_role("link", name="Data").click()
        await expect(tab.says(AWAY)).to_be_visible()
        await page.web.start_again()
        await expect(tab.page.get_by_role("heading", level=1, name="Data")).to_be_visible()
        await expect(tab.says(AWAY)).to_have_count(0)
