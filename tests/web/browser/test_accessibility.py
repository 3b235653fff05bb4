"""Every view is usable by screen readers, in the light and in the dark, as far as axe-core finds."""

import re

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import expect

from tests.web.browser.crypto import BACKTEST, WITH_BREAK, until_drawn
from tests.web.browser.portfolio import until_there
from tests.web.browser.tab import Tab


@pytest.fixture(params=["light", "dark"])
async def themed(tab: Tab, request: pytest.FixtureRequest) -> Tab:
    """A tab in the light, and one in the dark."""
    await tab.page.emulate_media(color_scheme=request.param)
    return tab


async def test_axe_finds_nothing_serious_in_the_view_run(themed: Tab, cryptos: list[str]) -> None:
    await themed.show("/")
    await expect(themed.button("Run")).to_be_enabled()
    assert await serious(themed) == []
    await themed.show("/", strategy="rules", entry="rsi(14) < ", symbols=",".join(cryptos[:2]), fee="x")
    await themed.says("Expected a number").wait_for()
    await themed.button("Run").click()
    await expect(themed.page.get_by_label("Fee", exact=True)).to_have_attribute("aria-invalid", "true")
    await themed.page.get_by_label("Cryptos", exact=True).fill("tab")
    await expect(themed.page.get_by_role("list", name="Cryptos found")).to_be_visible()
    assert await serious(themed) == []
    await themed.run(cryptos, sort="sharpe_ratio", filter="return > -100%")
    await themed.until_done(24)
    assert await serious(themed) == []


async def test_axe_finds_nothing_serious_in_the_view_of_one_crypto(
    themed: Tab, odd_cryptos: None, cryptos: list[str]
) -> None:
    await themed.show("/crypto", symbol=WITH_BREAK, trade="1", **BACKTEST)
    await until_drawn(themed)
    await themed.button("Show as a table").click()
    await themed.button("Verify for look-ahead").click()
    await expect(themed.says(re.compile("look-ahead", re.IGNORECASE)).nth(1)).to_be_visible()
    assert await serious(themed) == []
    await themed.show("/crypto", symbol="NOSUCHUSDT", strategy="rsi")
    await expect(themed.page.get_by_role("alert")).to_be_visible()
    assert await serious(themed) == []


async def test_axe_finds_nothing_serious_in_the_view_sweep(themed: Tab, cryptos: list[str]) -> None:
    await themed.show("/sweep", strategy="ma_cross", **{"p.fast": "5..x"})
    await themed.button("Sweep").click()
    await expect(themed.page.get_by_label("fast", exact=True)).to_have_attribute("aria-invalid", "true")
    assert await serious(themed) == []
    ranges = {"p.period": "5,7", "p.oversold": "20,30", "symbols": ",".join(cryptos[:3])}
    for divided in ({"split": "70%"}, {"folds": "3"}):
        await themed.show("/sweep", strategy="rsi", **ranges, **divided)
        await themed.button("Sweep").click()
        await expect(themed.page.locator(".combinations .grid")).to_be_visible()
        assert await serious(themed) == []


async def test_axe_finds_nothing_serious_in_the_view_portfolio(themed: Tab, cryptos: list[str]) -> None:
    query = {"symbols": ",".join(cryptos), "positions": "3"}
    await themed.show("/portfolio", **query, rank="roc(14) <", threshold="x")
    await themed.button("Run").click()
    await expect(themed.page.locator("[aria-invalid=true]").first).to_be_visible()
    assert await serious(themed) == []
    strategies = {"strategy": "rsi", "weight": "50%", "2.strategy": "macd", "2.weight": "50%"}
    await themed.show("/portfolio", **query, **strategies, benchmark=cryptos[0])
    await themed.button("Run").click()
    await until_there(themed)
    await themed.button("Show as a table").click()
    await expect(themed.page.get_by_role("grid", name="Trades")).to_be_visible()
    assert await serious(themed) == []


