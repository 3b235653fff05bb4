"""Free ports of this machine."""

import asyncio
import socket
from collections.abc import Iterable
from contextlib import ExitStack, suppress
from random import SystemRandom

HOST = "127.0.0.1"
# Linux gives ports from 32,768 on to outgoing connections, macOS and Windows from 49,152 on. One of those may
# be taken between the moment in which it is found free and the moment in which a service listens on it.
_PORTS = range(10_000, 32_768)
# Processes that start at the same moment find different ports.
_RANDOM = SystemRandom()


def free_ports(count: int) -> list[int]:
    """Return ports that no process listens on and that no outgoing connection takes by chance."""
    ports: list[int] = []
    with ExitStack() as sockets:
        # All are held until the last one is found, so that no port is found twice.
        while len(ports) < count:
            held = sockets.enter_context(socket.socket())
            port = _RANDOM.choice(_PORTS)
            with suppress(OSError):
                held.bind((HOST, port))
                ports.append(port)
    return ports


def choose_ports(wanted: Iterable[int]) -> list[int]:
    """Return `wanted` with a free port for every 0."""
    wanted = list(wanted)
    free = iter(free_ports(wanted.count(0)))
    return [port or next(free) for port in wanted]


async def becomes_free(port: int, timeout_s: float) -> bool:
    """Return whether the port is free, or becomes free within `timeout_s`."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + timeout_s
    while not _is_free(port):
        if loop.time() >= deadline:
            return False
        await asyncio.sleep(0.1)
    return True


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        # Like gRPC: lingering connections of a former server do not matter.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True
