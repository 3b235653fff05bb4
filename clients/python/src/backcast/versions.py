"""The versions of client and server: which of them work together, and which of two is the older one."""

from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from backcast.errors import VersionError

# The key of the server's version in its metadata: the initial one of runs and sweeps, and the trailing one of
# calls that it lacks.
_KEY = "backcast-version"
# The oldest server that this client works with.
_OLDEST_SERVER = (0, 2)


@cache
def client_version() -> str:
    """Return the version of this distribution."""
    try:
        return version("backcast-client")
    except PackageNotFoundError:
        return "0"


def version_in(metadata: Any) -> str | None:
    """Return the version of a server, which is in its metadata; None where it is not."""
    for key, value in metadata or ():
        if key == _KEY:
            return str(value)
    return None


def check_server(server: str | None, address: str) -> None:
    """Raise VersionError where a server of this version, None if unknown, is too old for this client."""
    if server is not None and _numbers(server) >= _OLDEST_SERVER:
        return
    oldest = ".".join(map(str, _OLDEST_SERVER))
    # Servers before 0.2 do not send their version.
    described = f"of version {server}" if server else f"older than {oldest}"
    raise VersionError(
        f"the server at {address} is {described}, and this client ({client_version()}) needs {oldest} or "
        "newer: update the server"
    )


def lacking_call(address: str, client: str, server: str | None) -> VersionError:
    """Return the error of a call that the server lacks; `server` is its version, None if unknown."""
    if server is None:
        return VersionError(
            f"the server at {address} is no Backcast, or one that is older than this client ({client}): is "
            "the port right?"
        )
    lacking = f"the server at {address} is of version {server} and lacks this call"
    if _numbers(server) == _numbers(client):
        return VersionError(f"{lacking}, which the gateway has: is the port right?")
    older = "server" if _numbers(server) < _numbers(client) else "client"
    return VersionError(f"{lacking}; this client is of version {client}: update the {older}, the older one")


def _numbers(version_: str) -> tuple[int, ...]:
    """Return the numbers that order versions; those of 0.2.0.dev0 are 0, 2 and 0."""
    return tuple(int(part) for part in version_.split(".") if part.isdecimal())
