"""Services that are shut to strangers, for all tests of this folder."""

from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import pytest
import trustme

from services.domain.candles import Candles
from services.local.stack import LocalStack
from services.rpc.channel import open_channel
from tests.candle_making import random_candles
from tests.security.shut import Shut, shut_beside

HOURS = 24 * 60


@pytest.fixture(scope="session")
def ca() -> trustme.CA:
    """The CA that the services trust."""
    return trustme.CA()


@pytest.fixture(scope="session")
async def shut(
    stack: LocalStack, short_folder: Path, ca: trustme.CA, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Shut]:
    async with shut_beside(stack, short_folder / "shut", tmp_path_factory.mktemp("shut"), ca) as shut:
        yield shut


@pytest.fixture
async def secure_channel(shut: Shut) -> AsyncIterator[grpc.aio.Channel]:
    """A channel to their gateway, without a certificate of its own."""
    async with open_channel(shut.stack.gateway_address, shut.files.credentials_of_nobody) as channel:
        yield channel


@pytest.fixture(scope="session")
def candles() -> Candles:
    return random_candles(77, HOURS)
