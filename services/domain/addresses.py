"""Addresses, host:port, and whether only this machine can reach them."""

import ipaddress
import socket

from backcast_engine.errors import InvalidInput


def host_port(host: str, port: int) -> str:
    """Return host:port, with an IPv6 address in brackets."""
    bare = bare_host(host)
    return f"[{bare}]:{port}" if ":" in bare else f"{bare}:{port}"


def host_of(address: str) -> str:
    """Return the host of host:port, or of a host alone, without the brackets of an IPv6 address."""
    host, _, port = address.rpartition(":")
    return bare_host(host if port.isdigit() else address)


def is_loopback(host: str, field: str) -> bool:
    """Return whether only this machine can reach `host`, an address or a name.

    A name is one if all of its addresses are. Raises InvalidInput, naming `field`, if the name is unknown.
    """
    try:
        # "" means every address.
        found = (
            {bare_host(host)}
            if _is_ip(host)
            else {str(info[4][0]) for info in socket.getaddrinfo(host or None, 0)}
        )
    except (OSError, UnicodeError):
        raise InvalidInput.of(field, f"the host {host!r} is not known here") from None
    return bool(host) and all(ipaddress.ip_address(each.partition("%")[0]).is_loopback for each in found)


def is_loopback_name(host: str) -> bool:
    """Return whether `host` is localhost or an address of the loopback; nothing is looked up."""
    return host == "localhost" or (_is_ip(host) and ipaddress.ip_address(bare_host(host)).is_loopback)


def bare_host(host: str) -> str:
    """Return a host without the brackets of an IPv6 address."""
    return host[1:-1] if host.startswith("[") and host.endswith("]") else host


def _is_ip(host: str) -> bool:
    try:
        ipaddress.ip_address(bare_host(host))
    except ValueError:
        return False
    return True
