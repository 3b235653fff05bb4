"""The view Portfolio in words of the page, and what the gateway says of the same account."""

import grpc
from playwright.async_api import Locator, expect

from backcast.backtest.v1 import portfolio_pb2, result_pb2
from backcast.gateway.v1 import portfolio_service_pb2 as pb
from backcast.gateway.v1.portfolio_service_pb2_grpc import PortfolioServiceStub
from tests.web.browser.tab import Tab


async def until_there(tab: Tab) -> None:
    """Wait until the account is there."""
    await expect(tab.page.locator(".account-figures")).to_be_visible()


async def run(channel: grpc.aio.Channel, request: pb.RunPortfolioRequest) -> portfolio_pb2.PortfolioResult:
    """Return the result of a request, with all its details."""
    request.detail = result_pb2.DETAIL_EQUITY
    result = portfolio_pb2.PortfolioResult()
    async for event in PortfolioServiceStub(channel).RunPortfolio(request):
        result.MergeFrom(event.result)
        result.MergeFrom(event.result_continuation)
    return result


def figure(tab: Tab, label: str) -> Locator:
    """Return the figures of a metric: of the account, of holding, and of the benchmark."""
    row = tab.page.locator(".account-figures tr").filter(
        has=tab.page.get_by_role("rowheader", name=label, exact=True)
    )
    return row.get_by_role("cell")


def problem(tab: Tab, field: str) -> Locator:
    """Return what is said to be wrong with a field."""
    return tab.page.locator(f'[data-field="{field}"] .problem')