async def test_axe_finds_nothing_serious_in_the_view_compare(themed: Tab, cryptos: list[str]) -> None:
    await themed.show("/compare")
    await themed.page.get_by_label("Or paste an address").fill("nothing")
    await themed.button("Add the pasted run").click()
    await expect(themed.page.get_by_role("alert")).to_be_visible()
    assert await serious(themed) == []
    symbols = f"symbols={cryptos[0]},{cryptos[1]}"
    await themed.show("/compare", a=f"strategy=rsi&{symbols}", b=f"strategy=macd&{symbols}")
    await expect(themed.button("Run this")).to_be_visible()
    assert await serious(themed) == []
    await themed.button("Run this").click()
    await expect(themed.says(re.compile("^In the total return, B is"))).to_be_visible()
    await themed.button("Show as a table").click()
    assert await serious(themed) == []


async def test_axe_finds_nothing_serious_in_the_view_runs(themed: Tab, cryptos: list[str]) -> None:
    await themed.run(cryptos[:2])
    await themed.until_done(2)
    await themed.show("/runs")
    await expect(themed.page.locator(".runs tbody tr").first).to_be_visible()
    assert await serious(themed) == []


@pytest.mark.usefixtures("fetches_wait")
async def test_axe_finds_nothing_serious_in_the_view_data(themed: Tab, odd_cryptos: None) -> None:
    await themed.show("/data", symbol=WITH_BREAK)
    await expect(themed.page.locator("summary").filter(has_text="Fetch candles")).to_be_visible()
    await expect(themed.says("detected by an import")).to_be_visible()
    assert await serious(themed) == []
    await themed.page.locator("summary").filter(has_text="Fetch candles from an exchange").click()
    await themed.page.get_by_label("Or symbols").fill("BTCUSDT.P")
    await themed.button("Fetch").click()
    await expect(themed.page.get_by_label("Or symbols")).to_have_attribute("aria-invalid", "true")
    assert await serious(themed) == []
    await themed.page.get_by_label("Or symbols").fill("BTCUSDT")
    await themed.button("Fetch").click()
    await expect(themed.button("Cancel the fetch binance BTCUSDT")).to_be_visible()
    assert await serious(themed) == []
    await themed.button(f"Delete {WITH_BREAK}").click()
    await expect(themed.page.get_by_role("dialog")).to_be_visible()
    assert await serious(themed) == []


async def test_labels_of_a_chart_can_be_read_on_their_colours(themed: Tab) -> None:
    await themed.show("/")
    lines = [f"line-{number}" for number in range(1, 7)]
    for name in ["gain", "loss", "hold", "selected", "crosshair", *lines]:
        colour = await themed.page.evaluate(_COLOUR, f"--chart-{name}")
        assert contrast(colour) >= 4.5, name


_COLOUR = """
  name => {
    const element = document.body.appendChild(document.createElement("i"));
    element.style.color = `var(${name})`;
    return getComputedStyle(element).color.match(/[0-9]+/g).map(Number);
  }
"""


def contrast(colour: list[int]) -> float:
    """Return the contrast of a label's text, as WCAG 2 has it.

    The library of the charts writes it in black or in white, by the brightness of the label.
    """
    red, green, blue = (
        part / 255 / 12.92 if part / 255 <= 0.04045 else ((part / 255 + 0.055) / 1.055) ** 2.4
        for part in colour
    )
    luminance = 0.2126 * red + 0.7152 * green + 0.0722 * blue
    is_bright = 0.199 * colour[0] + 0.687 * colour[1] + 0.114 * colour[2] > 160
    return (luminance + 0.05) / 0.05 if is_bright else 1.05 / (luminance + 0.05)


async def serious(tab: Tab) -> list[str]:
    """Return what axe-core finds that keeps people from using the view."""
    found = (await Axe().run(tab.page)).response["violations"]
    return [
        f"{one['id']}: {one['help']}: {node['html']}"
        for one in found
        if one["impact"] in {"serious", "critical"}
        for node in one["nodes"]
    ]
