"""A throwaway TimescaleDB, where this machine has one installed."""

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

from services.local.server_process import ServerProcess
from services.local.system_account import let_pass, server_account

_CHOSEN = "BACKCAST_TEST_PG_BIN"
_DEBIAN = Path("/usr/lib/postgresql")
_PROGRAMS = ("initdb", "pg_config", "postgres")
_PORT = 5432  # names the socket only
_LIMIT_S = 60.0


def timescale_programs() -> Path | None:
    """Return the folder of programs of an installed PostgreSQL that has TimescaleDB, if there is one."""
    if chosen := os.environ.get(_CHOSEN):
        assert _has_timescale(Path(chosen)), f"{_CHOSEN}: there is no TimescaleDB for {chosen}"
        return Path(chosen)
    return next(filter(_has_timescale, _installed()), None)


def _installed() -> Iterator[Path]:
    for folder in os.get_exec_path():
        if (config := Path(folder, "pg_config")).is_file():
            yield Path(_answer_of(config, "--bindir"))
    yield from sorted(_DEBIAN.glob("*/bin"), reverse=True)


def _has_timescale(programs: Path) -> bool:
    if not all((programs / name).is_file() for name in _PROGRAMS):
        return False
    share = Path(_answer_of(programs / "pg_config", "--sharedir"))
    return (share / "extension" / "timescaledb.control").is_file()


def _answer_of(config: Path, question: str) -> str:
    return subprocess.run([config, question], check=True, capture_output=True, text=True).stdout.strip()


class TimescaleServer:
    """A TimescaleDB server on a unix socket, with its data in `<folder>/data`."""

    def __init__(self, folder: Path, programs: Path) -> None:
        self._data = folder / "data"
        self._log = folder / "postgres.log"
        self._programs = programs
        # PostgreSQL does not run as root.
        self._account = server_account()
        self._process: ServerProcess | None = None

    @property
    def url(self) -> str:
        return f"postgresql://postgres@/postgres?host={quote(str(self._data))}&port={_PORT}"

    @property
    def process(self) -> ServerProcess:
        assert self._process is not None
        return self._process

    def start(self) -> None:
        if not self._data.exists():
            self._make_database()
        # A killed server's says that it is ready.
        for stale in ("postmaster.pid", f".s.PGSQL.{_PORT}.lock"):
            (self._data / stale).unlink(missing_ok=True)
        settings = {
            "listen_addresses": "",
            "unix_socket_directories": self._data,
            "shared_preload_libraries": "timescaledb",
            # As Timescale's image sets itself up, at least: PostgreSQL's defaults are for tiny machines.
            "shared_buffers": "512MB",
            "wal_buffers": "16MB",
            "max_wal_size": "4GB",
            # A server that has been at work for a while uses the files of its log again.
            "wal_init_zero": "off",
            # It would report every test to its makers.
            "timescaledb.telemetry_level": "off",
        }
        self._process = ServerProcess(
            "TimescaleDB",
            self._command(
                "postgres",
                *("-D", str(self._data), "-p", str(_PORT)),
                *(word for name, value in settings.items() for word in ("-c", f"{name}={value}")),
            ),
            self._log,
            stop_signal=signal.SIGINT,  # does not wait for clients to leave
            folder=self._data,
        )
        self._process.wait_until(self._is_ready, _LIMIT_S)

    def stop(self) -> None:
        if self._process:
            self._process.stop(_LIMIT_S)
            self._process = None

    def _is_ready(self) -> bool:
        pid_file = self._data / "postmaster.pid"
        return pid_file.exists() and pid_file.read_text().split()[-1:] == ["ready"]

    def _make_database(self) -> None:
        self._data.mkdir(parents=True)
        if self._account:
            self._account.own(self._data)
            let_pass(self._data)
            let_pass(self._programs / "postgres")
        subprocess.run(
            self._command(
                "initdb",
                *("--pgdata", str(self._data), "--username", "postgres", "--auth", "trust"),
                *("--encoding", "UTF8", "--no-locale"),
            ),
            check=True,
            stdout=subprocess.DEVNULL,
            cwd=self._data,
        )

    def _command(self, program: str, *arguments: str) -> list[str]:
        command = [str(self._programs / program), *arguments]
        return self._account.command(command) if self._account else command
