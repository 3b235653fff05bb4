"""The view Run: results as they come, cancelled, sorted, filtered, downloaded."""

import asyncio
import csv
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from google.protobuf.json_format import MessageToDict, ParseDict
from playwright.async_api import Route, expect

from backcast.backtest.v1.result_pb2 import BacktestResult
from backcast.gateway.v1 import backtest_service_pb2 as pb
from backcast.gateway.v1.run_events_pb2 import RunFailure, RunSummary
from services.local.stack import LocalStack
from tests.candle_making import import_candles, random_candles
from tests.end_to_end.processes import workers_held
from tests.waiting import until
from tests.web.browser.tab import Tab, held_run

if TYPE_CHECKING:
    from backcast.gateway.v1.backtest_service_pb2_grpc import BacktestServiceAsyncStub
    from backcast.marketdata.v1.market_data_service_pb2_grpc import MarketDataServiceAsyncStub

TOTAL_RETURN = 1
SHARPE = 3
TRADES = 6


async def test_the_first_rows_are_there_before_the_last_result_is_computed(
    tab: Tab, stack: LocalStack, cryptos: list[str]
) -> None:
    async with held_run(tab, stack, cryptos, **{"p.fast": "5", "p.slow": "33"}):
        await expect(tab.progress).to_have_text("3 of 24")
        await expect(tab.says("3 from the cache")).to_be_visible()
        assert sorted(await tab.column()) == cryptos[:3]
        await expect(tab.page.locator(".figures")).to_have_count(0)
    await tab.until_rows(24)


async def test_a_run_shows_its_time_its_failures_and_its_summary(
    tab: Tab,
    stack: LocalStack,
    cryptos: list[str],
    gateway: "BacktestServiceAsyncStub",
    data_service: "MarketDataServiceAsyncStub",
) -> None:
    await import_candles(data_service, "SHORTUSDT", random_candles(78, 10))
    symbols = [*cryptos[:7], "SHORTUSDT"]
    words = tab.page.locator(".progress-words")
    picture = tab.page.get_by_role("img", name=re.compile("^Distribution of"))
    run = {"p.fast": "5", "p.slow": "43"}
    await tab.run(cryptos[:3], **run)
    await tab.until_done(3)
    async with workers_held(stack):
        await tab.run(symbols, **run)
        await tab.until_rows(3)
        await expect(words).to_have_text(
            re.compile(r"^3 of 8\s*3 from the cache\s*[\d.]+ m?s\s*about [\d.]+ m?s left")
        )
        await expect(picture).to_have_accessible_name(re.compile("^Distribution of 3 returns"))
    await tab.until_done(8)
    await expect(words).to_have_text(re.compile(r"^8 of 8\s*3 from the cache\s*1 failed\s*[\d.]+ m?s$"))
    await expect(tab.page.locator(".failures summary")).to_have_text("1 crypto without a result")
    await expect(tab.page.locator(".failures li")).to_have_text(
        "SHORTUSDT: Its indicators need 43 candles, and there are 10 in the window and before it."
    )
    request = pb.RunBacktestsRequest(symbols=symbols)
    request.spec.strategy.ma_cross.fast, request.spec.strategy.ma_cross.slow = 5, 43
    spread = [event async for event in gateway.RunBacktests(request)][-1].summary.spread
    gained, beat = f"{100 * spread.share_gained:.0f} %", f"{100 * spread.share_beat_holding:.0f} %"
    await expect(tab.says(re.compile("beat holding"))).to_contain_text(
        f"{gained} gained, {beat} beat holding"
    )
    await expect(picture).to_have_accessible_name(
        f"Distribution of 7 returns: {gained} of the cryptos gained."
    )

    async def has_both() -> bool:
        return await picture.evaluate(COLOURS) == ["gain", "loss"]

    await until(has_both)


