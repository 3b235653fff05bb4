"""The whole system on one machine: embedded servers and the three services, as child processes."""

import asyncio
import os
import sys
import time
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn, Self

from services.local.folder_lock import FolderLock
from services.local.health import is_serving
from services.local.ports import HOST, becomes_free, choose_ports
from services.local.postgres import EmbeddedPostgres
from services.local.server_process import ServerProcess
from services.local.uninterrupted import in_thread, uninterrupted
from services.local.valkey import EmbeddedValkey
from services.local.watchdog import Watchdog
from services.shared.errors import InvalidInput, Unavailable

_START_LIMIT_S = 60.0
_STOP_GRACE_S = 10.0
_FIRST_PAUSE_S = 0.02
_LONGEST_PAUSE_S = 0.2
# Services of a killed `backcast up` finish their streams before they let go of their ports.
_PORT_PATIENCE_S = 10.0


@dataclass(frozen=True)
class StackSettings:
    """What to run and where; a port 0 stands for a free one, a URL for a server that is not embedded."""

    data_dir: Path
    gateway_port: int
    compute_port: int
    data_port: int
    database_url: str | None
    redis_url: str | None
    quiet: bool = False


def serve_command(service: str) -> Sequence[str]:
    """Return the command that runs a service."""
    # -P: a folder `services` where the user happens to be is not ours.
    return [sys.executable, "-P", "-m", "services.cli.main", "serve", service]


class LocalStack:
    """Runs all of Backcast while its context lasts; entering it returns when every service is SERVING.

    Entering raises BackcastError where something does not start, after what did start has been stopped.
    """

    def __init__(
        self, settings: StackSettings, service_command: Callable[[str], Sequence[str]] = serve_command
    ) -> None:
        self.settings = settings
        self._service_command = service_command
        self._data_dir = settings.data_dir.expanduser().resolve()
        self._ports: dict[str, int] = {}
        self._began = 0.0
        self._lock: FolderLock | None = None
        self._watchdog: Watchdog | None = None
        self._postgres: EmbeddedPostgres | None = None
        self._valkey: EmbeddedValkey | None = None
        self._services: dict[str, ServerProcess] = {}

    @property
    def gateway_address(self) -> str:
        """Where clients find the gateway."""
        return self._address("gateway")

    @property
    def database_url(self) -> str:
        """The database: the given one, or the embedded one."""
        if self._postgres is not None:
            return self._postgres.url
        assert self.settings.database_url is not None
        return self.settings.database_url
