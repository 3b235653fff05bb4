"""The view of one crypto: its chart and its trades, what is derived from the curve, and the verification."""

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from playwright.async_api import Locator, Route, expect

from backcast.gateway.v1 import backtest_service_pb2 as pb
from backcast_engine.candles import Candles
from tests import waiting
from tests.candle_making import START_S, import_candles, random_candles
from tests.web.browser.crypto import (
    BACKTEST,
    HOURS,
    WITH_BREAK,
    WITH_GAP,
    result_of,
    saved,
    until_drawn,
    written,
)
from tests.web.browser.tab import Tab

if TYPE_CHECKING:
    from backcast.gateway.v1.backtest_service_pb2_grpc import BacktestServiceAsyncStub
    from backcast.marketdata.v1.market_data_service_pb2_grpc import MarketDataServiceAsyncStub


def trades(tab: Tab) -> Locator:
    """Return the drawn rows of the list of trades."""
    return tab.page.get_by_role("grid", name="Trades").locator(".grid-row:not(.grid-head)")


async def test_a_row_of_a_run_opens_its_crypto_and_leads_back(tab: Tab, cryptos: list[str]) -> None:
    await tab.run(cryptos[:3], **BACKTEST)
    await tab.until_done(3)
    row = tab.rows.filter(has_text=cryptos[1])
    figures = await row.inner_text()
    await row.click()
    await until_drawn(tab)
    await expect(tab.page.get_by_role("heading", level=1)).to_have_text(cryptos[1])
    total_return = await tab.page.locator(".key-figures dd").first.inner_text()
    assert total_return in figures
    await tab.page.get_by_role("link", name="Back to the run").click()
    await tab.until_rows(3)


async def test_a_crypto_keeps_the_cryptos_of_its_run(tab: Tab, cryptos: list[str]) -> None:
    chosen = tab.page.get_by_role("list", name="Chosen cryptos").get_by_role("button", name="Remove")
    await tab.run(cryptos[:3], exclude=cryptos[1], **BACKTEST)
    await tab.until_done(2)
    await tab.rows.first.click()
    await tab.page.get_by_role("link", name="Back to the run").click()
    await expect(chosen).to_have_count(3)
    await expect(tab.page).to_have_url(re.compile(f"exclude={cryptos[1]}"))
    await tab.page.go_back()
    await tab.button("As rules").click()
    await expect(tab.page.get_by_label("Buy")).to_have_value(re.compile("sma"))
    await expect(chosen).to_have_count(3)
    await expect(tab.page).to_have_url(re.compile(f"exclude={cryptos[1]}"))


async def test_a_click_in_the_list_moves_the_chart_and_marks_the_trade(
    tab: Tab, crypto: str, gateway: "BacktestServiceAsyncStub"
) -> None:
    # One near the end, which is not in the table of a chart that has not moved.
    found = (await result_of(gateway, crypto)).trades
    trade = found[-5]
    entry = written(trade.entry_time.seconds)
    await tab.button("Entry (UTC)").click()
    await trades(tab).filter(has_text=entry).first.click()
    await expect(tab.page).to_have_url(re.compile(f"trade={len(found) - 4}"))
    await expect(tab.says(re.compile(f"^Trade {len(found) - 4} of .*from {entry}"))).to_be_visible()
    await tab.button("Show as a table").click()
    table = tab.page.get_by_role("region", name=re.compile("as a table"))
    moment = f"{datetime.fromtimestamp(trade.entry_time.seconds, UTC):%Y-%m-%d %H:%M}"
    await expect(table.get_by_role("rowheader", name=moment)).to_have_count(1)
    assert await table.get_by_role("row").count() < HOURS / 4


async def test_a_click_in_the_chart_selects_the_trade_in_the_list(
    tab: Tab, crypto: str, gateway: "BacktestServiceAsyncStub"
) -> None:
    result = await result_of(gateway, crypto)
    times = list(result.equity_curve.open_time_s)
    index = max(range(len(result.trades)), key=lambda number: result.trades[number].held_candles)
    trade = result.trades[index]
    middle = times.index(trade.entry_time.seconds) + trade.held_candles // 2
    frame = tab.page.locator(".chart-frame")
    await frame.press("0")
    pane = tab.page.locator(".chart-host td:nth-child(2) canvas").first
    await pane.scroll_into_view_if_needed()
    box = await pane.bounding_box()
    assert box is not None
    across = box["width"] * (middle + 0.5) / len(times)
    await tab.page.mouse.click(box["x"] + across, box["y"] + box["height"] / 2)
    await expect(tab.says(re.compile(f"^Trade {index + 1} of "))).to_be_visible()
    selected = tab.page.locator(".grid-row[aria-selected=true]")
    await expect(selected).to_contain_text(written(trade.entry_time.seconds))