async def test_the_summary_has_the_mean_the_quantiles_the_best_and_the_worst(
    tab: Tab, cryptos: list[str], gateway: "BacktestServiceAsyncStub"
) -> None:
    await tab.run(cryptos, **{"p.fast": "5", "p.slow": "46"})
    await tab.until_done(24)
    request = pb.RunBacktestsRequest(symbols=cryptos)
    request.spec.strategy.ma_cross.fast, request.spec.strategy.ma_cross.slow = 5, 46
    summary = [event async for event in gateway.RunBacktests(request)][-1].summary
    spread = summary.spread
    quantiles = [spread.quantile_05, spread.quantile_25, spread.quantile_50, spread.quantile_75]
    columns = [*quantiles, spread.quantile_95, summary.mean]
    figures = tab.page.locator(".figures")
    for name, expected in (
        ("Return", [f"{100 * each.total_return:+.1f} %" for each in columns]),
        ("Sharpe", [f"{each.sharpe_ratio:.2f}" for each in columns]),
    ):
        row = figures.get_by_role("row").filter(has=tab.page.get_by_role("rowheader", name=name, exact=True))
        shown = await row.get_by_role("cell").all_inner_texts()
        assert shown == [text.replace("-", "−") for text in expected]
    ends = {
        name: f"{one.symbol} {100 * one.total_return:+.1f} %".replace("-", "−")
        for name, one in (("Best", summary.best), ("Worst", summary.worst))
    }
    await expect(figures).to_contain_text(f"Best: {ends['Best']}. Worst: {ends['Worst']}.")


# The colours of bars that are in a canvas: that of gains and that of losses.
COLOURS = """
  canvas => {
    const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    const drawn = new Set();
    for (let at = 0; at < data.length; at += 4)
      drawn.add("#" + [...data.slice(at, at + 3)].map(part => part.toString(16).padStart(2, "0")).join(""));
    const style = getComputedStyle(document.documentElement);
    return ["gain", "loss"].filter(name => drawn.has(style.getPropertyValue(`--${name}`).trim()));
  }
"""


async def test_cancelling_a_run_ends_it_for_the_gateway_too(
    tab: Tab, stack: LocalStack, cryptos: list[str]
) -> None:
    async with workers_held(stack):
        await tab.run(cryptos, **{"p.fast": "6", "p.slow": "34"})
        await expect(tab.progress).to_have_text("0 of 24")
        await tab.button("Cancel").click()
        await expect(tab.says(re.compile("The run was cancelled"))).to_be_visible()
        await expect(tab.button("Cancel")).to_be_disabled()
        await tab.page.get_by_role("link", name="Runs", exact=True).click()
        await expect(tab.page.locator(".runs tbody tr").first).to_contain_text("cancelled")


async def test_a_heading_sorts_the_best_first_then_the_worst_then_as_results_arrived(
    tab: Tab, cryptos: list[str]
) -> None:
    await tab.run(cryptos)
    await tab.until_done(24)
    arrived = await tab.column()
    assert sorted(arrived) == cryptos
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
    # A crypto whose position is still open has "12+1" trades.
    closed = [figure(cell.partition("+")[0]) for cell in await tab.column(TRADES)]
    trades = dict(zip(await tab.column(), closed, strict=True))
    field = tab.page.get_by_label("Filter the results")
    await field.fill(f"tab0 return > {limit}%")
    expected = {symbol for symbol, value in returns.items() if "TAB0" in symbol and value > limit}
    await tab.until_rows(len(expected))
    assert set(await tab.column()) == expected
    # Every part is wanted, and the limit itself is not above the limit.
    fewest = min(count for symbol, count in trades.items() if "TAB0" in symbol)
    await field.fill(f"tab0 usdt trades > {fewest:.0f}")
    expected = {symbol for symbol, count in trades.items() if "TAB0" in symbol and count > fewest}
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
    await tab.until_rows(2)
    await tab.page.get_by_label("Filter the results").fill("tab00, trades >= 0")
    await tab.until_rows(1)


async def test_downloads_have_every_result(
    tab: Tab, cryptos: list[str], data_service: "MarketDataServiceAsyncStub", tmp_path: Path
) -> None:
    await import_candles(data_service, "SHORTUSDT", random_candles(78, 10))
    await tab.run([*cryptos, "SHORTUSDT"], **{"p.kind": "EMA", "stop_loss": "20%"})
    await tab.until_done(25)
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
    assert whole["failures"][0]["status"]["details"]
    assert re.fullmatch(r"\d+\.\d+s", whole["summary"]["elapsed"])
    # The file is in the JSON of the API: read and written by protobuf, it is the same.
    kinds = {
        "request": pb.RunBacktestsRequest,
        "results": BacktestResult,
        "failures": RunFailure,
        "summary": RunSummary,
    }
    for name, kind in kinds.items():
        for one in whole[name] if isinstance(whole[name], list) else [whole[name]]:
            assert one == MessageToDict(
                ParseDict(one, kind()),
                preserving_proto_field_name=True,
                always_print_fields_with_no_presence=True,
            )


