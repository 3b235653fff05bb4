"""What the view of one crypto shows."""

import csv
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from playwright.async_api import expect

from backcast.backtest.v1.execution_pb2 import FillTime
from backcast.backtest.v1.result_pb2 import DETAIL_EQUITY, BacktestResult
from backcast.gateway.v1 import backtest_service_pb2 as pb
from tests.candle_making import START_S
from tests.web.browser.tab import Tab

if TYPE_CHECKING:
    from backcast.gateway.v1.backtest_service_pb2_grpc import BacktestServiceAsyncStub


HOURS = 24 * 100


GAP = slice(1000, 1012)


BREAK = 1500


WITH_GAP, WITH_BREAK = "GAPPYUSDT", "BROKENUSDT"


BACKTEST = {"strategy": "ma_cross", "p.fast": "5", "p.slow": "20", "start": "2024-01-01", "end": "2024-04-10"}


async def until_drawn(tab: Tab) -> None:
    """Wait until the chart is there."""
    await expect(tab.page.locator(".chart-host canvas").first).to_be_visible()


async def result_of(
    gateway: "BacktestServiceAsyncStub", symbol: str, fill_time: FillTime.ValueType | None = None
) -> BacktestResult:
    """Return what the view shows, from the gateway itself."""
    request = pb.RunBacktestRequest(symbol=symbol, detail=DETAIL_EQUITY)
    request.spec.strategy.ma_cross.fast, request.spec.strategy.ma_cross.slow = 5, 20
    request.spec.start_time.FromSeconds(START_S)
    request.spec.end_time.FromSeconds(START_S + 3600 * HOURS)
    if fill_time is not None:
        request.spec.execution.fill_time = fill_time
    response = await gateway.RunBacktest(request)
    assert not response.next_page_token
    return response.result


def written(time_s: int) -> str:
    """Return a time as the page writes it."""
    text = f"{datetime.fromtimestamp(time_s, UTC):%Y-%m-%d %H:%M}"
    return text.removesuffix(" 00:00")


async def saved(tab: Tab, button: str, folder: Path) -> list[dict[str, str]]:
    """Return the rows of the CSV file that a button saves."""
    async with tab.page.expect_download() as download:
        await tab.button(button).click()
    path = folder / "saved.csv"
    await (await download.value).save_as(path)
    with path.open(newline="") as file:
        return list(csv.DictReader(file))
