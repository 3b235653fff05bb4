"""Secured services, for all tests of this folder."""

from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import pytest
import trustme

from backcast_engine.candles import Candles
from services.local.stack import LocalStack
from services.rpc.channel import open_channel
from tests.candle_making import random_candles
from tests.security.secured import Secured, secured_beside

HOURS = 24 * 60


@pytest.fixture(scope="session")
def ca() -> trustme.CA:
    """The CA that the services trust."""
    return trustme.CA()


@pytest.fixture(scope="session")
async def secured(
    stack: LocalStack, short_folder: Path, ca: trustme.CA, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Secured]:
    async with secured_beside(
        stack, short_folder / "secured", tmp_path_factory.mktemp("secured"), ca
    ) as secured:
        yield secured


@pytest.fixture
async def secure_channel(secured: Secured) -> AsyncIterator[grpc.aio.Channel]:
    """A channel to the secured gateway, without a client certificate."""
    async with open_channel(secured.stack.gateway_address, secured.files.credentials_of_nobody) as channel:
        yield channel


@pytest.fixture(scope="session")
def candles() -> Candles:
    return random_candles(77, HOURS)
