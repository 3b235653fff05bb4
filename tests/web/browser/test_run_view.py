"""The view Run: results as they come, cancelled, sorted, filtered, downloaded."""

import csv
import json
import re
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from playwright.async_api import expect

from services.local.stack import LocalStack
from tests.end_to_end.processes import compute_workers, until_idle, workers_held
from tests.web.browser.tab import Tab

TOTAL_RETURN = 1
SHARPE = 3


async def test_the_first_rows_are_there_before_the_last_result_is_computed(
    tab: Tab, stack: LocalStack, cryptos: list[str]
) -> None:
    window = {"p.fast": "5", "p.slow": "33"}
    await tab.run(cryptos[:3], **window)
    await tab.until_done(3)
    async with workers_held(stack):
        await tab.run(cryptos, **window)
        await tab.until_rows(3)
        await expect(tab.page.locator(".progress strong")).to_have_text("3 of 24")
        await expect(tab.says("3 from the cache")).to_be_visible()
        assert sorted(await tab.column()) == cryptos[:3]
        await expect(tab.page.locator(".figures")).to_have_count(0)
    await tab.until_done(24)
    await tab.until_rows(24)


async def test_cancelling_a_run_ends_it_for_the_gateway_too(
    tab: Tab, stack: LocalStack, cryptos: list[str]
) -> None:
    async with workers_held(stack):
        await tab.run(cryptos, **{"p.fast": "6", "p.slow": "34"})
        await expect(tab.page.locator(".progress strong")).to_have_text("0 of 24")
        await tab.button("Cancel").click()
        await expect(tab.says(re.compile("The run was cancelled"))).to_be_visible()
        await expect(tab.button("Cancel")).to_be_disabled()
        await tab.page.get_by_role("link", name="Runs", exact=True).click()
        await expect(tab.page.locator(".runs tbody tr").first).to_contain_text("cancelled")
    await until_idle(*compute_workers(stack))


async def test_a_heading_sorts_the_best_first_then_the_worst_then_as_results_arrived(
    tab: Tab, cryptos: list[str]
) -> None:
    await tab.run(cryptos)
    await tab.until_done(24)
    arrived = await tab.column()
    heading = tab.page.get_by_role("columnheader", name="Sharpe").get_by_role("button")
    await heading.click()
    best_first = await tab.column(SHARPE)
    assert [figure(one) for one in best_first] == sorted(map(figure, best_first), reverse=True)
    assert "sort=sharpe_ratio" in tab.page.url
    await heading.click()
    assert await tab.column(SHARPE) == best_first[::-1]
    await heading.click()
    assert await tab.column() == arrived


async def test_the_filter_takes_parts_of_symbols_and_conditions_on_metrics(
    tab: Tab, cryptos: list[str]
) -> None:
    await tab.run(cryptos)
    await tab.until_done(24)
    returns = dict(zip(await tab.column(), map(figure, await tab.column(TOTAL_RETURN)), strict=True))
    limit = sorted(returns.values())[12]
    field = tab.page.get_by_label("Filter the results")
    await field.fill(f"tab0 return > {limit}%")
    expected = {symbol for symbol, value in returns.items() if "TAB0" in symbol and value > limit}
    await tab.until_rows(len(expected))
    assert set(await tab.column()) == expected
    await field.fill("shrp > 1")
    await expect(tab.says(re.compile('There is no metric "shrp"'))).to_be_visible()
    await field.fill("nothing of the kind")
    await expect(tab.says("No result fulfils the filter.")).to_be_visible()


async def test_a_link_with_a_long_filter_does_not_hold_the_page_up(tab: Tab, cryptos: list[str]) -> None:
    await tab.run(cryptos[:2], filter="a" * 5_000 + " " * 5_000 + "b")
    await tab.until_done(2)
    await expect(tab.says("A filter has at most 500 characters.")).to_be_visible()
    await tab.page.get_by_label("Filter the results").fill("tab00, trades >= 0")
    await tab.until_rows(1)


