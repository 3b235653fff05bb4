"""A gateway, the page's process in front of it and a tab, for tests that set or kill one of them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from playwright.async_api import Browser

from services.local.stack import LocalStack
from tests.end_to_end.one_service import OneService, service_beside
from tests.web.browser.tab import Tab, opened


@dataclass(frozen=True, slots=True)
class OwnPage:
    """A gateway, the page's process that calls it, and a tab of that page."""

    gateway: OneService
    web: OneService
    tab: Tab


@asynccontextmanager
async def own_page(
    browser: Browser, stack: LocalStack, folder: Path, **settings: object
) -> AsyncIterator[OwnPage]:
    """Start a gateway with these settings, beside the stack, and a page's process, and open a tab."""
    async with (
        service_beside(stack, "gateway", folder, **settings) as gateway,
        service_beside(stack, "web", folder, gateway_address=gateway.address) as web,
        opened(browser, web.address) as tab,
    ):
        yield OwnPage(gateway, web, tab)
