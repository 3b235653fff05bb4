"""Several strategies in the view Portfolio: their fields, weights and links, and the account's files."""

import json
import math
from pathlib import Path

import pytest
from google.protobuf import json_format
from playwright.async_api import Browser, Locator, expect

from backcast import Rsi, aio, rules
from backcast.backtest.v1 import portfolio_pb2
from backcast.gateway.v1 import portfolio_service_pb2 as pb
from services.local.stack import LocalStack
from services.rpc.channel import open_channel
from tests.web.browser.crypto import saved
from tests.web.browser.portfolio import figure, problem, run, until_there
from tests.web.browser.tab import Tab, calls_of, opened
from tests.web.browser.test_accessibility import serious

RULES = {"2.strategy": "rules", "2.entry": "close > sma(20)", "2.exit": "close < sma(20)"}
TWO = {"strategy": "rsi", "p.period": "7", "weight": "25%", **RULES, "2.weight": "75%", "positions": "2"}


async def test_two_strategies_with_weights_are_chosen_run_and_restored_by_a_reload_and_a_link(
    tab: Tab, browser: Browser, stack: LocalStack, cryptos: list[str]
) -> None:
    symbols = cryptos[:4]
    await tab.show("/portfolio", strategy="rsi", symbols=",".join(symbols), positions="2")
    await tab.page.get_by_label("period", exact=True).fill("7")
    await tab.button("Add a strategy").click()
    second = strategy(tab, 2)
    await expect(second.get_by_label("Strategy", exact=True)).to_be_focused()
    await second.get_by_label("Strategy", exact=True).select_option("rules")
    await second.get_by_label("Buy when").fill(RULES["2.entry"])
    await second.get_by_label("Sell when").fill(RULES["2.exit"])
    await strategy(tab, 1).get_by_label("Weight").fill("25%")
    await second.get_by_label("Weight").fill("75%")
    await tab.button("Run").click()
    await until_there(tab)
    title = tab.page.get_by_role("heading", level=1)
    await expect(title).to_contain_text("25.0 % rsi (period 7), 75.0 % rules in one account of 4 cryptos")
    await expect(tab.says("2 places for each strategy, equal shares")).to_be_visible()
    async with aio.connect(stack.gateway_address) as client:
        weighted = {Rsi(period=7): 0.25, rules(RULES["2.entry"], RULES["2.exit"]): 0.75}
        metrics = await (await client.portfolio(weighted, symbols=symbols, max_positions=2)).metrics()
    assert metrics.total_return is not None
    percent = f"{100 * metrics.total_return:+,.1f} %".replace("-", "\u2212")
    await expect(figure(tab, "total return").first).to_have_text(percent)
    started = calls_of(tab, "RunPortfolio")
    await tab.page.reload()
    await until_there(tab)
    assert started == []
    await expect_two(tab)
    async with opened(browser, tab.address) as other:
        await other.show("/portfolio", run=tab.run_id)
        await until_there(other)
        await expect_two(other)
        assert "2.weight=75" in other.page.url


async def test_a_strategy_that_is_removed_leaves_the_others_and_a_single_one_has_no_weight(tab: Tab) -> None:
    await tab.show("/portfolio", **TWO)
    await tab.button("Add a strategy").click()
    await expect(strategy(tab, 3)).to_be_visible()
    assert "3.strategy=ma_cross" in tab.page.url
    await tab.button("Remove strategy 1").click()
    await expect(tab.button("Add a strategy")).to_be_focused()
    await expect(strategy(tab, 2).get_by_label("Strategy", exact=True)).to_have_value("ma_cross")
    await tab.button("Remove strategy 2").click()
    await expect(tab.page.get_by_label("Buy when")).to_have_value(RULES["2.entry"])
    await expect(tab.page.get_by_label("Weight")).to_have_count(0)
    query = tab.page.url.partition("?")[2]
    assert "strategy=rules" in query
    assert "2." not in query
    assert "weight" not in query


@pytest.mark.parametrize("theme", ["light", "dark"])
async def test_what_is_wrong_with_one_of_the_strategies_is_said_at_its_field(
    tab: Tab, cryptos: list[str], theme: str
) -> None:
    await tab.page.emulate_media(color_scheme="dark" if theme == "dark" else "light")
    query = {**TWO, "strategy": "rules", "entry": "rsi(14) <", "2.entry": "close > smma(20)"}
    await tab.show("/portfolio", **{**query, "symbols": ",".join(cryptos[:3]), "2.weight": "50%"})
    # Both rules have their error below the character that it is at.
    await expect(problem(tab, "entry")).to_contain_text("Expected a number")
    await expect(problem(tab, "2.entry")).to_contain_text("smma")
    await expect(tab.page.locator('[data-field="2.entry"] mark')).to_have_text("smma")
    await expect(problem(tab, "2.weight")).to_have_text("The weights must add up to 100 %, not 75.0 %.")
    assert await serious(tab) == []
    started = calls_of(tab, "RunPortfolio")
    await tab.button("Run").click()
    await tab.page.locator('[data-field="entry"] textarea').fill("rsi(14) < 30")
    await tab.page.locator('[data-field="2.entry"] textarea').fill("close > sma(20)")
    await expect(problem(tab, "2.entry")).to_have_text("")
    # The other weight can be the wrong one.
    await strategy(tab, 1).get_by_label("Weight").fill("0.5")
    await expect(problem(tab, "2.weight")).to_have_count(0)
    await strategy(tab, 1).get_by_label("Weight").fill("0")
    await expect(problem(tab, "weight")).to_have_text("A weight must be above 0.")
    await tab.button("Run").click()
    await expect(strategy(tab, 1).get_by_label("Weight")).to_be_focused()
    assert started == []