async def test_the_address_restores_the_selected_trade_and_the_order(tab: Tab, crypto: str) -> None:
    await tab.button("Return").click()
    await tab.button("Return").click()
    await trades(tab).first.click()
    best = await trades(tab).first.inner_text()
    sentence = await tab.says(re.compile("^Trade .* of ")).inner_text()
    await tab.page.reload()
    await until_drawn(tab)
    assert await trades(tab).first.inner_text() == best
    await expect(tab.says(sentence)).to_be_visible()


async def test_the_trades_are_saved_with_all_their_digits(
    tab: Tab, crypto: str, gateway: "BacktestServiceAsyncStub", tmp_path: Path
) -> None:
    result = await result_of(gateway, crypto)
    rows = await saved(tab, "Trades as CSV", tmp_path)
    assert [float(row["profit"]) for row in rows] == [trade.profit for trade in result.trades]
    assert [datetime.fromisoformat(row["entry_time"]).timestamp() for row in rows] == [
        trade.entry_time.seconds for trade in result.trades
    ]


async def test_the_series_of_the_strategy_are_in_the_chart(tab: Tab, crypto: str) -> None:
    legend = tab.page.locator(".chart-legend")
    await expect(legend.first).to_contain_text("SMA 5")
    await expect(legend.first).to_contain_text("SMA 20")
    # Below the candles: the equity beside holding, then the drawdown.
    await expect(legend.filter(has_text="buy and hold")).to_contain_text("equity")
    await expect(legend.filter(has_text="drawdown")).to_have_count(1)
    await expect(tab.says("Charts by TradingView Lightweight Charts")).to_be_visible()
    await tab.show("/crypto", symbol=crypto, strategy="rsi")
    await until_drawn(tab)
    await expect(legend.nth(1)).to_contain_text("RSI 14")


async def test_missing_candles_and_breaks_are_shown(tab: Tab, odd_cryptos: None) -> None:
    data = tab.page.get_by_role("region", name="Data")
    await tab.show("/crypto", symbol=WITH_GAP, **BACKTEST)
    await expect(data).to_contain_text("12 of 2,400 candles are missing (0.5 %)")
    await expect(data).to_contain_text("the longest gap has 12 candles")
    await tab.show("/crypto", symbol=WITH_BREAK, breaks="split", **BACKTEST)
    await expect(data).to_contain_text("The history breaks once")
    await expect(data.locator("tbody tr")).to_have_count(2)


async def test_a_definition_is_at_hand(tab: Tab, crypto: str) -> None:
    definition = tab.says(re.compile("Mean over standard deviation of the candles' returns"))
    await expect(definition).to_be_hidden()
    await tab.page.locator(".all-figures summary", has_text="Sharpe ratio").click()
    await expect(definition).to_be_visible()


async def test_a_run_without_look_ahead_is_verified(tab: Tab, crypto: str) -> None:
    await tab.button("Verify for look-ahead").click()
    await expect(tab.says(re.compile("No look-ahead"))).to_be_visible()
    await expect(
        tab.says(re.compile("16 shorter histories .* 8 with fills as requested, 8 with"))
    ).to_be_visible()


@pytest.mark.parametrize("what", ["equity", "entry price of a trade"])
async def test_a_result_that_knows_the_future_is_reported(tab: Tab, crypto: str, what: str) -> None:
    shorter, changed_s = 0, 0

    async def change_shorter(route: Route) -> None:
        nonlocal shorter, changed_s
        answer = await route.fetch()
        body = await answer.body()
        # gRPC-Web: one byte of flags and four of length before the message, and before the trailers after it.
        end = 5 + int.from_bytes(body[1:5])
        response = pb.RunBacktestResponse.FromString(body[5:end])
        if response.request.spec.end_time.seconds < START_S + 3600 * HOURS:
            shorter += 1
            if shorter == 3 and what == "equity":
                response.result.equity_curve.equity[100] += 1e-9
                changed_s = START_S + 3600 * 100
            elif shorter == 3:
                response.result.trades[1].entry_price += 1e-9
                changed_s = response.result.trades[1].entry_time.seconds
        message = response.SerializeToString()
        framed = body[:1] + len(message).to_bytes(4) + message + body[end:]
        await route.fulfill(response=answer, body=framed)

    await tab.page.route("**/RunBacktest", change_shorter)
    await tab.button("Verify for look-ahead").click()
    await expect(tab.says("This run knows the future.")).to_be_visible()
    await expect(tab.says(re.compile("1 of 16 shorter histories differ"))).to_be_visible()
    row = tab.page.get_by_role("region", name="Look-ahead", exact=True).locator("tbody tr")
    await expect(row).to_contain_text(written(changed_s))
    await expect(row).to_contain_text(what)


async def test_a_strategy_becomes_rules_of_the_view_run(tab: Tab, crypto: str) -> None:
    await tab.button("As rules").click()
    await expect(tab.page).to_have_url(re.compile(r"/\?.*strategy=rules"))
    await expect(tab.page.get_by_label("Buy")).to_have_value(re.compile("sma"))


