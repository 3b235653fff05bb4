"""The view Portfolio: one account, from its form to what each crypto did in it."""

import re

from playwright.async_api import Browser, Locator, expect

from backcast.backtest.v1 import portfolio_pb2
from backcast.gateway.v1 import portfolio_service_pb2 as pb
from backcast.gateway.v1.backtest_service_pb2 import ParseRulesRequest
from backcast.gateway.v1.backtest_service_pb2_grpc import BacktestServiceStub
from backcast.gateway.v1.run_service_pb2 import WatchRunRequest
from backcast.gateway.v1.run_service_pb2_grpc import RunServiceStub
from services.local.stack import LocalStack
from services.rpc.channel import open_channel
from tests.end_to_end.processes import workers_held
from tests.web.browser.portfolio import figure, problem, run, until_there
from tests.web.browser.tab import Tab, calls_of, opened

QUERY = {"strategy": "rsi", "p.period": "7", "positions": "3", "rank": "roc(48)"}
ACCOUNT = {**QUERY, "rebalance": "24", "threshold": "10%", "benchmark": "TAB02USDT"}


async def test_a_portfolio_shows_its_account_beside_holding_and_what_each_crypto_did(
    tab: Tab, stack: LocalStack, cryptos: list[str]
) -> None:
    await account(tab, cryptos, **ACCOUNT)
    result = await result_of(stack, cryptos)
    await expect(tab.page.get_by_role("heading", level=1)).to_contain_text(
        "rsi (period 7) in one account of 24 cryptos"
    )
    await expect(
        tab.says("3 places, equal shares, higher roc(48) first, rebalanced every 24 candles from 10.0 %")
    ).to_be_visible()
    figures = [result.metrics.total_return, result.hold.total_return, result.benchmark.metrics.total_return]
    await expect(figure(tab, "total return")).to_have_text([shown(value) for value in figures])
    await expect(figure(tab, "maximum drawdown").first).to_have_text(
        f"{100 * result.metrics.max_drawdown:.1f} %"
    )
    assert "TAB02USDT held" in await tab.page.locator(".account-figures thead").inner_text()
    await expect(
        tab.says(re.compile(f"Against TAB02USDT: .*beta {result.benchmark.beta:.2f}"))
    ).to_be_visible()
    no_place = sum(crypto.skipped.no_place for crypto in result.cryptos)
    await expect(tab.says(re.compile(rf"Skipped: {no_place:,} entries found no free place"))).to_be_visible()
    await expect(tab.page.get_by_role("heading", name=f"{len(result.trades):,} trades")).to_be_visible()
    ranked = sorted(result.cryptos, key=lambda crypto: -crypto.contribution)
    assert await column(tab, 0) == [crypto.symbol for crypto in ranked][: len(await column(tab, 0))]
    await tab.button("Turnover").click()
    most = max(result.cryptos, key=lambda crypto: crypto.turnover)
    await expect(cells(tab, 0).first).to_have_text(most.symbol)
    assert "sort=turnover" in tab.page.url
    await cells(tab, 0).first.click()
    await expect(tab.page.get_by_role("heading", level=1)).to_contain_text(most.symbol)
    assert "p.period=7" in tab.page.url


async def test_the_chart_of_an_account_has_its_equity_holding_exposure_positions_and_cash(
    tab: Tab, stack: LocalStack, cryptos: list[str]
) -> None:
    await account(tab, cryptos, **ACCOUNT)
    result = await result_of(stack, cryptos)
    await expect(tab.says(re.compile("TAB02USDT held")).first).to_be_visible()
    await tab.button("Show as a table").click()
    table = tab.page.get_by_role("table").filter(has_text="time (UTC)")
    await expect(table.get_by_role("columnheader")).to_have_text(
        [
            "time (UTC)",
            "equity",
            "equal-weighted hold",
            "TAB02USDT held",
            "drawdown",
            "exposure",
            "positions",
            "cash",
        ]
    )
    # The legends have the last values.
    curve, held = result.curve, 10_000 * (1 + result.benchmark.metrics.total_return)
    last = [curve.equity[-1], curve.hold[-1], held, curve.cash[-1]]
    equity, hold, benchmark, cash = (f"{value:,.0f}".replace("-", "\u2212") for value in last)
    legends = tab.page.locator(".chart-legend")
    await expect(legends.first).to_contain_text(f"equity {equity}")
    await expect(legends.first).to_contain_text(f"equal-weighted hold {hold}")
    await expect(legends.first).to_contain_text(f"TAB02USDT held {benchmark}")
    await expect(legends.nth(2)).to_have_text(f" exposure {100 * curve.exposure[-1]:.1f} %")
    await expect(legends.nth(3)).to_have_text(f" positions {curve.position_count[-1]}")
    await expect(legends.nth(4)).to_have_text(f" cash {cash}")


async def test_an_account_whose_result_comes_in_parts_has_all_of_them(
    tab: Tab, stack: LocalStack, cryptos: list[str]
) -> None:
    # It turns at nearly every candle.
    query = {"strategy": "rules", "entry": "close > close[1]", "exit": "close < close[1]"}
    await account(tab, cryptos, **query, direction="long-short", positions="24", fee="0")
    async with open_channel(stack.gateway_address) as channel:
        watched = RunServiceStub(channel).WatchRun(WatchRunRequest(run_id=tab.run_id))
        parts = [
            event.portfolio_event.result if has == "result" else event.portfolio_event.result_continuation
            async for event in watched
            if (has := event.portfolio_event.WhichOneof("event")) in {"result", "result_continuation"}
        ]
    assert len(parts) > 1
    trades = sum(len(part.trades) for part in parts)
    await expect(tab.page.get_by_role("heading", name=f"{trades:,} trades")).to_be_visible()


