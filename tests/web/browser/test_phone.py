"""Every view on the screen of a phone: the page is not wider, and nothing is cut off."""

import re

from playwright.async_api import expect

from tests.web.browser.crypto import until_drawn
from tests.web.browser.tab import Tab

# What lies beyond the edge of the screen and in no part that scrolls. What lies wholly left of it is for the
# keyboard and for screen readers.
BEYOND = """
  () => {
    const scrolls = (element) =>
      element !== null && element !== document.body && element !== document.documentElement &&
      (/auto|scroll/.test(getComputedStyle(element).overflowX) || scrolls(element.parentElement));
    return [...document.body.querySelectorAll("*")]
      .filter((element) => element.checkVisibility({ visibilityProperty: true }))
      .filter((element) => {
        const { left, right, width, height } = element.getBoundingClientRect();
        return width > 1 && height > 1 && right > 0 && (left < -1 || right > innerWidth + 1);
      })
      .filter((element) => !scrolls(element.parentElement))
      .map((element) => element.outerHTML.slice(0, 120));
  }
"""


async def test_every_view_fits_on_a_phone(tab: Tab, cryptos: list[str]) -> None:
    await tab.page.set_viewport_size({"width": 390, "height": 844})
    await tab.run(cryptos, strategy="rsi", sort="total_return")
    await tab.until_done(24)
    await fits(tab)
    await tab.page.locator("summary").filter(has_text="Execution").click()
    await fits(tab)
    await tab.page.locator(".results .grid-row:not(.grid-head)").first.click()
    await until_drawn(tab)
    await fits(tab)
    await tab.show("/sweep", strategy="rsi", symbols=",".join(cryptos[:3]), **{"p.period": "5..14"})
    await tab.button("Sweep").click()
    await expect(tab.page.locator(".combinations .grid")).to_be_visible()
    await fits(tab)
    await tab.show("/portfolio", strategy="rsi", symbols=",".join(cryptos[:3]), benchmark="TAB01USDT")
    await tab.button("Run").click()
    await expect(tab.page.locator(".account-figures")).to_be_visible()
    await expect(tab.says("TAB01USDT held").first).to_be_visible()
    await fits(tab)
    await tab.show("/compare", a="strategy=rsi&symbols=TAB00USDT", b="strategy=macd&symbols=TAB00USDT")
    await tab.button("Run this").click()
    await expect(tab.says(re.compile("^In the total return, B is"))).to_be_visible()
    await fits(tab)
    await tab.show("/runs")
    await expect(tab.page.locator(".runs tbody tr").first).to_be_visible()
    await fits(tab)
    await tab.show("/data", symbol=cryptos[0])
    await expect(tab.says("Its history has no breaks.")).to_be_visible()
    await fits(tab)


async def test_a_view_that_was_drawn_wide_fits_when_the_screen_is_turned(
    tab: Tab, cryptos: list[str]
) -> None:
    symbols = ",".join(cryptos[:3])
    chart = tab.page.locator(".chart-host canvas").first

    async def turns() -> None:
        await expect(chart).to_be_visible()
        await tab.page.set_viewport_size({"width": 390, "height": 844})
        await tab.page.wait_for_function("document.querySelector('.chart-host canvas').clientWidth < 390")
        await fits(tab)
        await tab.page.set_viewport_size({"width": 844, "height": 390})

    await tab.page.set_viewport_size({"width": 844, "height": 390})
    await tab.show("/crypto", symbol=cryptos[0], strategy="rsi")
    await turns()
    await tab.show("/sweep", strategy="rsi", symbols=symbols, folds="3", **{"p.period": "5..14"})
    await tab.button("Sweep").click()
    await turns()
    await tab.show("/portfolio", strategy="rsi", symbols=symbols)
    await tab.button("Run").click()
    await turns()
    await tab.show("/compare", a=f"strategy=rsi&symbols={symbols}", b=f"strategy=macd&symbols={symbols}")
    await tab.button("Run this").click()
    await turns()


async def test_all_views_are_named_at_the_top_of_a_phone(tab: Tab) -> None:
    await tab.page.set_viewport_size({"width": 390, "height": 844})
    await tab.show("/data")
    for link in await tab.page.get_by_role("navigation", name="Views").get_by_role("link").all():
        await expect(link).to_be_in_viewport(ratio=1)


async def fits(tab: Tab) -> None:
    """Fail if the view is wider than the screen, or something of it lies beyond the edge."""
    assert await tab.page.evaluate("document.documentElement.scrollWidth") <= 390
    assert await tab.page.evaluate(BEYOND) == []