async def test_what_the_gateway_refuses_of_a_further_strategy_is_said_at_its_field(
    tab: Tab, cryptos: list[str]
) -> None:
    tab.expect_refusals()
    query = {"strategy": "rsi", "2.strategy": "ma_cross", "2.p.fast": "30", "2.p.slow": "20"}
    await tab.show("/portfolio", **query, symbols=",".join(cryptos[:2]))
    await tab.button("Run").click()
    refused = tab.page.locator('[data-field^="2.p."] .problem')
    await expect(refused.first).to_be_visible()
    assert await tab.page.locator('[data-field^="p."] .problem').count() == 0


async def test_the_trades_of_several_strategies_name_and_sort_by_the_strategy(
    tab: Tab, cryptos: list[str], tmp_path: Path
) -> None:
    symbols = ",".join(cryptos[:4])
    await tab.show("/portfolio", symbols=symbols, **TWO)
    await tab.button("Run").click()
    await until_there(tab)
    trades = tab.page.get_by_role("grid", name="Trades")
    head, first = (trades.get_by_role("row").nth(number).locator("> div") for number in (0, 1))
    await expect(head.nth(1)).to_have_text("Strategy")
    rows = await saved(tab, "Trades as CSV", tmp_path)
    names = {"0": "1: rsi (period 7)", "1": "2: rules"}
    assert {row["strategy"] for row in rows} == set(names)
    in_time = sorted(rows, key=lambda row: row["entry_time"])
    await expect(first.nth(1)).to_have_text(names[in_time[0]["strategy"]])
    # The trades of one strategy stay in the order of time.
    for number in ("0", "1"):
        await head.nth(1).get_by_role("button").click()
        await expect(first.nth(1)).to_have_text(names[number])
        symbol = next(row["symbol"] for row in rows if row["strategy"] == number)
        await expect(first.nth(0)).to_have_text(symbol)
    assert "trades=-strategy" in tab.page.url
    await tab.show("/portfolio", symbols=symbols, strategy="rsi", positions="2")
    await tab.button("Run").click()
    await until_there(tab)
    await expect(trades.get_by_role("columnheader", name="Crypto")).to_be_visible()
    await expect(trades.get_by_role("columnheader", name="Strategy")).to_have_count(0)


async def test_the_files_of_an_account_have_the_columns_and_the_figures_of_the_commands_files(
    tab: Tab, stack: LocalStack, cryptos: list[str], tmp_path: Path
) -> None:
    symbols = cryptos[:4]
    await tab.show("/portfolio", symbols=",".join(symbols), **TWO)
    await tab.button("Run").click()
    await until_there(tab)
    async with aio.connect(stack.gateway_address, frames="pyarrow") as client:
        weighted = {Rsi(period=7): 0.25, rules(RULES["2.entry"], RULES["2.exit"]): 0.75}
        account = await client.portfolio(weighted, symbols=symbols, max_positions=2, detail="equity")
        tables = {
            "Trades as CSV": await account.trades(),
            "Equity as CSV": await account.equity(),
            "Cryptos as CSV": await account.cryptos(),
        }
    for button, table in tables.items():
        rows, wanted = await saved(tab, button, tmp_path), table.to_pylist()
        assert len(rows) == len(wanted) > 0
        assert list(rows[0]) == table.column_names
        assert [as_written(row) for row in wanted] == [as_read(row, wanted[0]) for row in rows]
    async with tab.page.expect_download() as download:
        await tab.button("All as JSON").click()
    await (await download.value).save_as(tmp_path / "account.json")
    whole = json.loads((tmp_path / "account.json").read_text())
    request = json_format.ParseDict(whole["request"], pb.RunPortfolioRequest())
    result = json_format.ParseDict(whole["result"], portfolio_pb2.PortfolioResult())
    assert [each.weight for each in request.spec.strategies] == [0.25, 0.75]
    request.run_id = ""
    async with open_channel(stack.gateway_address) as channel:
        again = await run(channel, request)
    again.from_cache = result.from_cache
    assert result == again


def strategy(tab: Tab, number: int) -> Locator:
    """Return the fields of one of several strategies."""
    return tab.page.locator(".weighted-strategy").nth(number - 1)


async def expect_two(tab: Tab) -> None:
    """Expect the form to have the strategies of TWO."""
    first, second = strategy(tab, 1), strategy(tab, 2)
    await expect(tab.page.locator(".weighted-strategy")).to_have_count(2)
    await expect(first.get_by_label("period", exact=True)).to_have_value("7")
    await expect(first.get_by_label("Weight")).to_have_value("25%")
    await expect(second.get_by_label("Buy when")).to_have_value(RULES["2.entry"])
    await expect(second.get_by_label("Sell when")).to_have_value(RULES["2.exit"])
    await expect(second.get_by_label("Weight")).to_have_value("75%")


def as_written(row: dict[str, object]) -> dict[str, object]:
    """Return a row of a frame with times as text, and without what is undefined."""
    return {
        name: f"{value:%Y-%m-%d %H:%M:%SZ}" if hasattr(value, "strftime") else value
        for name, value in row.items()
        if value not in {None, ""} and not (isinstance(value, float) and math.isnan(value))
    }


def as_read(row: dict[str, str], like: dict[str, object]) -> dict[str, object]:
    """Return a row of a CSV file with numbers where a row of the frame has them, without what is empty."""
    read: dict[str, object] = {}
    for name, text in row.items():
        if text in {"true", "false"}:
            read[name] = text == "true"
        elif text != "":
            read[name] = float(text) if isinstance(like[name], int | float) else text
    return read
