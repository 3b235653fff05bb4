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
    field = tab.page.get_by_label("Or paste an address")
    sides = tab.page.locator(".compare-sides li")
    await tab_to(tab, field)
    for number, strategy in enumerate(("rsi", "macd"), 1):
        await tab.page.keyboard.type(f"?strategy={strategy}&symbols={cryptos[0]}")
        await tab.page.keyboard.press("Enter")
        await expect(sides).to_have_count(number)
        await expect(field).to_be_focused()
    await expect(tab.page.locator(".compare-figures tbody tr").first).to_be_visible()
