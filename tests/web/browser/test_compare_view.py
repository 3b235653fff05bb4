"""The view Compare: what two runs differ in."""

import re
from typing import TYPE_CHECKING

from playwright.async_api import expect

from backcast.backtest.v1.backtest_spec_pb2 import BacktestSpec
from backcast.backtest.v1.strategy_pb2 import Strategy
from backcast.gateway.v1 import backtest_service_pb2 as pb
from tests.candle_making import events_of
from tests.web.browser.tab import Tab

if TYPE_CHECKING:
    from backcast.gateway.v1.backtest_service_pb2_grpc import BacktestServiceAsyncStub


async def test_two_runs_are_compared_crypto_by_crypto(
    tab: Tab, gateway: "BacktestServiceAsyncStub", cryptos: list[str]
) -> None:
    symbols = cryptos[:6]
    await tab.run(symbols, **{"p.fast": "10", "p.slow": "40"})
    await tab.until_done(6)
    first = tab.page.url
    await tab.run(symbols, strategy="rsi")
    await tab.until_done(6)
    second = re.search("run=([^&]+)", tab.page.url).group(1)  # type: ignore[union-attr]  # it is there

    await tab.show("/compare")
    field = tab.page.get_by_label("or an address of the view Run")
    for pasted in (first, second):
        await field.fill(pasted)
        await tab.button("Add").click()
    await expect(tab.page.locator(".compare-metrics")).to_be_visible()
    # Who names a run by its id alone gets a link that lasts.
    await expect(tab.page).to_have_url(re.compile("r2=strategy%3Drsi"))

    a = await returns(gateway, symbols, Strategy(ma_cross={"fast": 10, "slow": 40}))
    b = await returns(gateway, symbols, Strategy(rsi={}))
    best_first = sorted(symbols, key=lambda symbol: a[symbol] - b[symbol])
    rows = tab.page.locator(".differences .grid-row:not(.grid-head)")
    await expect(rows).to_have_count(6)
    for index, symbol in enumerate(best_first):
        cells = await rows.nth(index).get_by_role("gridcell").all_inner_texts()
        figures = (a[symbol], b[symbol], b[symbol] - a[symbol])
        assert cells == [symbol, *map(percent, figures)]
    better = sum(b[symbol] > a[symbol] for symbol in symbols)
    await expect(tab.says(re.compile("B is better than A"))).to_contain_text(f"{better} of 6 cryptos")

    await rows.nth(2).click()
    await expect(tab.page.get_by_role("heading", name=f"Equity of {best_first[2]}")).to_be_visible()
    chart = tab.page.locator(".chart")
    await expect(chart).to_contain_text("A: ma_cross, fast 10, slow 40")
    await expect(chart).to_contain_text("B: rsi")

    await tab.page.reload()
    await expect(rows).to_have_count(6)
    await tab.button("Remove the run A").click()
    await expect(rows).to_have_count(0)
    await expect(tab.says("Add another run to compare it with.")).to_be_visible()


async def test_runs_of_different_windows_are_said_to_differ(tab: Tab, cryptos: list[str]) -> None:
    backtest = f"strategy=rsi&symbols={cryptos[0]}"
    await tab.show("/compare", r1=backtest, r2=f"{backtest}&end=2024-03-01")
    await expect(tab.says(re.compile("The runs have different windows"))).to_be_visible()


async def test_an_address_that_is_no_backtest_is_said_to_be_none(tab: Tab, cryptos: list[str]) -> None:
    await tab.show("/compare", r1="strategy=nothing_like_it", r2=f"strategy=rsi&symbols={cryptos[0]}")
    await expect(tab.says(re.compile("There is no strategy nothing_like_it"))).to_be_visible()


async def returns(
    gateway: "BacktestServiceAsyncStub", symbols: list[str], strategy: Strategy
) -> dict[str, float]:
    request = pb.RunBacktestsRequest(symbols=symbols, spec=BacktestSpec(strategy=strategy))
    results = [event.result async for event in events_of(gateway, request) if event.HasField("result")]
    return {result.symbol: result.metrics.total_return for result in results}


def percent(value: float) -> str:
    """Return a fraction as the page shows it."""
    digits = f"{100 * value:.1f}"
    return f"{'+' if float(digits) > 0 else ''}{digits.replace('-', '−')} %"