async def test_an_account_is_restored_by_a_link_and_watched_from_the_runs(
    tab: Tab, browser: Browser, cryptos: list[str]
) -> None:
    await account(tab, cryptos, **ACCOUNT, sizing="equal", fee="0.2%")
    started = calls_of(tab, "RunPortfolio")
    await tab.page.reload()
    await until_there(tab)
    assert started == []
    await expect(tab.page.get_by_label("Places")).to_have_value("3")
    async with opened(browser, tab.address) as other:
        await other.show("/runs")
        await other.page.get_by_role("link", name=f"Watch the run {tab.run_id}").click()
        await until_there(other)
        for label, value in {
            "period": "7",
            "Places": "3",
            "Enter first where this is highest": "roc(48)",
            "Rebalance every": "24",
            "From a deviation of": "10%",
            "Benchmark": "TAB02USDT",
        }.items():
            await expect(other.page.get_by_label(label, exact=True)).to_have_value(value)
        assert "fee=0.2" in other.page.url
        # The view of runs of backtests says what the run is not.
        await other.show("/", run=tab.run_id)
        await expect(other.page.get_by_role("alert")).to_contain_text("open it from the view Runs")


async def test_cancel_ends_an_account_whose_signals_are_computed(
    tab: Tab, stack: LocalStack, cryptos: list[str]
) -> None:
    async with workers_held(stack):
        await tab.show("/portfolio", **{**QUERY, "symbols": ",".join(cryptos), "p.period": "23"})
        await tab.button("Run").click()
        await expect(tab.progress).to_have_text("0 of 24")
        await tab.button("Cancel").click()
        await expect(tab.says("The portfolio was cancelled.")).to_be_visible()
    await expect(tab.button("Cancel")).to_be_disabled()


async def test_a_sweep_and_an_account_do_not_share_the_tab(
    tab: Tab, stack: LocalStack, cryptos: list[str]
) -> None:
    async with workers_held(stack):
        await tab.show("/sweep", strategy="ma_cross", symbols=",".join(cryptos), **{"p.fast": "4,6"})
        await tab.button("Sweep").click()
        await expect(tab.progress).to_have_text("0 of 48")
        await tab.page.get_by_role("link", name="Portfolio").click()
        await tab.page.get_by_label("Places").fill("2")
        await tab.button("Run").click()
        # The held workers of the sweep, which ends, are replaced: how far the account is is not known here.
        await expect(tab.page.get_by_role("heading", level=1)).to_contain_text("in one account of")
        await tab.page.get_by_role("link", name="Sweep").click()
        await expect(tab.says(re.compile("The sweep was cancelled"))).to_be_visible()
        await tab.page.get_by_role("link", name="Portfolio").click()
    await until_there(tab)


async def test_what_is_wrong_with_an_account_is_said_at_its_field(tab: Tab, cryptos: list[str]) -> None:
    await tab.show("/portfolio", **{**QUERY, "symbols": ",".join(cryptos[:2]), "rank": "rsi(14) < 30"})
    await expect(problem(tab, "rank")).to_contain_text(re.compile("condition", re.IGNORECASE))
    await tab.page.get_by_label("Enter first where this is highest").fill("roc(48)")
    await expect(problem(tab, "rank")).to_have_text("")
    await tab.page.get_by_label("Places").fill("x")
    await expect(problem(tab, "positions")).to_have_text("Write a whole number, such as 10.")
    await tab.page.get_by_label("Places").fill("3")
    await tab.page.get_by_label("From a deviation of").fill("10%")
    await expect(problem(tab, "threshold")).to_contain_text("Say every how many candles")
    await tab.page.get_by_label("Rebalance every").fill("0")
    await tab.page.get_by_label("Benchmark").fill("NOBODYUSDT")
    await tab.button("Run").click()
    # The gateway refuses these, all at once.
    for field in ("positions", "rebalance", "benchmark"):
        await expect(problem(tab, field)).not_to_have_text("")


async def account(tab: Tab, cryptos: list[str], **query: str) -> None:
    """Show the view Portfolio, press Run, and wait for the account."""
    await tab.show("/portfolio", symbols=",".join(cryptos), **query)
    await tab.button("Run").click()
    await until_there(tab)


async def result_of(stack: LocalStack, cryptos: list[str]) -> portfolio_pb2.PortfolioResult:
    """Return the result of the account of ACCOUNT, as the gateway has it."""
    async with open_channel(stack.gateway_address) as channel:
        parsed = await BacktestServiceStub(channel).ParseRules(ParseRulesRequest(series=ACCOUNT["rank"]))
        spec = portfolio_pb2.PortfolioSpec(
            max_positions=3,
            rank=parsed.series,
            rebalancing=portfolio_pb2.Rebalancing(every=24, threshold=0.1),
            benchmark=ACCOUNT["benchmark"],
        )
        spec.strategies.add().strategy.rsi.period = 7
        return await run(channel, pb.RunPortfolioRequest(symbols=cryptos, spec=spec))


def cells(tab: Tab, index: int) -> Locator:
    """Return the cells of a column of the table of cryptos."""
    return tab.page.locator(f".contributions .grid-row:not(.grid-head) > div:nth-child({index + 1})")


async def column(tab: Tab, index: int) -> list[str]:
    return await cells(tab, index).all_inner_texts()


def shown(value: float) -> str:
    """A return as the page shows it."""
    text = f"{100 * value:,.1f} %".replace("-", "\u2212")
    return f"+{text}" if value > 0 else text