async def test_a_parameter_out_of_its_range_is_named_at_its_field(tab: Tab, cryptos: list[str]) -> None:
    await tab.show("/", strategy="ma_cross", symbols=",".join(cryptos[:2]))
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
    assert tab.run_id == ""


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
    await tab.page.get_by_label("Sell when").fill("sma(5) > rsy(14)")
    await expect(tab.page.locator(".rule-marks mark")).to_have_text("rsy")
    await tab.page.get_by_label("Sell when").fill("rsi(14) > 70")
    await tab.button("Run").click()
    await tab.until_done(24)


async def test_a_rule_that_looks_at_candles_that_it_cannot_see_is_marked(
    tab: Tab, cryptos: list[str]
) -> None:
    entry, mark = tab.page.get_by_label("Buy when"), tab.page.locator(".rule-marks mark")
    symbols = ",".join(cryptos[:2])
    await tab.show("/", strategy="rules", symbols=symbols, entry="close > sma(2)@1d", interval="1d")
    await expect(mark).to_have_text("sma(2)@1d")
    await tab.page.get_by_label("Candles", exact=True).select_option("1h")
    await expect(mark).to_have_count(0)
    await entry.fill("close > open@NOSUCHUSDT")
    await expect(mark).to_have_text("open@NOSUCHUSDT")
    await entry.fill(f"close > sma(2)@1d and close@{cryptos[1]} > 0")
    await expect(mark).to_have_count(0)
    await tab.button("Run").click()
    await tab.until_done(2)


async def test_a_run_keeps_its_fields_in_its_address_when_they_are_edited(
    tab: Tab, cryptos: list[str]
) -> None:
    fast = tab.page.get_by_label("fast", exact=True)
    title = tab.page.get_by_role("heading", level=1)
    edited = tab.says("Fields were changed since. Press Run for results of what they say now.")
    await tab.run(cryptos[:3], **{"p.fast": "5"})
    await tab.until_done(3)
    first = tab.run_id
    await fast.fill("30")
    await expect(title).to_contain_text("fast 5")
    await expect(edited).to_be_visible()
    assert tab.run_id == ""
    await tab.page.reload()
    await expect(fast).to_have_value("30")
    await expect(title).to_contain_text("fast 5")
    await expect(edited).to_be_visible()
    await tab.button("Run").click()
    await expect(title).to_contain_text("fast 30")
    await tab.until_done(3)
    assert tab.run_id not in {"", first}
    await expect(edited).to_have_count(0)
    # One step: that from the edited fields to their run is none.
    await tab.page.go_back()
    await expect(fast).to_have_value("5")
    await expect(title).to_contain_text("fast 5")
    assert tab.run_id == first
    await tab.page.go_forward()
    await expect(fast).to_have_value("30")
    await expect(title).to_contain_text("fast 30")


async def test_a_crypto_that_is_opened_beside_edited_fields_is_that_of_the_run(
    tab: Tab, cryptos: list[str]
) -> None:
    await tab.run(cryptos[:3], **{"p.fast": "5"})
    await tab.until_done(3)
    run = tab.run_id
    await tab.page.get_by_label("fast", exact=True).fill("30")
    await tab.rows.first.click()
    await expect(tab.says(re.compile("^ma_cross, fast 5 "))).to_be_visible()
    await tab.page.get_by_role("link", name="Back to the run").click()
    await expect(tab.page.get_by_label("fast", exact=True)).to_have_value("5")
    assert tab.run_id == run


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


def figure(text: str) -> float:
    """Return the number that a cell shows."""
    return float(text.replace("−", "-").replace("%", "").replace(",", "").strip())


@pytest.mark.parametrize("method", ["ListStrategies", "ListCryptos"])
async def test_run_can_be_pressed_once_the_fields_have_moved_its_button_for_the_last_time(
    tab: Tab, cryptos: list[str], method: str
) -> None:
    answer = asyncio.Event()

    async def answer_late(route: Route) -> None:
        await answer.wait()
        await route.continue_()

    await tab.page.route(f"**/{method}", answer_late)
    await tab.show("/", strategy="ma_cross", symbols=",".join(cryptos[:2]))
    await expect(tab.button("Run")).to_be_disabled()
    answer.set()
    await tab.button("Run").click()
    await tab.until_done(2)
