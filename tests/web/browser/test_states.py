"""States that are no fault of the page: each is said, with what to do, and the page recovers by itself."""

import asyncio
import re
import struct
from collections.abc import Iterable
from pathlib import Path

from google.protobuf.message import Message
from playwright.async_api import Browser, Page, expect

from backcast.backtest.v1.result_pb2 import BacktestResult, Metrics
from backcast.gateway.v1 import backtest_service_pb2 as pb
from backcast.gateway.v1 import run_events_pb2
from backcast.marketdata.v1.market_data_service_pb2_grpc import MarketDataServiceStub
from services.gateway.auth.tokens import make_token
from services.local.ports import free_ports
from services.local.postgres import EmbeddedPostgres
from services.local.stack import LocalStack
from services.rpc.channel import open_channel
from tests.candle_making import import_candles, random_candles
from tests.end_to_end.one_service import service_beside
from tests.end_to_end.processes import workers_held
from tests.security.secured import entry
from tests.web.browser.crypto import HOURS
from tests.web.browser.own_page import own_page
from tests.web.browser.tab import Tab, opened
from tests.web.browser.test_compare_view import add, cryptos_of, figure, side

MANY = 5000
MOST_DRAWN = 60
NO_RUN = re.compile("The gateway knows no run")


async def test_a_token_is_asked_for_and_kept_for_the_tab_only(
    browser: Browser, stack: LocalStack, cryptos: list[str], short_folder: Path, tmp_path: Path
) -> None:
    token = make_token()
    tokens_file = tmp_path / "tokens.toml"
    tokens_file.write_text(entry("somebody", token, "run"))
    async with own_page(browser, stack, short_folder / "tokens", tokens_file=tokens_file) as page:
        tab = page.tab
        await tab.show("/", strategy="ma_cross", symbols=",".join(cryptos))
        field = tab.page.get_by_label("The gateway wants a token that it knows.")
        await field.fill("backcast_wrong")
        await tab.button("Use it").click()
        await expect(field).to_have_value("")
        for never in ("t\u00f6k\u00e9n", f"\u201c{token}\u201d", "two words", "\u200b"):
            await field.fill(never)
            await tab.button("Use it").click()
            await expect(tab.says(re.compile("A token has no blanks"))).to_be_visible()
        await field.fill("backcast_wrong")
        await tab.button("Use it").click()
        await expect(tab.says(re.compile("The gateway does not know this token"))).to_be_visible()
        # As it comes from a mail: with what nobody sees.
        await field.fill(f" {token}\u200b")
        await tab.button("Use it").click()
        await expect(field).to_have_count(0)
        await tab.button("Run").click()
        await tab.until_done(24)
        await tab.page.reload()
        await tab.until_done(24)
        assert token not in tab.page.url
        # Another tab of the same browser: what is stored for all its tabs is there too.
        other = await tab.page.context.new_page()
        await other.goto(f"http://{tab.address}/runs")
        asks = other.get_by_label("The gateway wants a token that it knows.")
        await expect(asks).to_be_visible()
        # A page of an earlier version kept what no header can carry.
        await other.evaluate("sessionStorage.setItem('backcast-token', 't\u00f6k\u00e9n')")
        await other.reload()
        await expect(asks).to_be_visible()


