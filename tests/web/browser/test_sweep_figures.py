"""The figures of a sweep that the page shows beside its map and table: those of the gateway's own summary."""

from typing import TYPE_CHECKING

from google.protobuf.struct_pb2 import Value
from playwright.async_api import expect

from backcast.backtest.v1.backtest_spec_pb2 import BacktestSpec
from backcast.backtest.v1.result_pb2 import Metrics
from backcast.backtest.v1.strategy_pb2 import Strategy
from backcast.backtest.v1.sweep_pb2 import ParameterRange, Window
from backcast.gateway.v1 import backtest_service_pb2 as pb
from backcast.gateway.v1.sweep_pb2 import OutOfSample, SweepSummary
from tests.web.browser.crypto import written
from tests.web.browser.tab import Tab

if TYPE_CHECKING:
    from backcast.gateway.v1.backtest_service_pb2_grpc import BacktestServiceAsyncStub

# Twelve combinations: there is no probability of overfitting below ten.
RANGES = {"fast": [5, 6, 7, 8], "slow": [20, 30, 40]}
TYPED = {"p.fast": "5..8", "p.slow": "20..40:10"}
WINDOW = {"start": "2024-01-01", "end": "2024-04-10"}
ABSENT = "–"


async def test_the_luck_in_a_sweep_is_that_of_the_gateway(
    tab: Tab, gateway: "BacktestServiceAsyncStub", cryptos: list[str]
) -> None:
    await swept(tab, cryptos[:3])
    summary, _ = await summary_of(gateway, cryptos[:3])
    winner, bias, overfitting = summary.winner, summary.selection_bias, summary.overfitting
    best = winner.strategy.ma_cross
    ratio = decimal(winner.train.sharpe_ratio)
    assert bias.trial_count == 36
    await expect(tab.page.locator("#verdict + p")).to_have_text(
        f"The best trial: fast {best.fast}, slow {best.slow} on {winner.symbol}, with a Sharpe ratio of "
        f"{ratio}. The winner was chosen from 36 trials: its Sharpe ratio is {ratio}. Without any skill, "
        f"the best of so many is expected to have {decimal(bias.expected_maximum_sharpe_ratio)}."
    )
    cards = tab.page.locator(".verdict")
    await expect(cards.locator("strong")).to_have_text(
        [f"{bias.deflated_sharpe_ratio:.3f}", f"{overfitting.probability:.3f}"]
    )
    await expect(cards.nth(0)).to_contain_text("Deflated Sharpe ratio")
    assert overfitting.combination_count == 12
    await expect(cards.nth(1)).to_contain_text(
        f"In this share of {overfitting.split_count:,} splits of the time into halves, "
        "the best of 12 combinations"
    )


async def test_the_figures_of_a_test_part_are_those_of_the_gateway(
    tab: Tab, gateway: "BacktestServiceAsyncStub", cryptos: list[str]
) -> None:
    await swept(tab, cryptos[:3], split="60%")
    summary, _ = await summary_of(gateway, cryptos[:3], split=0.6)
    winner, bias = summary.winner, summary.selection_bias
    await expect(tab.page.locator("#verdict + p")).to_contain_text(
        f"with a Sharpe ratio of {decimal(winner.train.sharpe_ratio)} and of "
        f"{decimal(winner.test.sharpe_ratio)} in the test part."
    )
    await expect(tab.page.locator(".verdict strong")).to_have_text(
        [f"{bias.deflated_sharpe_ratio:.3f}", f"{summary.overfitting.probability:.3f}"]
    )


async def test_the_folds_of_a_walk_forward_are_those_of_the_gateway(
    tab: Tab, gateway: "BacktestServiceAsyncStub", cryptos: list[str]
) -> None:
    await swept(tab, cryptos[:3], folds="3")
    summary, curves = await summary_of(gateway, cryptos[:3], fold_count=3)
    walk = summary.walk_forward
    assert len(walk.folds) == 3
    rows = tab.page.get_by_role("table").filter(has_text="Tested on").locator("tbody tr")
    for number, fold in enumerate(walk.folds):
        chosen = fold.strategy.ma_cross
        await expect(rows.nth(number).locator("td")).to_have_text(
            [
                window(fold.train_window),
                window(fold.test_window),
                f"fast {chosen.fast}, slow {chosen.slow}",
                *(sharpe(fold.train), sharpe(fold.test)),
                *(gain(fold.train), gain(fold.test)),
            ]
        )
    await expect(rows.nth(3).locator("td")).to_have_text(
        ["", sharpe(walk.mean_test), "", gain(walk.mean_test)]
    )
    await expect(tab.page.locator(".verdict strong")).to_have_text(
        [f"{walk.deflated_sharpe_ratio:.3f}", f"{summary.overfitting.probability:.3f}"]
    )
    figures = tab.page.locator(".sweep-figures strong")
    await expect(figures).to_have_text(out_of_sample(walk.out_of_sample))
    await tab.page.get_by_label("Out of sample", exact=True).select_option(cryptos[1])
    await expect(figures).to_have_text(out_of_sample(curves[cryptos[1]]))


async def swept(tab: Tab, symbols: list[str], **cut: str) -> None:
    """Sweep on the page, and wait until the sweep has completed."""
    query = {"strategy": "ma_cross", "symbols": ",".join(symbols), **TYPED, **WINDOW, **cut}
    await tab.show("/sweep", **query)
    await tab.button("Sweep").click()
    await expect(tab.page.locator(".combinations .grid")).to_be_visible()


async def summary_of(
    gateway: "BacktestServiceAsyncStub",
    symbols: list[str],
    split: float | None = None,
    fold_count: int | None = None,
) -> tuple[SweepSummary, dict[str, OutOfSample]]:
    """Return the gateway's summary of the same sweep, and its curves by crypto."""
    request = pb.SweepBacktestsRequest(
        symbols=symbols,
        spec=BacktestSpec(strategy=Strategy(ma_cross={})),
        ranges=[
            ParameterRange(name=name, values=[Value(number_value=value) for value in values])
            for name, values in RANGES.items()
        ],
        split=split,
        fold_count=fold_count,
    )
    request.spec.start_time.FromJsonString(f"{WINDOW['start']}T00:00:00Z")
    request.spec.end_time.FromJsonString(f"{WINDOW['end']}T00:00:00Z")
    events = [event async for event in gateway.SweepBacktests(request)]
    curves = {
        event.out_of_sample.symbol: event.out_of_sample for event in events if event.HasField("out_of_sample")
    }
    return events[-1].summary, curves


def decimal(value: float) -> str:
    return f"{value:,.2f}".replace("-", "−")


def window(of: Window) -> str:
    return f"{written(of.start_time.seconds)} to {written(of.end_time.seconds)}"


def sharpe(metrics: Metrics) -> str:
    return decimal(metrics.sharpe_ratio) if metrics.HasField("sharpe_ratio") else ABSENT


def gain(metrics: Metrics) -> str:
    return signed(metrics.total_return) if metrics.HasField("total_return") else ABSENT


def signed(fraction: float) -> str:
    # What is rounded to zero has no sign.
    text = f"{100 * fraction:+.1f}"
    return f"{text[1:] if text[1:] == '0.0' else text.replace('-', '−')} %"


def out_of_sample(curve: OutOfSample) -> list[str]:
    """Return the figures of a curve as the page shows them."""
    metrics = curve.metrics
    return [
        signed(metrics.total_return),
        signed(metrics.buy_and_hold_return),
        decimal(metrics.sharpe_ratio),
        f"{100 * metrics.max_drawdown:.1f} %",
        f"{metrics.trade_count:,.0f}",
    ]
