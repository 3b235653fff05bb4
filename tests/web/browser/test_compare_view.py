"""The view Compare: runs side by side, their figures, curves and differences."""

import re
import statistics
from typing import TYPE_CHECKING
from urllib.parse import urlencode

import pytest
from playwright.async_api import Locator, expect

from backcast.gateway.v1 import backtest_service_pb2 as pb
from tests.web.browser.tab import Tab, calls_of

if TYPE_CHECKING:
    from backcast.gateway.v1.backtest_service_pb2_grpc import BacktestServiceAsyncStub

WINDOW = {"start": "2024-01-01", "end": "2024-04-10"}
FAST, SLOW = "5", "25"
COUNT = 4


def side(cryptos: list[str], **query: str) -> str:
    """Return a run as the address of the view has it."""
    return urlencode({"symbols": ",".join(cryptos[:COUNT]), **WINDOW, **query})


@pytest.fixture
async def compared(tab: Tab, cryptos: list[str]) -> Tab:
    """The view with two runs."""
    crossing = side(cryptos, **{"strategy": "ma_cross", "p.fast": FAST, "p.slow": SLOW})
    await tab.show("/compare", a=crossing, b=side(cryptos, strategy="rsi"))
    await tab.button("Run this").click()
    await expect(figure(tab, "total return", 1)).to_be_visible()
    return tab


async def add(tab: Tab, *sides: str) -> None:
    """Add runs to the view by pasting them."""
    field = tab.page.get_by_label("Or paste an address")
    for pasted in sides:
        await field.fill(pasted)
        await tab.button("Add the pasted run").click()
        await expect(field).to_have_value("")


def figure(tab: Tab, metric: str, run: int) -> Locator:
    """Return the cell of a metric and a run, counted from 0."""
    row = tab.page.locator(".compare-figures tbody tr").filter(
        has=tab.page.get_by_role("rowheader", name=metric, exact=True)
    )
    return row.locator("td").nth(run)


def cryptos_of(tab: Tab) -> Locator:
    """Return the drawn rows of the table of cryptos."""
    return tab.page.get_by_role("grid", name="Cryptos").locator(".grid-row:not(.grid-head)")


def signed(fraction: float) -> str:
    """Return a return as the page writes it."""
    return f"{100 * fraction:+.1f} %".replace("-", "−")


async def returns(gateway: "BacktestServiceAsyncStub", symbols: list[str], strategy: str) -> dict[str, float]:
    """Return the total return of each crypto, from the gateway itself."""
    request = pb.RunBacktestsRequest(symbols=symbols)
    if strategy == "rsi":
        request.spec.strategy.rsi.SetInParent()
    else:
        request.spec.strategy.ma_cross.fast, request.spec.strategy.ma_cross.slow = int(FAST), int(SLOW)
    request.spec.start_time.FromJsonString("2024-01-01T00:00:00Z")
    request.spec.end_time.FromJsonString("2024-04-10T00:00:00Z")
    events = [event async for event in gateway.RunBacktests(request)]
    found = {
        event.result.symbol: event.result.metrics.total_return
        for event in events
        if event.WhichOneof("event") == "result"
    }
    return found | {
        "median": events[-1].summary.median.total_return,
        "mean": events[-1].summary.mean.total_return,
    }


async def test_figures_of_the_runs_stand_side_by_side(
    compared: Tab, cryptos: list[str], gateway: "BacktestServiceAsyncStub"
) -> None:
    for over in ("median", "mean"):
        await compared.page.get_by_label("Over the cryptos", exact=True).select_option(over)
        for run, strategy in enumerate(("ma_cross", "rsi")):
            expected = (await returns(gateway, cryptos[:COUNT], strategy))[over]
            await expect(figure(compared, "total return", run)).to_contain_text(signed(expected))
    assert "over=mean" in compared.page.url


async def test_a_link_starts_no_runs_before_a_button_is_pressed(tab: Tab, cryptos: list[str]) -> None:
    started = calls_of(tab, "RunBacktests")
    first, second = side(cryptos, strategy="rsi"), side(cryptos, strategy="macd")
    await tab.show("/compare", a=first, b=second)
    await expect(tab.says("A link does not start runs by itself.")).to_be_visible()
    await tab.page.wait_for_load_state("networkidle")
    assert started == []
    await tab.button("Run this").click()
    await expect(cryptos_of(tab)).to_have_count(COUNT)
    await tab.page.reload()
    await expect(cryptos_of(tab)).to_have_count(COUNT)
    await expect(tab.button("Run this")).to_have_count(0)


