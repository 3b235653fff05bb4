"""What the page does when a reload, a death or somebody else comes between."""

import re
from pathlib import Path
from typing import TYPE_CHECKING

from playwright.async_api import Browser, expect

from backcast.gateway.v1 import backtest_service_pb2 as pb
from services.local.stack import LocalStack
from tests.end_to_end.line import Line
from tests.end_to_end.one_service import service_beside
from tests.web.browser.own_page import own_page
from tests.web.browser.tab import Tab, calls_of, held_run, opened

GATEWAY_AWAY = re.compile("The gateway service does not answer")

if TYPE_CHECKING:
    from backcast.gateway.v1.backtest_service_pb2_grpc import BacktestServiceAsyncStub


async def test_a_reload_in_the_middle_loses_nothing(tab: Tab, stack: LocalStack, cryptos: list[str]) -> None:
    async with held_run(tab, stack, cryptos, **{"p.fast": "7", "p.slow": "35"}):
        started_anew = calls_of(tab, "RunBacktests")
        # While it reloads, the run is paused: workers that do not end its calls are replaced by others.
        await tab.page.reload()
        await expect(tab.page.get_by_label("fast", exact=True)).to_have_value("7")
    assert started_anew == []


async def test_a_killed_web_process_that_comes_back_loses_nothing(
    browser: Browser, stack: LocalStack, cryptos: list[str], short_folder: Path
) -> None:
    async with own_page(browser, stack, short_folder / "killed") as page:
        tab = page.tab
        async with held_run(tab, stack, cryptos, **{"p.fast": "8", "p.slow": "36"}):
            tab.expect_refusals()
            page.web.process.kill()
            away = tab.says(re.compile("The server of this page does not answer"))
            await expect(away).to_be_visible()
            await tab.until_rows(3)
            await page.web.start_again()
            await expect(away).to_have_count(0)


async def test_rows_stay_and_the_run_goes_on_where_the_line_to_the_gateway_was_cut(
    browser: Browser, stack: LocalStack, cryptos: list[str], short_folder: Path
) -> None:
    async with (
        Line(stack.gateway_address) as line,
        service_beside(stack, "web", short_folder / "cut", gateway_address=line.address) as web,
        opened(browser, web.address) as tab,
    ):
        async with held_run(tab, stack, cryptos, **{"p.fast": "8", "p.slow": "37"}):
            started_anew = calls_of(tab, "RunBacktests")
            line.down = True
            line.cut()
            await expect(tab.says(GATEWAY_AWAY)).to_be_visible()
            await tab.until_called("WatchRun")
            await tab.until_rows(3)
            line.down = False
            await expect(tab.says(GATEWAY_AWAY)).to_have_count(0)
        assert started_anew == []


async def test_rows_stay_while_a_gateway_restarts_and_the_run_is_started_anew(
    browser: Browser, stack: LocalStack, cryptos: list[str], short_folder: Path
) -> None:
    async with own_page(browser, stack, short_folder / "restarted") as page:
        tab = page.tab
        async with held_run(tab, stack, cryptos, **{"p.fast": "8", "p.slow": "38"}):
            page.gateway.process.kill()
            await expect(tab.says(GATEWAY_AWAY)).to_be_visible()
            await tab.until_called("WatchRun")
            await tab.until_rows(3)
            await page.gateway.start_again()


async def test_a_run_of_this_tab_that_the_gateway_does_not_know_any_more_is_started_anew(
    browser: Browser, stack: LocalStack, cryptos: list[str], short_folder: Path
) -> None:
    async with own_page(browser, stack, short_folder / "forgotten") as page:
        tab = page.tab
        await tab.run(cryptos, strategy="rsi")
        await tab.until_done(24)
        address = tab.page.url
        await page.gateway.start_again()
        await tab.page.reload()
        await tab.until_done(24)
        await tab.until_rows(24)
        assert tab.page.url == address


async def test_a_run_of_a_link_that_the_gateway_does_not_know_waits_for_a_button(
    tab: Tab, cryptos: list[str]
) -> None:
    started = calls_of(tab, "RunBacktests")
    await tab.show("/", strategy="rsi", symbols=",".join(cryptos), run="nobody-knows-this-run")
    await expect(tab.page.get_by_role("alert")).to_contain_text("nobody-knows-this-run")
    assert started == []
    await tab.button("Run this").click()
    await tab.until_done(24)
    await tab.until_rows(24)


async def test_a_link_of_no_run_and_no_backtest_says_only_what_is_wrong_with_it(
    tab: Tab, cryptos: list[str]
) -> None:
    await tab.show("/", strategy="rsi", symbols=cryptos[0], interval="7h", run="nobody-knows-this-run")
    alert = tab.page.get_by_role("alert")
    await expect(alert).to_have_text("The address does not describe a backtest. There is no interval 7h.")
    await expect(tab.page.locator(".progress")).to_have_count(0)


async def test_a_run_of_another_tab_is_watched_and_fills_the_form(
    tab: Tab, browser: Browser, cryptos: list[str]
) -> None:
    await tab.run(cryptos, **{"strategy": "rsi", "p.period": "9", "fee": "0.2%"})
    await tab.until_done(24)
    async with opened(browser, tab.address) as other:
        await other.show("/runs")
        await other.page.get_by_role("link", name=f"Watch the run {tab.run_id}").click()
        await other.until_done(24)
        await expect(other.page.get_by_label("period", exact=True)).to_have_value("9")
        assert "fee=0.2" in other.page.url


async def test_a_window_of_a_run_is_kept_to_the_second(
    tab: Tab, cryptos: list[str], gateway: "BacktestServiceAsyncStub"
) -> None:
    request = pb.RunBacktestsRequest(symbols=cryptos[:2], run_id="window-with-seconds")
    request.spec.strategy.rsi.SetInParent()
    request.spec.start_time.FromJsonString("2024-01-05T00:00:30Z")
    request.spec.end_time.FromJsonString("2024-03-01T08:30:00Z")
    assert [event async for event in gateway.RunBacktests(request)]
    await tab.show("/", run=request.run_id)
    await expect(tab.page.get_by_label("From", exact=True)).to_have_value("2024-01-05 00:00:30")
    await expect(tab.page.get_by_label("Until", exact=True)).to_have_value("2024-03-01 08:30")
    await tab.button("Run").click()
    await expect(tab.page.get_by_role("heading", level=1)).to_contain_text(
        "2024-01-05 00:00:30 to 2024-03-01 08:30"
    )
