"""The forms by the keyboard alone: Tab goes from field to field, and the focus is seen wherever it is."""

import re

import pytest
from playwright.async_api import Locator, expect

from tests.web.browser.tab import Tab

_IS_SEEN = """
  element => element.matches(":focus-visible") && getComputedStyle(element).outlineStyle !== "none"
"""


async def tab_to(tab: Tab, wanted: Locator) -> None:
    """Press Tab until an element has the focus, which is seen on it."""
    await expect(wanted).to_be_visible()
    for _ in range(60):
        await tab.page.keyboard.press("Tab")
        if await wanted.evaluate("element => element === document.activeElement"):
            assert await wanted.evaluate(_IS_SEEN)
            return
    pytest.fail("Tab does not reach it")


async def choose_cryptos(tab: Tab, cryptos: list[str]) -> None:
    """Choose the first two cryptos from the list that is found, by arrows."""
    field = tab.page.get_by_label("Cryptos", exact=True)
    found = tab.page.get_by_role("list", name="Cryptos found").get_by_role("button")
    await tab_to(tab, field)
    await tab.page.keyboard.type("tab0")
    await expect(found).to_have_count(11)
    await tab.page.keyboard.press("ArrowDown")
    await expect(found.first).to_be_focused()
    for number, key in enumerate(("Enter", "Space"), 1):
        await tab.page.keyboard.press("ArrowDown")
        await expect(found.nth(number)).to_be_focused()
        assert await found.nth(number).evaluate(_IS_SEEN)
        await tab.page.keyboard.press(key)
        await expect(found.nth(number)).to_have_attribute("aria-pressed", "true")
    await tab.page.keyboard.press("Escape")
    await expect(field).to_be_focused()
    await expect(found).to_have_count(0)
    assert f"symbols={cryptos[0]}%2C{cryptos[1]}" in tab.page.url.replace(",", "%2C")


async def test_a_run_is_chosen_and_started_by_the_keyboard(tab: Tab, cryptos: list[str]) -> None:
    await tab.show("/")
    await tab_to(tab, tab.page.get_by_label("Strategy", exact=True))
    await tab.page.keyboard.type("rsi")
    await expect(tab.page).to_have_url(re.compile("strategy=rsi"))
    await tab_to(tab, tab.page.get_by_label("period", exact=True))
    await tab.page.keyboard.type("7")
    await choose_cryptos(tab, cryptos)
    await tab_to(tab, tab.button(f"Remove {cryptos[0]}"))
    await tab.page.keyboard.press("Enter")
    await expect(tab.page.get_by_label("Cryptos", exact=True)).to_be_focused()
    await tab_to(tab, tab.page.locator("summary").filter(has_text="Execution"))
    await tab.page.keyboard.press("Enter")
    await tab_to(tab, tab.page.get_by_label("Direction", exact=True))
    await tab.page.keyboard.press("ArrowDown")
    await tab_to(tab, tab.button("Run"))
    await tab.page.keyboard.press("Space")
    await tab.until_rows(1)
    assert "p.period=7" in tab.page.url
    assert "direction=short" in tab.page.url


async def test_a_sweep_is_started_by_the_keyboard(tab: Tab, cryptos: list[str]) -> None:
    await tab.show("/sweep", strategy="ma_cross")
    await tab_to(tab, tab.page.get_by_label("fast", exact=True))
    await tab.page.keyboard.type("5,10")
    await choose_cryptos(tab, cryptos)
    await tab_to(tab, tab.page.get_by_label("Rank by", exact=True))
    await tab_to(tab, tab.button("Sweep"))
    await tab.page.keyboard.press("Enter")
    await expect(tab.page.locator(".combinations .grid")).to_be_visible()


async def test_a_portfolio_is_started_by_the_keyboard(tab: Tab, cryptos: list[str]) -> None:
    await tab.show("/portfolio", strategy="rsi")
    await tab_to(tab, tab.page.get_by_label("Places", exact=True))
    await tab.page.keyboard.type("2")
    size = tab.page.get_by_label("Size of a position", exact=True)
    await expect(size.locator("option:checked")).to_have_text("Equal share")
    await tab_to(tab, tab.page.get_by_label("Benchmark", exact=True))
    await tab.page.keyboard.type(cryptos[0])
    await choose_cryptos(tab, cryptos)
    await tab_to(tab, tab.button("Run"))
    await tab.page.keyboard.press("Enter")
    await expect(tab.page.locator(".account-figures")).to_be_visible()