async def test_the_mean_curve_ends_at_the_mean_return(
    compared: Tab, cryptos: list[str], gateway: "BacktestServiceAsyncStub"
) -> None:
    legend = compared.page.locator(".chart-legend").first
    await compared.button("Show as a table").click()
    heads = compared.page.locator(".chart-table thead th")
    assert (await heads.all_inner_texts())[1].startswith("A: ma_cross")
    for run, strategy in enumerate(("ma_cross", "rsi")):
        mean = (await returns(gateway, cryptos[:COUNT], strategy))["mean"]
        last = compared.page.locator(".chart-table tbody tr").last.locator("td").nth(run)
        # The last point is up to 5 hours before the end of the window.
        shown = float((await last.inner_text()).replace(",", ""))
        assert shown == pytest.approx(10_000 * (1 + mean), rel=0.02)
    await expect(legend).to_contain_text("B: rsi")


async def test_differences_stand_in_order_and_open_the_curves_of_a_crypto(
    compared: Tab, cryptos: list[str], gateway: "BacktestServiceAsyncStub"
) -> None:
    first = await returns(gateway, cryptos[:COUNT], "ma_cross")
    last = await returns(gateway, cryptos[:COUNT], "rsi")
    ordered = sorted(cryptos[:COUNT], key=lambda symbol: first[symbol] - last[symbol])
    rows = cryptos_of(compared)
    await expect(rows).to_have_count(COUNT)
    assert [text.split()[0] for text in await rows.all_inner_texts()] == ordered
    await expect(rows.first).to_contain_text(signed(last[ordered[0]] - first[ordered[0]]))
    await rows.first.click()
    await expect(compared.page.locator(".chart-host canvas").first).to_be_visible()
    await expect(compared.page.locator(".chart-legend").first).to_contain_text("A: ma_cross")
    await expect(figure(compared, "total return", 1)).to_contain_text(signed(last[ordered[0]]))
    await compared.page.reload()
    await expect(compared.page.get_by_role("heading", name=f"Equity of {ordered[0]}")).to_be_visible()


async def test_a_run_that_the_gateway_knows_is_added_and_removed(tab: Tab, cryptos: list[str]) -> None:
    await tab.run(cryptos[:COUNT], **{"strategy": "ma_cross", "p.fast": "9", "p.slow": "27", **WINDOW})
    await tab.until_done(COUNT)
    run_id = tab.run_id
    await tab.show("/compare", a=side(cryptos, strategy="rsi"))
    await tab.button("Run this").click()
    picker = tab.page.get_by_label("Run", exact=True)
    await expect(picker.locator(f"option[value='{run_id}']")).to_have_count(1)
    await picker.select_option(run_id)
    await tab.button("Add").click()
    await expect(figure(tab, "total return", 1)).to_be_visible()
    added = "ma_cross, fast 9, slow 27"
    await expect(tab.page.get_by_role("link", name=added)).to_be_visible()
    await expect(cryptos_of(tab)).to_have_count(COUNT)
    await tab.button("Remove rsi").click()
    await expect(tab.page).to_have_url(re.compile(r"compare\?a=strategy%3Dma_cross"))


@pytest.mark.parametrize(
    ("pasted", "sentence"),
    [
        ("http://somewhere/?x=1", "This names no run. Paste an address of the view Run, or the id of a run."),
        ("<img src=x>", "This names no run. Paste an address of the view Run, or the id of a run."),
        ("http://somewhere/sweep?strategy=rsi&p.period=5,7&run=x", "This is the address of a sweep."),
    ],
)
async def test_what_names_no_run_is_not_added(tab: Tab, pasted: str, sentence: str) -> None:
    await tab.show("/compare")
    await tab.page.get_by_label("Or paste an address").fill(pasted)
    await tab.button("Add the pasted run").click()
    await expect(tab.page.get_by_role("alert")).to_contain_text(sentence)
    await expect(tab.page.locator(".compare-sides li")).to_have_count(0)


