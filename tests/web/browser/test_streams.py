"""A tab has one stream: views that need one take it from the run or the sweep, which goes on afterwards.

Every test of the page checks that there is never a second one: see REPORT_STREAMS.
"""

import re

from playwright.async_api import expect

from services.local.stack import LocalStack
from tests.end_to_end.processes import workers_held
from tests.web.browser.crypto import until_drawn
from tests.web.browser.tab import Tab, calls_of
from tests.web.browser.test_compare_view import add, figure, side

RUN = {"strategy": "ma_cross", "p.fast": "6", "p.slow": "41"}


async def test_a_run_goes_on_behind_views_that_have_taken_its_stream(
    tab: Tab, stack: LocalStack, cryptos: list[str]
) -> None:
    # What the views show is in the cache when the workers are held.
    sides = [side(cryptos, strategy=strategy) for strategy in ("rsi", "macd")]
    await tab.run(cryptos[:3], **RUN)
    await tab.until_done(3)
    await tab.rows.filter(has_text=cryptos[0]).click()
    await until_drawn(tab)
    await compare(tab, *sides)
    async with workers_held(stack):
        await tab.run(cryptos, **RUN)
        await tab.until_rows(3)
        run_id, started, watched = tab.run_id, calls_of(tab, "RunBacktests"), calls_of(tab, "WatchRun")
        # Without its stream, the run is paused: workers that do not end its calls are replaced by others.
        await compare(tab, *sides)
        await view(tab, "Run")
        await tab.rows.filter(has_text=cryptos[0]).click()
    await until_drawn(tab)
    await view(tab, "Runs")
    row = tab.page.locator(".runs tr").filter(has=tab.page.get_by_label(f"Watch the run {run_id}"))
    await expect(row).to_contain_text("completed")
    await view(tab, "Run")
    await tab.until_done(24)
    assert sorted(await tab.column()) == cryptos
    assert watched
    assert len(started) == len(sides)


async def test_a_sweep_starts_again_from_the_cache_behind_a_view_that_has_taken_its_stream(
    tab: Tab, stack: LocalStack, cryptos: list[str]
) -> None:
    query = {"strategy": "ma_cross", "symbols": ",".join(cryptos), "p.fast": "5,6", "p.slow": "42,43"}
    async with workers_held(stack):
        await tab.show("/sweep", **query)
        await tab.button("Sweep").click()
        await expect(tab.progress).to_have_text("0 of 96")
        started = calls_of(tab, "SweepBacktests")
        await view(tab, "Data")
        breaks = tab.page.locator(".cryptos .grid-row").nth(1).get_by_role("gridcell").last
        await expect(breaks).to_have_text(re.compile(r"^\d+$"))
        await view(tab, "Sweep")
    await expect(tab.page.locator("#combinations")).to_have_text("4 combinations")
    assert len(started) == 1


async def view(tab: Tab, name: str) -> None:
    """Show another view, as one who clicks on its name."""
    views = tab.page.get_by_role("navigation", name="Views")
    await views.get_by_role("link", name=name, exact=True).click()


async def compare(tab: Tab, *sides: str) -> None:
    """Compare runs, until their figures are there."""
    await view(tab, "Compare")
    await add(tab, *sides)
    await expect(figure(tab, "total return", 1)).to_be_visible()
