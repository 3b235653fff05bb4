"""Sweeps of rules: a name in braces stands for the numbers that are swept."""

import re
from typing import TYPE_CHECKING

from google.protobuf.struct_pb2 import Value
from playwright.async_api import Locator, expect

from backcast.backtest.v1.backtest_spec_pb2 import BacktestSpec
from backcast.backtest.v1.strategy_pb2 import Strategy
from backcast.backtest.v1.sweep_pb2 import ParameterRange
from backcast.gateway.v1 import backtest_service_pb2 as pb
from tests.web.browser.tab import Tab, calls_of

if TYPE_CHECKING:
    from backcast.gateway.v1.backtest_service_pb2_grpc import BacktestServiceAsyncStub

RULES = {"strategy": "rules", "entry": "rsi({n}) < {low}", "exit": "rsi({n}) > 70"}
PERIODS, LOWS = (7, 14), (25, 30, 35)


async def test_rules_are_swept_as_the_strategy_that_they_are(
    tab: Tab, gateway: "BacktestServiceAsyncStub", cryptos: list[str]
) -> None:
    await tab.show("/sweep", **RULES, symbols=",".join(cryptos[:4]))
    await tab.page.get_by_label("{n}", exact=True).fill("7,14")
    await tab.page.get_by_label("{low}", exact=True).fill("25..35:5")
    await expect(tab.says("6 combinations on 4 cryptos: 24 trials.")).to_be_visible()
    await tab.button("Sweep").click()
    listed = tab.page.locator(".combinations .grid-row:not(.grid-head)")
    await expect(listed).to_have_count(6)
    shown = [(await row.get_by_role("gridcell").all_inner_texts())[:2] for row in await listed.all()]
    assert shown == await best_first(gateway, cryptos[:4])
    # It is the same after a reload, and a combination of it is a run.
    await tab.page.reload()
    await expect(listed).to_have_count(6)
    await listed.first.click()
    n, low = shown[0]
    await expect(tab.page.get_by_label("Buy when")).to_have_value(f"rsi({n}) < {low}")
    await expect(tab.page.get_by_label("Sell when")).to_have_value(f"rsi({n}) > 70")
    await tab.button("Run").click()
    await tab.until_done(4)


async def test_names_and_ranges_of_rules_belong_together(tab: Tab, cryptos: list[str]) -> None:
    asked = calls_of(tab, "SweepBacktests")
    await tab.show("/sweep", strategy="rules", entry="rsi(7) < 30", symbols=cryptos[0])
    await tab.button("Sweep").click()
    await expect(problem(tab, "entry")).to_contain_text("Write a name for what is swept")
    await tab.page.get_by_label("Buy when").fill("rsi({n}) < {low}")
    await tab.button("Sweep").click()
    for name in ("n", "low"):
        await expect(problem(tab, f"p.{name}")).to_have_text(
            f"Give {{{name}}} values, such as 5,7,9 or 5..30:5."
        )
    await tab.page.get_by_label("{n}", exact=True).fill("5..x")
    await expect(problem(tab, "p.n")).to_have_text("Write a range as 5..30 or 5..30:5.")
    await tab.page.get_by_label("{n}", exact=True).fill("5,7")
    await tab.page.get_by_label("{low}", exact=True).fill("30")
    await tab.page.get_by_label("Buy when").fill("rsi({n}) < 30")
    await expect(problem(tab, "p.low")).to_contain_text("The rules have no {low}")
    await tab.page.get_by_label("{low}", exact=True).fill("")
    await expect(tab.page.get_by_label("{low}", exact=True)).to_have_count(0)
    assert asked == []
    # A number that the rule cannot have is refused by the gateway, at its field.
    await tab.page.get_by_label("{n}", exact=True).fill("0,7")
    await tab.button("Sweep").click()
    await expect(problem(tab, "p.n")).to_contain_text(re.compile(r"\b0\b"))
    await tab.page.get_by_label("{n}", exact=True).fill("7")
    await tab.button("Sweep").click()
    await expect(tab.page.locator("#combinations")).to_have_text("1 combination")


async def best_first(gateway: "BacktestServiceAsyncStub", symbols: list[str]) -> list[list[str]]:
    """Return the periods and bounds of the strategy rsi, the best median first."""
    request = pb.SweepBacktestsRequest(
        symbols=symbols,
        spec=BacktestSpec(strategy=Strategy(rsi={})),
        ranges=[
            ParameterRange(name=name, values=[Value(number_value=value) for value in values])
            for name, values in (("period", PERIODS), ("oversold", LOWS))
        ],
    )
    rows = [row async for event in gateway.SweepBacktests(request) for row in event.rows.rows]
    rows.sort(key=lambda row: -row.train.median.sharpe_ratio)
    return [[str(row.strategy.rsi.period), f"{row.strategy.rsi.oversold:.0f}"] for row in rows]


def problem(tab: Tab, field: str) -> Locator:
    """Return what is said to be wrong with a field."""
    return tab.page.locator(f'[data-field="{field}"] .problem')