async def test_downloads_have_every_result(tab: Tab, cryptos: list[str], tmp_path: Path) -> None:
    await tab.run(cryptos)
    await tab.until_done(24)
    async with tab.page.expect_download() as download:
        await tab.button("CSV").click()
    await (await download.value).save_as(tmp_path / "run.csv")
    with (tmp_path / "run.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert sorted(row["symbol"] for row in rows) == cryptos
    async with tab.page.expect_download() as download:
        await tab.button("JSON").click()
    await (await download.value).save_as(tmp_path / "run.json")
    whole = json.loads((tmp_path / "run.json").read_text())
    returns = {one["symbol"]: one["metrics"]["total_return"] for one in whole["results"]}
    assert returns == {row["symbol"]: float(row["total_return"]) for row in rows}
    assert whole["summary"]["progress"]["completed"] == 24


async def test_a_parameter_out_of_its_range_is_named_at_its_field(tab: Tab, cryptos: list[str]) -> None:
    await tab.show("/", strategy="ma_cross", symbols=cryptos[0])
    await tab.page.get_by_label("fast", exact=True).fill("0")
    await tab.button("Run").click()
    await expect(tab.page.get_by_label("fast", exact=True)).to_have_attribute("aria-invalid", "true")
    await expect(tab.says(re.compile("^A whole number from"))).to_be_visible()
    assert "run=" not in tab.page.url


async def test_a_choice_that_there_is_not_is_named_at_its_field(tab: Tab, cryptos: list[str]) -> None:
    # Every object of JavaScript has something of these names.
    await tab.run(cryptos[:1], direction="constructor", fill="toString", breaks="__proto__")
    for sentence in ("There is no such direction.", "There is no such fill.", "There is no such rule."):
        await expect(tab.says(sentence)).to_be_visible()
    assert "run=" not in tab.page.url


async def test_a_number_that_is_too_large_is_none(tab: Tab, cryptos: list[str]) -> None:
    await tab.run(cryptos[:1], fee="1e999", capital="1e999")
    await expect(tab.says("Write a fraction, such as 0.1%, 10bps or 0.001.")).to_be_visible()
    await expect(tab.says("Write a number, such as 10000.")).to_be_visible()
    assert run_of(tab) is None


async def test_what_the_gateway_refuses_is_named_at_its_field(tab: Tab, cryptos: list[str]) -> None:
    await tab.run(["NOSUCHUSDT"])
    await expect(tab.page.get_by_label("Cryptos", exact=True)).to_have_attribute("aria-invalid", "true")


async def test_an_error_in_a_rule_is_said_while_it_is_typed(tab: Tab, cryptos: list[str]) -> None:
    await tab.show("/", strategy="rules", symbols=",".join(cryptos))
    entry = tab.page.get_by_label("Buy when")
    await entry.press_sequentially("rsi(14) < ")
    await expect(entry).to_have_attribute("aria-invalid", "true")
    await entry.press_sequentially("30")
    await expect(entry).to_have_attribute("aria-invalid", "false")
    await tab.page.get_by_label("Sell when").fill("rsy(14) > 70")
    await expect(tab.page.locator(".rule-marks mark")).to_have_text("rsy")
    await tab.page.get_by_label("Sell when").fill("rsi(14) > 70")
    await tab.button("Run").click()
    await tab.until_done(24)


async def test_a_run_keeps_its_fields_in_its_address_when_they_are_edited(
    tab: Tab, cryptos: list[str]
) -> None:
    fast = tab.page.get_by_label("fast", exact=True)
    title = tab.page.get_by_role("heading", level=1)
    edited = tab.says("Fields were changed since. Press Run for results of what they say now.")
    await tab.run(cryptos[:3], **{"p.fast": "5"})
    await tab.until_done(3)
    first = run_of(tab)
    await fast.fill("30")
    await expect(title).to_contain_text("fast 5")
    await expect(edited).to_be_visible()
    assert run_of(tab) is None
    await tab.page.reload()
    await expect(fast).to_have_value("30")
    await expect(title).to_contain_text("fast 5")
    await expect(edited).to_be_visible()
    await tab.button("Run").click()
    await expect(title).to_contain_text("fast 30")
    await tab.until_done(3)
    assert run_of(tab) not in {None, first}
    await expect(edited).to_have_count(0)
    # One step: that from the edited fields to their run is none.
    await tab.page.go_back()
    await expect(fast).to_have_value("5")
    await expect(title).to_contain_text("fast 5")
    assert run_of(tab) == first
    await tab.page.go_forward()
    await expect(fast).to_have_value("30")
    await expect(title).to_contain_text("fast 30")


async def test_a_crypto_that_is_opened_beside_edited_fields_is_that_of_the_run(
    tab: Tab, cryptos: list[str]
) -> None:
    await tab.run(cryptos[:3], **{"p.fast": "5"})
    await tab.until_done(3)
    run = run_of(tab)
    await tab.page.get_by_label("fast", exact=True).fill("30")
    await tab.rows.first.click()
    await expect(tab.says(re.compile("^ma_cross, fast 5 "))).to_be_visible()
    await tab.page.get_by_role("link", name="Back to the run").click()
    await expect(tab.page.get_by_label("fast", exact=True)).to_have_value("5")
    assert run_of(tab) == run


async def test_rows_are_reached_by_the_keyboard_and_enter_opens_one(tab: Tab, cryptos: list[str]) -> None:
    await tab.run(cryptos)
    await tab.until_done(24)
    second = (await tab.column())[1]
    await tab.page.locator(".results .grid").focus()
    await tab.page.keyboard.press("ArrowDown")
    await tab.page.keyboard.press("ArrowDown")
    await expect(tab.page.locator(".grid-row.active")).to_contain_text(second)
    await tab.page.keyboard.press("Enter")
    await tab.page.wait_for_url(re.compile(f"/crypto\\?symbol={second}&strategy=ma_cross.*start=.*end="))
    await expect(tab.page.get_by_role("heading", level=1, name=second)).to_be_focused()
    await expect(tab.page).to_have_title(f"{second} – Backcast")


def run_of(tab: Tab) -> str | None:
    """Return the id of the run that the address names."""
    return parse_qs(urlsplit(tab.page.url).query).get("run", [None])[0]


def figure(text: str) -> float:
    """Return the number that a cell shows."""
    return float(text.replace("−", "-").replace("%", "").replace(",", "").strip())