async def test_runs_are_added_to_a_comparison_by_the_keyboard(tab: Tab, cryptos: list[str]) -> None:
    await tab.show("/compare")
    await paste_runs(tab, cryptos[0], "rsi", "macd")
    await expect(tab.page.locator(".compare-figures tbody tr").first).to_be_visible()


async def test_a_run_that_is_removed_from_a_comparison_leaves_the_focus_to_its_neighbour(
    tab: Tab, cryptos: list[str]
) -> None:
    await tab.show("/compare")
    await paste_runs(tab, cryptos[0], "rsi", "macd", "supertrend")
    await expect(tab.page.locator(".compare-figures tbody tr").first).to_be_visible()
    field = tab.page.get_by_label("Run", exact=True)
    await expect(field).to_be_enabled()
    await tab.button("Remove macd").focus()
    for gone, neighbour in (("macd", "supertrend"), ("supertrend", "rsi")):
        await expect(tab.button(f"Remove {gone}")).to_be_focused()
        await tab.page.keyboard.press("Enter")
        await expect(tab.button(f"Remove {gone}")).to_have_count(0)
        await expect(tab.button(f"Remove {neighbour}")).to_be_focused()
    await tab.page.keyboard.press("Enter")
    await expect(field).to_be_focused()


async def test_the_sixth_run_of_a_comparison_has_the_focus_when_the_field_for_more_is_gone(
    tab: Tab, cryptos: list[str]
) -> None:
    await tab.show("/compare")
    await paste_runs(tab, cryptos[0], "rsi", "macd", "supertrend", "bollinger", "donchian", "keltner")
    await expect(tab.page.get_by_label("Or paste an address")).to_have_count(0)


async def paste_runs(tab: Tab, symbol: str, *strategies: str) -> None:
    """Add runs by their addresses; each has the focus as soon as it is added."""
    field = tab.page.get_by_label("Or paste an address")
    for strategy in strategies:
        await tab_to(tab, field)
        await tab.page.keyboard.type(f"?strategy={strategy}&symbols={symbol}")
        await tab.page.keyboard.press("Enter")
        await expect(tab.page.get_by_role("link", name=strategy, exact=True)).to_be_focused()


@pytest.mark.usefixtures("fetches_wait")
async def test_a_fetch_is_started_and_cancelled_by_the_keyboard(tab: Tab) -> None:
    await tab.show("/data")
    panel = tab.page.get_by_role("region", name="Feeds", exact=True)
    await tab_to(tab, panel.locator("summary").filter(has_text="Fetch candles from an exchange"))
    await tab.page.keyboard.press("Enter")
    fields = ["Exchange", "All pairs of a currency", "Pairs of the currency", "Or symbols", "From", "Until"]
    for label in [*fields, "Hours"]:
        await tab.page.keyboard.press("Tab")
        await expect(panel.get_by_label(label, exact=True)).to_be_focused()
        if label == "Or symbols":
            await tab.page.keyboard.type("BTC/USDT")
    await tab.page.keyboard.press("Tab")
    await expect(tab.button("Fetch")).to_be_focused()
    await tab.page.keyboard.press("Space")
    started = panel.get_by_role("listitem", name="binance BTCUSDT")
    await expect(started).to_be_focused()
    assert await started.evaluate(_IS_SEEN)
    await tab.page.keyboard.press("Tab")
    await expect(tab.button("Cancel the fetch binance BTCUSDT")).to_be_focused()
    await tab.page.keyboard.press("Enter")
    await expect(started).to_be_focused()
    await expect(started).to_contain_text("cancelled")


@pytest.mark.usefixtures("fetches_wait")
async def test_a_fetch_that_is_refused_leads_to_the_first_field_that_is_wrong(tab: Tab) -> None:
    await tab.show("/data")
    panel = tab.page.get_by_role("region", name="Feeds", exact=True)
    await panel.locator("summary").filter(has_text="Fetch candles").click()
    symbols, since = panel.get_by_label("Or symbols"), panel.get_by_label("From", exact=True)
    # The gateway refuses two fields.
    await symbols.fill("BTCUSDT.P")
    await since.fill("2999-01-01")
    await tab.button("Fetch").focus()
    await tab.page.keyboard.press("Enter")
    await expect(symbols).to_be_focused()
    for field, problem in ((symbols, "only spot candles can be fetched"), (since, "is in the future")):
        await expect(field).to_have_attribute("aria-invalid", "true")
        await expect(field).to_have_accessible_description(re.compile(problem))
    # The page itself refuses what is no time.
    await symbols.fill("BTCUSDT")
    await since.fill("yesterday")
    await tab.button("Fetch").focus()
    await tab.page.keyboard.press("Enter")
    await expect(since).to_be_focused()
    await expect(since).to_have_accessible_description(re.compile("A day such as 2020-01-31 is needed"))
    await expect(symbols).to_have_attribute("aria-invalid", "false")
    # Where no field is wrong, the button keeps the focus, to be pressed again.
    tab.expect_refusals()
    await since.fill("2020-01-01")
    await tab.page.route("**/CreateFetch", lambda route: route.abort())
    await tab.button("Fetch").focus()
    await tab.page.keyboard.press("Enter")
    await expect(tab.says(re.compile("If the fetch is not in the list later"))).to_be_visible()
    await expect(tab.button("Fetch")).to_be_focused()


