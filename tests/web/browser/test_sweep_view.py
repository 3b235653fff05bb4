"""The view Sweep: the map, the table, the verdict, the walk-forward, and a sweep that is cancelled."""

import re
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from google.protobuf.struct_pb2 import Value
from playwright.async_api import expect

from backcast.backtest.v1.backtest_spec_pb2 import BacktestSpec
from backcast.backtest.v1.strategy_pb2 import Strategy
from backcast.backtest.v1.sweep_pb2 import ParameterRange
from backcast.gateway.v1 import backtest_service_pb2 as pb
from backcast.gateway.v1.sweep_pb2 import SweepRow
from backcast_engine.candles import Candles
from services.local.stack import LocalStack
from tests.candle_making import import_candles, random_candles
from tests.end_to_end.processes import workers_held
from tests.web.browser.tab import Tab, calls_of
from tests.web.browser.test_accessibility import serious

if TYPE_CHECKING:
    from backcast.gateway.v1.backtest_service_pb2_grpc import BacktestServiceAsyncStub
    from backcast.marketdata.v1.market_data_service_pb2_grpc import MarketDataServiceAsyncStub

RANGES = {"fast": [5, 10], "slow": [20, 30, 40]}
# That of the candles: a year would have none in its first part.
WINDOW = {"start": "2024-01-01", "end": "2024-04-10"}
TYPED = {"p.fast": "5,10", "p.slow": "20..40:10"}


async def swept(tab: Tab, symbols: list[str], **query: str) -> None:
    """Sweep ma_cross, and wait until the sweep has completed."""
    await begun(tab, symbols, **query)
    await expect(tab.page.locator(".combinations .grid")).to_be_visible()


async def begun(tab: Tab, symbols: list[str], **query: str) -> None:
    await tab.show("/sweep", **{"strategy": "ma_cross", "symbols": ",".join(symbols), **TYPED, **query})
    await tab.button("Sweep").click()


async def expected_rows(
    gateway: "BacktestServiceAsyncStub", symbols: list[str]
) -> dict[tuple[int, int], SweepRow]:
    """Return the rows that the gateway has, by the values of both parameters."""
    request = pb.SweepBacktestsRequest(
        symbols=symbols,
        spec=BacktestSpec(strategy=Strategy(ma_cross={})),
        ranges=[
            ParameterRange(name=name, values=[Value(number_value=value) for value in values])
            for name, values in RANGES.items()
        ],
    )
    rows = [row async for event in gateway.SweepBacktests(request) for row in event.rows.rows]
    return {(row.strategy.ma_cross.fast, row.strategy.ma_cross.slow): row for row in rows}


async def test_a_cell_of_the_heat_map_has_the_median_of_its_combination(
    tab: Tab, gateway: "BacktestServiceAsyncStub", cryptos: list[str]
) -> None:
    await swept(tab, cryptos[:5])
    rows = await expected_rows(gateway, cryptos[:5])
    assert len(rows) == 6
    shown_value = tab.page.locator(".heat-map-value")
    await tab.page.get_by_role("application").focus()
    # To the corner, from wherever the best one is.
    for key in ("ArrowLeft", "ArrowDown", "ArrowDown"):
        await tab.page.keyboard.press(key)
    await expect(shown_value).to_have_text(words(rows[5, 20], 5, 20))
    for key in ("ArrowRight", "ArrowUp", "ArrowUp"):
        await tab.page.keyboard.press(key)
    await expect(shown_value).to_have_text(words(rows[10, 40], 10, 40))
    await tab.page.keyboard.press("ArrowDown")
    await expect(shown_value).to_have_text(words(rows[10, 30], 10, 30))
    await tab.page.keyboard.press("ArrowUp")
    await tab.page.keyboard.press("Enter")
    await expect(tab.page.locator(".sweep-picked")).to_contain_text("fast 10, slow 40")
    await tab.page.get_by_label("Across").select_option("slow")
    await expect(tab.page.get_by_role("application")).to_have_accessible_name(
        re.compile("^Sharpe ratio by slow and fast, 6 values")
    )