async def test_compare_asks_for_a_token_and_goes_on_with_it(
    browser: Browser, stack: LocalStack, cryptos: list[str], short_folder: Path, tmp_path: Path
) -> None:
    token = make_token()
    tokens_file = tmp_path / "tokens.toml"
    tokens_file.write_text(entry("somebody", token, "run"))
    sides = (side(cryptos, strategy="ma_cross"), side(cryptos, strategy="rsi"))
    async with own_page(browser, stack, short_folder / "compared", tokens_file=tokens_file) as page:
        tab = page.tab
        for compared in ((), sides):
            await tab.show("/compare")
            await add(tab, *compared)
            field = tab.page.get_by_label("The gateway wants a token that it knows.")
            await field.fill("backcast_revoked")
            await tab.button("Use it").click()
            await expect(field).to_have_value("")
            await expect(tab.says(re.compile("No client has this token"))).to_have_count(0)
            await field.fill(token)
            await tab.button("Use it").click()
            loaded = figure(tab, "total return", 1) if compared else tab.says(NO_RUN)
            await expect(loaded).to_be_visible()
            await expect(field).to_have_count(0)
            await expect(tab.page.locator(".notice")).to_have_count(0)
            await tab.page.evaluate("sessionStorage.clear()")
        # A token that is taken from the file is refused from the next call on.
        token = make_token()
        tokens_file.write_text(entry("somebody", token, "run"))
        await add(tab, side(cryptos, strategy="macd"))
        await field.fill(token)
        await tab.button("Use it").click()
        await expect(figure(tab, "total return", 2)).to_be_visible()
        await expect(field).to_have_count(0)


async def test_a_limit_and_a_cache_that_is_away_are_said_and_waited_for(
    browser: Browser, stack: LocalStack, cryptos: list[str], short_folder: Path
) -> None:
    (nobody,) = free_ports(1)
    settings = {"max_runs": 1, "redis_url": f"redis://127.0.0.1:{nobody}"}
    async with (
        own_page(browser, stack, short_folder / "limited", **settings) as page,
        opened(browser, page.web.address) as other,
    ):
        tab = page.tab
        async with workers_held(stack):
            await tab.run(cryptos)
            await expect(tab.progress).to_have_text("0 of 24")
            await other.run(cryptos, **{"p.fast": "9"})
            await expect(other.says(re.compile("It is tried again"))).to_be_visible()
        for each in (tab, other):
            await each.until_done(24)
            await expect(each.says(re.compile("The cache does not answer"))).to_be_visible()


async def test_a_database_that_is_away_is_waited_for(
    browser: Browser, stack: LocalStack, cryptos: list[str], short_folder: Path
) -> None:
    folder = short_folder / "database"
    folder.mkdir()
    server = EmbeddedPostgres(folder)
    await asyncio.to_thread(server.start)
    try:
        async with (
            service_beside(stack, "data", folder, database_url=server.url, database_timeout_s=1) as data,
            own_page(browser, stack, folder, data_address=data.address) as page,
            open_channel(data.address) as channel,
        ):
            tab = page.tab
            # Compute asks the data service that all tests share, which has the same candles.
            for number, symbol in enumerate(cryptos[:2]):
                await import_candles(MarketDataServiceStub(channel), symbol, random_candles(number, HOURS))
            await tab.show("/", strategy="ma_cross", **{"p.slow": "45"})
            await expect(tab.page.get_by_label("Cryptos", exact=True)).to_have_attribute(
                "placeholder", "all 2: type to choose"
            )
            await asyncio.to_thread(server.stop)
            away = tab.says("The database does not answer.")
            await tab.button("Run").click()
            await expect(away).to_be_visible()
            await expect(tab.says(re.compile("It is tried again"))).to_be_visible()
            await asyncio.to_thread(server.start)
            await tab.until_done(2)
            await expect(away).to_have_count(0)
    finally:
        await asyncio.to_thread(server.stop)


async def test_a_gateway_that_comes_later_is_waited_for(
    browser: Browser, stack: LocalStack, cryptos: list[str], short_folder: Path
) -> None:
    folder = short_folder / "later"
    (port,) = free_ports(1)
    async with (
        service_beside(stack, "web", folder, gateway_address=f"127.0.0.1:{port}") as web,
        opened(browser, web.address) as tab,
    ):
        await tab.show("/", strategy="ma_cross", symbols=",".join(cryptos))
        away = tab.says(re.compile("gateway.*does not answer|did not answer", re.IGNORECASE))
        await expect(away).to_be_visible()
        async with service_beside(stack, "gateway", folder, port):
            await expect(tab.page.get_by_label("fast", exact=True)).to_be_visible()
            await expect(away).to_have_count(0)
            await tab.button("Run").click()
            await tab.until_done(24)


