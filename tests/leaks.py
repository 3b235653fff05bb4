"""What a test leaves behind: child processes, threads that keep the process alive, listening ports."""

import os
import re
import socket
import stat
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil

from tests.waiting import LIMIT_S

# The event loop's executor keeps its threads for the next one who needs them.
_EXECUTOR = "asyncio_"


@dataclass(frozen=True)
class Resources:
    """What this process holds at a moment.

    Processes are identified by their commands: a server that a test starts again is the one that was there.
    """

    children: frozenset[str]
    threads: frozenset[threading.Thread]
    ports: frozenset[int]

    @classmethod
    def now(cls) -> "Resources":
        """Return what there is now."""
        this = psutil.Process()
        return cls(
            frozenset(map(_command_of, this.children())) if _has_children() else frozenset(),
            frozenset(
                thread
                for thread in threading.enumerate()
                if not thread.daemon and not thread.name.startswith(_EXECUTOR)
            ),
            frozenset(_listening_ports()),
        )

    def left_since(self) -> list[str]:
        """Return what there is now and was not then, when it has had the time to end."""
        deadline = time.monotonic() + LIMIT_S
        while (left := self._new(Resources.now())) and time.monotonic() < deadline:
            time.sleep(0.05)
        return left

    def _new(self, now: "Resources") -> list[str]:
        return [
            *(f"process {command}" for command in now.children - self.children),
            *(f"thread {thread.name}" for thread in now.threads - self.threads),
            *(f"port {port}" for port in now.ports - self.ports),
        ]


def _listening_ports() -> Iterator[int]:
    """Yield the ports at which this process listens; psutil would take milliseconds to find them."""
    for descriptor in map(int, (path.name for path in Path("/dev/fd").iterdir())):
        try:
            if not stat.S_ISSOCK(os.fstat(descriptor).st_mode):
                continue
            with socket.socket(fileno=os.dup(descriptor)) as connection:
                is_tcp = connection.family in (socket.AF_INET, socket.AF_INET6)
                if is_tcp and connection.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
                    yield connection.getsockname()[1]
        except OSError:
            # Closed meanwhile, as the folder's own descriptor is.
            continue


def _has_children() -> bool:
    """Return whether this process has any child: to look for them costs milliseconds, and this nothing."""
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return True


def _command_of(process: psutil.Process) -> str:
    try:
        # Fork servers name the descriptors and paths that they were started with, which another one has not.
        return re.sub(r"import main; main\(.*", "import main", " ".join(process.cmdline()))
    except psutil.NoSuchProcess:
        return "that has ended and is not waited for"