async def test_combinations_are_listed_best_first(
    tab: Tab, gateway: "BacktestServiceAsyncStub", cryptos: list[str]
) -> None:
    await swept(tab, cryptos[:5])
    rows = await expected_rows(gateway, cryptos[:5])
    listed = tab.page.locator(".combinations .grid-row:not(.grid-head)")
    shown = [(await row.get_by_role("gridcell").all_inner_texts())[:2] for row in await listed.all()]
    best_first = sorted(rows, key=lambda values: -rows[values].train.median.sharpe_ratio)
    assert shown == [[str(fast), str(slow)] for fast, slow in best_first]


async def test_the_heat_map_of_one_crypto_has_its_own_figures(
    tab: Tab, gateway: "BacktestServiceAsyncStub", cryptos: list[str]
) -> None:
    await swept(tab, cryptos[:5])
    await tab.page.get_by_label("Of", exact=True).select_option(cryptos[3])
    await expect(tab.page.get_by_role("heading", level=2, name=cryptos[3])).to_be_visible()
    request = pb.RunBacktestRequest(symbol=cryptos[3])
    shown_value = tab.page.locator(".heat-map-value")
    await tab.page.get_by_role("application").focus()
    for key, fast, slow in (("ArrowLeft", 5, 20), ("ArrowRight", 10, 40)):
        for step in (key, *2 * ["ArrowDown" if slow == 20 else "ArrowUp"]):
            await tab.page.keyboard.press(step)
        request.spec.strategy.ma_cross.fast, request.spec.strategy.ma_cross.slow = fast, slow
        sharpe = (await gateway.RunBacktest(request)).result.metrics.sharpe_ratio
        shown = f"{sharpe:.2f}".replace("-", "−")
        await expect(shown_value).to_have_text(f"fast {fast}, slow {slow}: Sharpe ratio {shown}")
    await tab.page.reload()
    await expect(tab.page.get_by_role("heading", level=2, name=cryptos[3])).to_be_visible()


async def test_the_map_shows_any_two_parameters_and_any_metric_with_train_beside_test(
    tab: Tab, gateway: "BacktestServiceAsyncStub", cryptos: list[str]
) -> None:
    values = {"fast": [6, 8], "slow": [20, 24], "signal": [5, 7]}
    typed = {f"p.{name}": ",".join(map(str, numbers)) for name, numbers in values.items()}
    await tab.show("/sweep", strategy="macd", symbols=",".join(cryptos[:3]), split="60%", **typed, **WINDOW)
    await tab.button("Sweep").click()
    await expect(tab.page.locator("#combinations")).to_have_text("8 combinations")
    await tab.page.get_by_label("Across").select_option("signal")
    await tab.page.get_by_label("Upwards").select_option("fast")
    await tab.page.get_by_label("With slow", exact=True).select_option("24")
    await tab.page.locator(".sweep-choices").get_by_label("Metric").select_option("max_drawdown")
    request = pb.SweepBacktestsRequest(
        symbols=cryptos[:3],
        split=0.6,
        spec=BacktestSpec(strategy=Strategy(macd={})),
        ranges=[
            ParameterRange(name=name, values=[Value(number_value=value) for value in numbers])
            for name, numbers in values.items()
        ],
    )
    request.spec.start_time.FromJsonString("2024-01-01T00:00:00Z")
    request.spec.end_time.FromJsonString("2024-04-10T00:00:00Z")
    rows = [row async for event in gateway.SweepBacktests(request) for row in event.rows.rows]
    by_values = {
        (row.strategy.macd.fast, row.strategy.macd.slow, row.strategy.macd.signal): row for row in rows
    }
    maps = tab.page.locator(".sweep-maps > div")
    await expect(maps.locator("h3")).to_have_text(["Train", "Test"])
    for part, name in enumerate(("train", "test")):
        shown = maps.nth(part)
        await shown.get_by_role("application").focus()
        for keys, signal, fast in ((("ArrowLeft", "ArrowDown"), 5, 6), (("ArrowRight", "ArrowUp"), 7, 8)):
            for key in keys:
                await tab.page.keyboard.press(key)
            value = getattr(by_values[fast, 24, signal], name).median.max_drawdown
            await expect(shown.locator(".heat-map-value")).to_have_text(
                f"signal {signal}, fast {fast}: maximum drawdown {100 * value:.1f} %"
            )


def words(row: SweepRow, fast: int, slow: int) -> str:
    sharpe = f"{row.train.median.sharpe_ratio:.2f}".replace("-", "−")
    return f"fast {fast}, slow {slow}: Sharpe ratio {sharpe}"


