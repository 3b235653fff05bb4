import socket
from pathlib import Path

import pytest

from services.local.ports import HOST, free_ports

_OUTGOING = Path("/proc/sys/net/ipv4/ip_local_port_range")


@pytest.mark.skipif(
    not _OUTGOING.exists(), reason="this system does not tell the ports of outgoing connections"
)
def test_free_ports_are_none_that_outgoing_connections_take() -> None:
    first, last = map(int, _OUTGOING.read_text().split())
    assert not set(free_ports(100)) & set(range(first, last + 1))


def test_free_ports_differ_and_can_be_listened_on() -> None:
    ports = free_ports(100)
    assert len(set(ports)) == 100
    for port in ports:
        socket.create_server((HOST, port)).close()


def test_free_ports_leave_out_those_that_a_process_listens_on(monkeypatch: pytest.MonkeyPatch) -> None:
    taken, free = free_ports(2)
    monkeypatch.setattr("services.local.ports._PORTS", [taken, free])
    with socket.create_server((HOST, taken)):
        assert free_ports(1) == [free]
