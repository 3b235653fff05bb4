"""Equity, drawdowns and months in the view of one crypto."""

from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from playwright.async_api import expect

from backcast.backtest.v1.execution_pb2 import FILL_TIME_SAME_CLOSE
from backcast.backtest.v1.result_pb2 import BacktestResult
from tests.candle_making import START_S
from tests.web.browser.crypto import BACKTEST, WITH_BREAK, result_of, saved, until_drawn, written
from tests.web.browser.tab import Tab

if TYPE_CHECKING:
    from backcast.gateway.v1.backtest_service_pb2_grpc import BacktestServiceAsyncStub


@pytest.mark.parametrize("fill", [None, "same-close"])
async def test_the_equity_of_holding_ends_at_the_return_of_holding(
    tab: Tab, crypto: str, gateway: "BacktestServiceAsyncStub", tmp_path: Path, fill: str | None
) -> None:
    if fill is not None:
        await tab.show("/crypto", symbol=crypto, fill=fill, **BACKTEST)
        await until_drawn(tab)
    result = await result_of(gateway, crypto, FILL_TIME_SAME_CLOSE if fill else None)
    rows = await saved(tab, "Equity as CSV", tmp_path)
    assert [float(row["equity"]) for row in rows] == list(result.equity_curve.equity)
    holding = float(rows[-1]["buy_and_hold_equity"])
    assert holding == pytest.approx(10_000 * (1 + result.metrics.buy_and_hold_return), rel=1e-12)


async def test_the_equity_of_holding_is_compounded_over_the_parts_between_breaks(
    tab: Tab, odd_cryptos: None, gateway: "BacktestServiceAsyncStub", tmp_path: Path
) -> None:
    await tab.show("/crypto", symbol=WITH_BREAK, **BACKTEST)
    await until_drawn(tab)
    result = await result_of(gateway, WITH_BREAK)
    assert len(result.breaks) == 1
    rows = await saved(tab, "Equity as CSV", tmp_path)
    holding = float(rows[-1]["buy_and_hold_equity"])
    assert holding == pytest.approx(10_000 * (1 + result.metrics.buy_and_hold_return), rel=1e-12)


async def test_the_worst_drawdowns_are_those_of_the_curve(
    tab: Tab, crypto: str, gateway: "BacktestServiceAsyncStub"
) -> None:
    result = await result_of(gateway, crypto)
    expected = worst_drawdowns(result)
    assert len(expected) > 2
    assert expected[0][0] == pytest.approx(result.metrics.max_drawdown)
    await shows_drawdowns(tab, expected)


async def test_a_drawdown_from_the_initial_capital_begins_at_the_last_close_with_it(
    tab: Tab, cryptos: list[str], gateway: "BacktestServiceAsyncStub"
) -> None:
    # One whose first trade loses, some time after the window's start.
    for symbol in cryptos:
        result = await result_of(gateway, symbol)
        expected = worst_drawdowns(result)
        equity = dict(zip(result.equity_curve.open_time_s, result.equity_curve.equity, strict=True))
        if any(equity[peak] == 10_000 and peak > START_S for _, peak, _, _ in expected):
            break
    else:
        pytest.fail("no crypto has a drawdown from the initial capital among its worst")
    await tab.show("/crypto", symbol=symbol, **BACKTEST)
    await shows_drawdowns(tab, expected)


async def shows_drawdowns(tab: Tab, expected: list[tuple[float, int, int, int | None]]) -> None:
    """Fail unless the view lists these drawdowns, in their order."""
    rows = tab.page.get_by_role("region", name="Worst drawdowns", exact=True).locator("tbody tr")
    await expect(rows).to_have_count(len(expected))
    for row, (depth, peak, trough, recovered) in enumerate(expected):
        cells = await rows.nth(row).get_by_role("cell").all_inner_texts()
        assert cells[:3] == [f"{100 * depth:.1f} %", written(peak), written(trough)]
        assert cells[3] == ("not yet" if recovered is None else written(recovered))


def worst_drawdowns(result: BacktestResult) -> list[tuple[float, int, int, int | None]]:
    """Return the ten deepest drawdowns of a result."""
    return drawdowns(list(result.equity_curve.open_time_s), list(result.equity_curve.equity))[:10]


def drawdowns(times: list[int], equity: list[float]) -> list[tuple[float, int, int, int | None]]:
    """Return depth, peak, lowest close and recovery of each drawdown, deepest first, from all peaks."""
    values, moments = [10_000.0, *equity], [times[0], *times]
    peaks = [index for index, value in enumerate(values) if value >= max(values[: index + 1])]
    found = []
    for peak, until in pairwise([*peaks, len(values)]):
        if low := values[peak + 1 : until]:
            trough = peak + 1 + low.index(min(low))
            recovered = moments[until] if until < len(values) else None
            found.append(
                ((values[peak] - values[trough]) / values[peak], moments[peak], moments[trough], recovered)
            )
    return sorted(found, key=lambda drawdown: -drawdown[0])


async def test_months_are_shown_with_the_return_of_the_year(
    tab: Tab, crypto: str, gateway: "BacktestServiceAsyncStub"
) -> None:
    result = await result_of(gateway, crypto)
    cells = await tab.page.locator(".months tbody td").all_inner_texts()
    figures = [f"{100 * month.return_fraction:+.1f}".replace("-", "−") for month in result.monthly_returns]
    assert cells[: len(figures)] == figures
    assert cells[-1] == f"{100 * result.metrics.total_return:+.1f}".replace("-", "−")