async def test_cancelling_a_sweep_ends_it_for_the_gateway_too(
    tab: Tab, stack: LocalStack, cryptos: list[str]
) -> None:
    async with workers_held(stack):
        await begun(tab, cryptos, **{"p.fast": "11..18", "p.slow": "44,55"})
        await expect(tab.progress).to_have_text("0 of 384")
        await tab.button("Cancel").click()
        await expect(tab.says(re.compile("The sweep was cancelled"))).to_be_visible()
        assert "run=" not in tab.page.url
        await tab.page.get_by_role("link", name="Runs", exact=True).click()
        await expect(tab.says(re.compile("^0 runs under way"))).to_be_visible()


async def test_a_row_of_the_table_opens_its_combination_in_the_view_run(tab: Tab, cryptos: list[str]) -> None:
    await swept(tab, cryptos[:3], fee="0.2%")
    best = tab.page.locator(".combinations .grid-row:not(.grid-head)").first
    fast, slow = (await best.get_by_role("gridcell").all_inner_texts())[:2]
    await best.click()
    await expect(tab.page.get_by_label("fast", exact=True)).to_have_value(fast)
    await expect(tab.page.get_by_label("slow", exact=True)).to_have_value(slow)
    assert "fee=0.2" in tab.page.url
    await tab.button("Run").click()
    await tab.until_done(3)
    await tab.page.go_back()
    await tab.page.go_back()
    await expect(tab.page.locator(".combinations .grid")).to_be_visible()


async def test_a_reload_shows_the_same_sweep_again(tab: Tab, cryptos: list[str]) -> None:
    await swept(tab, cryptos[:3], split="60%", **WINDOW)
    await expect(tab.page.get_by_role("application")).to_have_count(2)
    sentence = await tab.page.locator("#verdict + p").inner_text()
    assert "in the test part" in sentence
    await tab.page.reload()
    await expect(tab.page.locator("#verdict + p")).to_have_text(sentence)
    await expect(tab.says("36 from the cache")).to_be_visible()


async def test_the_heat_map_of_one_parameter_names_no_second_one(tab: Tab, cryptos: list[str]) -> None:
    await swept(tab, cryptos[:2], **{"p.fast": "5,10", "p.slow": "40"})
    await expect(tab.page.locator(".heat-map-value")).to_have_text(
        re.compile(r"^fast (5|10): Sharpe ratio \S+")
    )
    await expect(tab.page.get_by_role("application")).to_have_accessible_name(
        re.compile(r"^Sharpe ratio by fast, 2 values\. The best is \S+ at fast (5|10)\. ")
    )


async def test_a_range_may_be_written_with_exponents(tab: Tab, cryptos: list[str]) -> None:
    query = {"strategy": "supertrend", "symbols": cryptos[0], "p.multiple": "1e0..2e0:2.5e-1"}
    await tab.show("/sweep", **query)
    await expect(tab.says("5 combinations on 1 crypto: 5 trials.")).to_be_visible()
    field = tab.page.get_by_label("multiple", exact=True)
    await field.fill("1..2:1e-13")
    await expect(tab.says("The step must be at least 1e-12.")).to_be_visible()
    await field.fill("100e-2..25e-1:50e-2")
    await tab.button("Sweep").click()
    rows = tab.page.locator(".combinations .grid-row:not(.grid-head)")
    await expect(rows).to_have_count(4)
    multiples = await rows.locator("xpath=./div[1]").all_inner_texts()
    assert sorted(multiples) == ["1", "1.5", "2", "2.5"]


async def test_an_address_that_picks_no_combination_shows_the_best_one(tab: Tab, cryptos: list[str]) -> None:
    picked = tab.page.locator(".sweep-picked")
    await swept(tab, cryptos[:2])
    best = await picked.text_content()
    assert best is not None and best.startswith("Best combination: fast ")
    for pick in ("-1", "1.5", "6"):
        await tab.page.goto(f"{tab.page.url.partition('&pick=')[0]}&pick={pick}")
        await expect(picked).to_have_text(best)