async def stops(within: Locator) -> int:
    """Return the number of elements to which Tab goes: an element itself, and those in it."""
    elements = [within, *await within.locator("a[href], button, input, select, [tabindex]").all()]
    return sum([await element.evaluate("element => element.tabIndex >= 0") for element in elements])


async def test_a_table_of_results_is_one_tab_stop_whose_headings_are_reached_by_arrows(
    tab: Tab, cryptos: list[str]
) -> None:
    await tab.run(cryptos)
    await tab.until_done(24)
    grid = tab.page.locator(".results .grid")
    assert await grid.get_by_role("columnheader").count() > 20
    assert await stops(grid) == 1
    arrived = await tab.column()
    await tab_to(tab, grid)
    press = tab.page.keyboard.press
    await press("ArrowDown")
    await expect(tab.page.locator(".grid-row.active")).to_contain_text(arrived[0])
    await press("ArrowUp")
    await expect(at(grid)).to_have_text("Crypto")
    told = await grid.get_attribute("aria-activedescendant")
    assert told is not None
    await expect(at(grid)).to_have_id(told)
    # A heading beyond the edge scrolls into view, beside the first column, which stays.
    await press("End")
    await expect(at(grid)).to_have_text("Cache")
    await expect(at(grid)).to_be_in_viewport(ratio=1)
    for _ in range(15):
        await press("ArrowLeft")
    await expect(at(grid)).to_be_in_viewport(ratio=1)
    await press("Home")
    await press("Enter")
    await expect(tab.page).to_have_url(re.compile("sort=symbol"))
    assert await tab.column() == cryptos
    await press("Space")
    assert await tab.column() == cryptos[::-1]
    await expect(at(grid)).to_have_attribute("aria-sort", "descending")
    await press("ArrowDown")
    await expect(tab.page.locator(".grid-row.active")).to_contain_text(cryptos[-1])
    # From the heading that was clicked, the arrows go on.
    await grid.get_by_role("columnheader", name="Sharpe").get_by_role("button").click()
    await expect(grid).to_be_focused()
    await press("ArrowRight")
    await expect(at(grid)).to_have_text("Drawdown")
    # After the table comes what is after it, and back in it are the rows.
    await press("Shift+Tab")
    await expect(grid).not_to_be_focused()
    await press("Tab")
    await expect(grid).to_be_focused()
    await press("End")
    await expect(tab.page.locator(".grid-row.active")).to_contain_text((await tab.column())[-1])


def at(grid: Locator) -> Locator:
    """Return the heading of a table that the keyboard is at."""
    return grid.locator("[role=columnheader].active")


async def test_the_cryptos_of_a_form_are_two_tab_stops_however_many_there_are(
    tab: Tab, cryptos: list[str]
) -> None:
    await tab.show("/", symbols=",".join(cryptos[:20]))
    field = tab.page.get_by_label("Cryptos", exact=True)
    chosen = tab.page.get_by_role("list", name="Chosen cryptos")
    found = tab.page.get_by_role("list", name="Cryptos found")
    await field.fill("tab")
    await expect(found.get_by_role("button")).to_have_count(25)
    assert await stops(found) == 1
    assert await stops(chosen) == 1
    press = tab.page.keyboard.press
    await press("Tab")
    await expect(found.get_by_role("button").first).to_be_focused()
    await press("End")
    await expect(found.get_by_role("button").last).to_be_focused()
    await press("Tab")
    await expect(tab.button(f"Remove {cryptos[0]}")).to_be_focused()
    await press("ArrowRight")
    await expect(tab.button(f"Remove {cryptos[1]}")).to_be_focused()
    await press("End")
    await expect(tab.button("all of them")).to_be_focused()
    await press("Shift+Tab")
    await expect(found.get_by_role("button").last).to_be_focused()
    await press("Home")
    await press("ArrowUp")
    await expect(field).to_be_focused()
