"""Hosts of this machine only, and how they are written."""

import pytest

from backcast_engine.errors import InvalidInput
from services.domain.addresses import host_of, host_port, is_loopback
from services.rpc.access import check_binding
from services.settings import load_settings


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.8.7", "localhost", "::1", "[::1]"])
def test_a_loopback_address_is_reached_by_nobody_else(host: str) -> None:
    assert is_loopback(host, "HOST")


@pytest.mark.parametrize(
    "host", ["0.0.0.0", "::", "[::]", "", "10.0.0.7", "fe80::1%lo", "2001:db8::1", "::ffff:10.0.0.7", "0"]
)
def test_other_addresses_may_be_reached_by_others(host: str) -> None:
    assert not is_loopback(host, "HOST")


@pytest.mark.parametrize("host", ["no such host", "unix", "[::1", "::1]", "x" * 300, "\0"])
def test_an_unknown_host_is_refused(host: str) -> None:
    with pytest.raises(InvalidInput, match=r"^HOST: the host .* is not known here$"):
        is_loopback(host, "HOST")


@pytest.mark.parametrize(
    ("host", "written"),
    [("127.0.0.1", "127.0.0.1:1"), ("::1", "[::1]:1"), ("[::1]", "[::1]:1"), ("localhost", "localhost:1")],
)
def test_an_address_has_brackets_where_it_needs_them(host: str, written: str) -> None:
    assert host_port(host, 1) == written
    assert host_of(written) == host.strip("[]")


@pytest.mark.parametrize(
    ("address", "host"),
    [("localhost", "localhost"), ("10.0.0.7", "10.0.0.7"), ("[::1]", "::1"), ("::", "::"), ("", "")],
)
def test_an_address_without_a_port_is_a_host(address: str, host: str) -> None:
    assert host_of(address) == host


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost"])
def test_this_machine_is_open_to_itself(monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    monkeypatch.setenv("BACKCAST_HOST", host)
    check_binding(load_settings(), authenticates=False, required="LOCKS")


@pytest.mark.parametrize("host", ["0.0.0.0", "::", ""])
def test_others_are_kept_out(monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    monkeypatch.setenv("BACKCAST_HOST", host)
    with pytest.raises(
        InvalidInput, match=r"^BACKCAST_HOST: .* can be reached by other machines: set LOCKS, or"
    ):
        check_binding(load_settings(), authenticates=False, required="LOCKS")
    check_binding(load_settings(), authenticates=True, required="LOCKS")
    monkeypatch.setenv("BACKCAST_INSECURE", "1")
    check_binding(load_settings(), authenticates=False, required="LOCKS")