async def test_a_link_starts_no_sweep_before_a_button_is_pressed(tab: Tab, cryptos: list[str]) -> None:
    started = calls_of(tab, "SweepBacktests")
    sweep = {"strategy": "ma_cross", "symbols": ",".join(cryptos[:2]), **TYPED}
    await tab.show("/sweep", **sweep, run="somebody-elses")
    await expect(tab.says("A link does not start a sweep by itself.")).to_be_visible()
    await expect(tab.says("6 combinations on 2 cryptos: 12 trials.")).to_be_visible()
    # Leaving the view and coming back asks for nothing either.
    await tab.page.get_by_role("link", name="Run", exact=True).click()
    await tab.page.get_by_role("link", name="Sweep", exact=True).click()
    await expect(tab.button("Run this")).to_be_visible()
    assert started == []
    await tab.button("Run this").click()
    await expect(tab.page.locator("#combinations")).to_have_text("6 combinations")


async def test_back_leads_through_the_sweeps_with_the_fields_of_each(tab: Tab, cryptos: list[str]) -> None:
    fast = tab.page.get_by_label("fast", exact=True)
    combinations = tab.page.locator("#combinations")
    edited = tab.says("Fields were changed since. Press Sweep for results of what they say now.")
    await swept(tab, cryptos[:2])
    await expect(combinations).to_have_text("6 combinations")
    await fast.fill("5,10,15")
    await expect(edited).to_be_visible()
    await expect(combinations).to_have_text("6 combinations")
    assert "run=" not in tab.page.url
    for values in ("5,10,15", "5"):
        await fast.fill(values)
        await tab.button("Sweep").click()
        await expect(combinations).to_have_text(f"{3 * len(values.split(','))} combinations")
        await expect(edited).to_have_count(0)
    for values in ("5,10,15", "5,10"):
        await tab.page.go_back()
        await expect(fast).to_have_value(values)
        await expect(combinations).to_have_text(f"{3 * len(values.split(','))} combinations")


async def test_a_winner_without_a_result_in_the_test_part_is_named(
    tab: Tab, data_service: "MarketDataServiceAsyncStub"
) -> None:
    # What is not traded any more by the second half of the window.
    await import_candles(data_service, "ENDEDUSDT", random_candles(77, 24 * 20))
    await import_candles(data_service, "FALLINGUSDT", falling(24 * 60))
    await swept(tab, ["ENDEDUSDT", "FALLINGUSDT"], split="50%", start="2024-01-01", end="2024-03-01")
    await expect(tab.says("ENDEDUSDT, the winner, has no result in the test part.")).to_be_visible()


def falling(count: int) -> Candles:
    """Return candles whose every price is below the one before: no combination ever buys."""
    close = 100 * 0.999 ** np.arange(count)
    return replace(random_candles(0, count), open=close, high=close, low=close, close=close)


async def test_a_walk_forward_shows_its_folds_and_the_curve_out_of_sample(
    tab: Tab, cryptos: list[str]
) -> None:
    await swept(tab, cryptos[:3], folds="3", **WINDOW)
    table = tab.page.get_by_role("table").filter(has_text="Tested on")
    await expect(table.locator("tbody tr")).to_have_count(4)
    await expect(tab.page.get_by_role("heading", name="Walk-forward of 3 folds", exact=True)).to_be_visible()
    await tab.page.get_by_label("Out of sample", exact=True).select_option(cryptos[1])
    await expect(tab.page.locator(".chart")).to_contain_text(cryptos[1])
    assert await serious(tab) == []
    window = await table.locator("tbody tr").first.locator("td").nth(1).inner_text()
    await table.locator("tbody a").first.click()
    start, end = window.split(" to ")
    await expect(tab.page.get_by_label("From")).to_have_value(start)
    await expect(tab.page.get_by_label("Until")).to_have_value(end)


async def test_a_range_that_is_none_is_named_at_its_field(tab: Tab, cryptos: list[str]) -> None:
    await begun(tab, cryptos[:1], **{"p.fast": "0..5"})
    field = tab.page.get_by_label("fast", exact=True)
    await expect(field).to_have_attribute("aria-invalid", "true")
    await expect(tab.says(re.compile("^0 is not a whole number from"))).to_be_visible()
    await field.fill("9..5")
    await expect(tab.says("9..5 goes from the greater to the smaller number.")).to_be_visible()
    await field.fill("")
    await tab.page.get_by_label("slow", exact=True).fill("50")
    await tab.button("Sweep").click()
    await expect(tab.says(re.compile("^Give at least one parameter several values"))).to_be_visible()
    assert "run=" not in tab.page.url