async def test_a_run_is_added_by_its_address_and_by_its_id(
    tab: Tab, cryptos: list[str], gateway: "BacktestServiceAsyncStub"
) -> None:
    # Of an odd number of cryptos, a run is not better on as many as it is worse on.
    chosen = cryptos[:3]
    await tab.run(chosen, **{"strategy": "ma_cross", "p.fast": FAST, "p.slow": SLOW, **WINDOW})
    await tab.until_done(3)
    address = tab.page.url
    await tab.run(chosen, **{"strategy": "rsi", **WINDOW})
    await tab.until_done(3)
    run_id = tab.run_id
    assert run_id
    await tab.show("/compare")
    await add(tab, address, run_id)
    await expect(cryptos_of(tab)).to_have_count(3)
    first, last = [await returns(gateway, chosen, strategy) for strategy in ("ma_cross", "rsi")]
    better = sum(last[symbol] > first[symbol] for symbol in chosen)
    sentence = tab.says(re.compile("^In the total return, B is better than A on"))
    await expect(sentence).to_contain_text(f"on {better} of 3 cryptos that both have, worse on {3 - better};")
    _, median, _ = sorted(last[symbol] - first[symbol] for symbol in chosen)
    await expect(sentence).to_contain_text(f"the median one {signed(median)}.")


async def test_differences_have_a_mean_and_a_t_statistic(
    compared: Tab, cryptos: list[str], gateway: "BacktestServiceAsyncStub"
) -> None:
    first, last = [await returns(gateway, cryptos[:COUNT], strategy) for strategy in ("ma_cross", "rsi")]
    paired = [last[symbol] - first[symbol] for symbol in cryptos[:COUNT]]
    mean = statistics.mean(paired)
    t = f"{mean / (statistics.stdev(paired) / COUNT**0.5):.2f}".replace("-", "−")
    sentence = compared.says(re.compile("^In the total return, B is better than A on"))
    await expect(sentence).to_contain_text(f"the mean difference is {signed(mean)} (t = {t})")
    await expect(sentence).to_contain_text(f"the median one {signed(statistics.median(paired))}")


async def test_a_crypto_without_a_trade_counts_with_a_sharpe_ratio_of_0(tab: Tab, cryptos: list[str]) -> None:
    idle = side(cryptos, strategy="rules", entry="close > 1e12")
    await tab.show("/compare", a=side(cryptos, strategy="rsi"), b=idle, metric="sharpe_ratio")
    await tab.button("Run this").click()
    await expect(figure(tab, "Sharpe ratio", 1)).to_contain_text("0.00")
    sentence = tab.says(re.compile("^In the Sharpe ratio, B is better than A on"))
    await expect(sentence).to_contain_text(f"of {COUNT} cryptos that both have")


async def test_figures_are_those_of_the_cryptos_that_all_runs_have(
    tab: Tab, cryptos: list[str], gateway: "BacktestServiceAsyncStub"
) -> None:
    fewer = urlencode({"symbols": ",".join(cryptos[1:COUNT]), **WINDOW, "strategy": "macd"})
    await tab.show("/compare", a=side(cryptos, strategy="rsi"), b=fewer)
    await tab.button("Run this").click()
    notice = "Figures are those of the 3 cryptos that all runs have."
    await expect(tab.says(notice)).to_be_visible()
    expected = (await returns(gateway, cryptos[1:COUNT], "rsi"))["median"]
    await expect(figure(tab, "total return", 0)).to_contain_text(signed(expected))


async def test_six_runs_are_the_most_that_stand_side_by_side(tab: Tab, cryptos: list[str]) -> None:
    sides = [
        side(cryptos, **{"strategy": "ma_cross", "p.fast": FAST, "p.slow": str(slow)})
        for slow in range(20, 27)
    ]
    await tab.show("/compare")
    await add(tab, *sides[:5])
    await tab.page.get_by_label("Or paste an address").fill(sides[5])
    await tab.button("Add the pasted run").click()
    await expect(tab.says("Six runs are the most.")).to_be_visible()
    await expect(tab.page.get_by_label("Or paste an address")).to_have_count(0)
    for run in range(6):
        await expect(figure(tab, "total return", run)).to_be_visible()
    await expect(figure(tab, "total return", 6)).to_have_count(0)
    # One that is written into the address is not shown either.
    await tab.page.goto(f"{tab.page.url}&{urlencode({'g': sides[6]})}")
    await expect(figure(tab, "total return", 5)).to_be_visible()
    await expect(tab.page.locator(".compare-sides li")).to_have_count(6)
    await tab.button(f"Remove ma_cross, fast {FAST}, slow 20").click()
    await expect(tab.page.locator(".compare-sides li")).to_have_count(5)
    await expect(tab.page.get_by_label("Or paste an address")).to_be_visible()