async def test_what_could_not_be_loaded_is_loaded_once_the_gateway_is_back(
    browser: Browser, stack: LocalStack, cryptos: list[str], short_folder: Path
) -> None:
    async with (
        own_page(browser, stack, short_folder / "back") as page,
        opened(browser, page.web.address) as curves,
        opened(browser, page.web.address) as picker,
    ):
        data = page.tab
        await data.show("/data", search=cryptos[0])
        row = data.page.locator(".cryptos .grid-row").filter(has_text=cryptos[0])
        await expect(row).to_be_visible()
        await curves.show("/compare")
        await add(curves, side(cryptos, strategy="rsi"), side(cryptos, strategy="macd"))
        await expect(figure(curves, "total return", 1)).to_be_visible()
        page.gateway.process.kill()
        await row.click()
        await cryptos_of(curves).first.click()
        await picker.show("/compare")
        for tab in (data, curves, picker):
            await expect(tab.page.locator(".notice").first).to_contain_text("does not answer")
        await page.gateway.start_again()
        await expect(data.says("Its history has no breaks.")).to_be_visible()
        await expect(curves.page.locator(".chart-legend").first).to_contain_text("B: macd")
        await expect(picker.says(NO_RUN)).to_be_visible()
        for tab in (data, curves, picker):
            await expect(tab.page.locator(".notice")).to_have_count(0)


async def test_without_candles_the_page_says_how_to_import_some(tab: Tab) -> None:
    await answer(tab.page, "ListCryptos", [pb.ListCryptosResponse()])
    await tab.show("/")
    await expect(tab.says(re.compile("There are no candles yet.*backcast import"))).to_be_visible()
    await expect(tab.page.get_by_role("link", name="Import candles")).to_be_visible()


async def test_of_thousands_of_rows_only_those_are_drawn_that_are_seen(tab: Tab) -> None:
    await answer(tab.page, "RunBacktests", events_of_many())
    await tab.show("/")
    await tab.button("Run").click()
    await tab.until_rows(MANY)
    assert await tab.rows.count() < MOST_DRAWN
    await tab.page.locator(".results .grid").focus()
    await tab.page.keyboard.press("End")
    await expect(tab.rows.filter(has_text=f"BIG{MANY - 1}USDT")).to_be_visible()
    assert await tab.rows.count() < MOST_DRAWN
    await tab.page.get_by_role("columnheader", name="Return").get_by_role("button").click()
    await tab.page.keyboard.press("Tab")
    await tab.page.locator(".results .grid").focus()
    await tab.page.keyboard.press("Home")
    await expect(tab.rows.filter(has_text=f"BIG{MANY - 1}USDT")).to_be_visible()


def events_of_many() -> Iterable[Message]:
    """Yield the events of a run of thousands of cryptos, whose returns ascend."""
    results = [
        BacktestResult(symbol=f"BIG{number:04}USDT", metrics=Metrics(total_return=number / 1000))
        for number in range(MANY)
    ]
    done = run_events_pb2.Progress(completed=MANY, total=MANY)
    yield pb.RunBacktestsResponse(started=pb.RunStarted(crypto_count=MANY), sequence=1)
    yield pb.RunBacktestsResponse(result=results[0], sequence=2)
    yield pb.RunBacktestsResponse(results=run_events_pb2.RunResults(results=results[1:]), sequence=MANY + 1)
    yield pb.RunBacktestsResponse(
        summary=run_events_pb2.RunSummary(progress=done), progress=done, sequence=MANY + 2
    )


async def answer(page: Page, method: str, messages: Iterable[Message]) -> None:
    """Answer calls of a method of the gateway's BacktestService with these messages, in gRPC-Web."""
    frames = [(0, message.SerializeToString()) for message in messages]
    frames.append((0x80, b"grpc-status: 0\r\n"))
    body = b"".join(struct.pack(">BI", flags, len(content)) + content for flags, content in frames)
    await page.route(
        f"**/backcast.gateway.v1.BacktestService/{method}",
        lambda route: route.fulfill(content_type="application/grpc-web+proto", body=body),
    )
