"""The page is usable by screen readers, in the light and in the dark, as far as axe-core finds."""

from typing import Literal

import pytest
from axe_playwright_python.async_playwright import Axe

from tests.web.browser.tab import Tab


@pytest.mark.parametrize("theme", ["light", "dark"])
async def test_axe_finds_nothing_serious(
    tab: Tab, cryptos: list[str], theme: Literal["light", "dark"]
) -> None:
    await tab.page.emulate_media(color_scheme=theme)
    await tab.show("/", strategy="rules", entry="rsi(14) < ", symbols=",".join(cryptos[:2]), fee="x")
    await tab.says("Expected a number").wait_for()
    assert await serious(tab) == []
    await tab.run(cryptos, sort="sharpe_ratio", filter="return > -100%")
    await tab.until_done(24)
    assert await serious(tab) == []
    await tab.show("/runs")
    await tab.page.locator(".runs").wait_for()
    assert await serious(tab) == []
    await tab.show("/crypto", symbol=cryptos[0], strategy="rsi", trade="1")
    await tab.button("Show as a table").click()
    assert await serious(tab) == []
    await tab.show("/compare", a="strategy=rsi", b="strategy=macd", symbol=cryptos[0])
    await tab.button("Run this").click()
    await tab.button("Show as a table").click()
    assert await serious(tab) == []
    await tab.show("/portfolio", symbols=",".join(cryptos), rank="roc(14) <", positions="3", threshold="x")
    await tab.button("Run").click()
    assert await serious(tab) == []
    await tab.show("/portfolio", symbols=",".join(cryptos), positions="3")
    await tab.button("Run").click()
    await tab.page.locator(".account-figures").wait_for()
    await tab.button("Show as a table").click()
    assert await serious(tab) == []
    for view in ("/sweep", "/compare", "/data"):
        await tab.show(view)
        await tab.page.get_by_role("heading", level=1).wait_for()
        assert await serious(tab) == []


async def serious(tab: Tab) -> list[str]:
    """Return what axe-core finds that keeps people from using the view."""
    found = (await Axe().run(tab.page)).response["violations"]
    return [
        f"{one['id']}: {one['help']}: {node['html']}"
        for one in found
        if one["impact"] in {"serious", "critical"}
        for node in one["nodes"]
    ]
