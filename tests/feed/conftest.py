"""Stand-ins for exchanges, and a guard: no socket of these tests leaves loopback."""

import ipaddress
import socket
from collections.abc import Iterator

import pytest
import stamina

from services.feed import fetch


@pytest.fixture(autouse=True, scope="package")
def only_loopback() -> Iterator[None]:
    """Fail a test that connects to another machine."""
    connect = socket.socket.connect

    def connect_here(self: socket.socket, address: object) -> None:
        if self.family in (socket.AF_INET, socket.AF_INET6):
            assert isinstance(address, tuple)
            assert ipaddress.ip_address(address[0]).is_loopback, f"a test connects to {address}"
        connect(self, address)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", connect_here)
        yield


@pytest.fixture(autouse=True, scope="package")
def retries_without_waiting() -> Iterator[None]:
    """Try again at once, and as often as without the test."""
    with stamina.set_testing(True, attempts=100, cap=True):
        yield


@pytest.fixture(autouse=True, scope="package")
def small_batches() -> Iterator[None]:
    """Write often, so that there is something to lose and to resume."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fetch, "_CANDLES_TOGETHER", 150)
        yield
