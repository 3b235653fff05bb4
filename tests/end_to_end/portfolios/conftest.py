"""Clients of the gateway for tests of portfolios."""

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import pytest

from backcast.gateway.v1.portfolio_service_pb2_grpc import PortfolioServiceStub
from services.local.stack import LocalStack
from services.rpc.channel import open_channel

if TYPE_CHECKING:
    from backcast.gateway.v1.portfolio_service_pb2_grpc import PortfolioServiceAsyncStub


@pytest.fixture
async def portfolios(stack: LocalStack) -> "AsyncIterator[PortfolioServiceAsyncStub]":
    """A client of the gateway."""
    async with open_channel(stack.gateway_address) as channel:
        yield PortfolioServiceStub(channel)