async def test_sweep_this_opens_the_sweep_of_the_crypto_with_its_parameters(tab: Tab, crypto: str) -> None:
    await tab.page.get_by_role("link", name="Sweep this").click()
    await expect(tab.page.get_by_role("heading", level=1, name="Sweep")).to_be_focused()
    await expect(tab.page.get_by_label("fast", exact=True)).to_have_value("5")
    await tab.page.get_by_label("slow", exact=True).fill("20..30:5")
    await expect(tab.says("3 combinations on 1 crypto: 3 trials.")).to_be_visible()
    await tab.button("Sweep").click()
    await expect(tab.page.locator("#combinations")).to_have_text("3 combinations")
    await expect(tab.page.locator("#map")).to_have_text("Median over the cryptos")
    await expect(tab.page.locator(".best-trials tbody tr").first).to_contain_text(crypto)


async def test_rules_are_swept_from_their_crypto_once_a_number_has_a_name(
    tab: Tab, cryptos: list[str]
) -> None:
    await tab.show("/crypto", symbol=cryptos[0], strategy="rules", entry="rsi(7) < 30", exit="rsi(7) > 70")
    await until_drawn(tab)
    await tab.page.get_by_role("link", name="Sweep this").click()
    await expect(tab.page.get_by_label("Sell when")).to_have_value("rsi(7) > 70")
    await tab.page.get_by_label("Buy when").fill("rsi(7) < {low}")
    await tab.page.get_by_label("{low}", exact=True).fill("25,30")
    await expect(tab.says("2 combinations on 1 crypto: 2 trials.")).to_be_visible()


async def test_what_an_address_names_is_text_and_never_html(tab: Tab) -> None:
    html = "<img src=/icon.svg>"
    await tab.show("/crypto", symbol=html, **BACKTEST)
    await expect(tab.page.get_by_role("heading", level=1)).to_have_text(html, ignore_case=True)
    await expect(tab.page.get_by_role("alert")).to_be_visible()
    await expect(tab.page.locator("main img")).to_have_count(0)
    await tab.show("/", strategy="rules", entry=html, filter=html, symbols=html)
    await expect(tab.page.locator(".rule-marks mark")).to_be_visible()
    await expect(tab.page.locator("main img")).to_have_count(0)


async def test_a_crypto_without_candles_is_a_sentence(tab: Tab) -> None:
    await tab.show("/crypto", symbol="NOBODYUSDT", **BACKTEST)
    await expect(tab.page.get_by_role("alert")).to_contain_text("NOBODYUSDT")


# Charts write their labels into a canvas.
KEEP_LABELS = """
  window.labels = new Set();
  const fillText = CanvasRenderingContext2D.prototype.fillText;
  CanvasRenderingContext2D.prototype.fillText = function (text, ...where) {
    labels.add(text);
    return fillText.call(this, text, ...where);
  };
"""


async def test_the_smallest_prices_have_their_digits_and_an_axis_with_labels(
    tab: Tab, data_service: "MarketDataServiceAsyncStub"
) -> None:
    candles = random_candles(73, HOURS)
    columns = {name: getattr(candles, name) * 1e-14 for name in ("open", "high", "low", "close")}
    tiny = Candles(open_time_s=candles.open_time_s, volume=candles.volume, **columns)
    await import_candles(data_service, "TINYUSDT", tiny)
    await tab.page.add_init_script(KEEP_LABELS)
    await tab.show("/crypto", symbol="TINYUSDT", **BACKTEST)
    await until_drawn(tab)

    async def has_labels() -> bool:
        labels: list[str] = await tab.page.evaluate("[...labels]")
        # The last price has a label of its own.
        return len([label for label in labels if label.startswith("0.00000000000")]) > 2

    await waiting.until(has_labels)
    await tab.button("Show as a table").first.click()
    row = tab.page.locator(".chart-table tbody tr").first.locator("td")
    shown = [float(text) for text in (await row.all_inner_texts())[:4]]
    assert shown == [float(f"{column[0]:.6g}") for column in columns.values()]


async def test_a_chart_says_one_candle_of_one_candle(tab: Tab, cryptos: list[str]) -> None:
    window = {"start": "2024-01-01", "end": "2024-01-01 01:00"}
    await tab.show("/crypto", symbol=cryptos[0], strategy="buy_and_hold", **window)
    await until_drawn(tab)
    await expect(tab.says(re.compile("^1 candle: the price went from .*[.] 0 trades, "))).to_have_count(1)


async def test_a_long_name_does_not_widen_the_page_of_a_phone(tab: Tab) -> None:
    await tab.page.set_viewport_size({"width": 390, "height": 844})
    await tab.show("/crypto", symbol="W" * 300, **BACKTEST)
    await expect(tab.page.get_by_role("heading", name="W" * 300)).to_be_visible()
    await expect(tab.page.get_by_role("alert")).to_be_visible()
    assert await tab.page.evaluate("document.documentElement.scrollWidth") <= 390
