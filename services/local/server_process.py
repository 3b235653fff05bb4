"""A process of the stack, an embedded server or one of the services; why it ended; where its socket is."""

import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

from services.domain.errors import Unavailable
from services.local.watchdog import Watchdog

_POLL_S = 0.02
_TAIL_BYTES = 64 * 1024
# PostgreSQL logs "FATAL: …" and then, every time, that it is shut down.
_REASON = re.compile(r"\b(FATAL|PANIC|error):")
# sun_path holds 104 bytes on macOS and 108 on Linux, with the zero at the end.
_MAX_PATH_BYTES = 103


class ServerProcess:
    """A running command, with its output in a log file.

    It leads a session of its own, so that Ctrl-C in the terminal reaches only the supervisor, and so that its
    children can be ended with it.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        log: Path,
        *,
        stop_signal: signal.Signals = signal.SIGTERM,
        folder: Path | None = None,
        environment: Mapping[str, str] | None = None,
        watchdog: Watchdog | None = None,
    ) -> None:
        self.name = name
        self.log = log
        self._stop_signal = stop_signal
        self._stopped = False
        log.parent.mkdir(exist_ok=True)
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=folder,
                env=environment,
                start_new_session=True,
            )
        if watchdog:
            watchdog.watch(self.pid, stop_signal)

    @property
    def pid(self) -> int:
        """The id of the process and of its process group."""
        return self._process.pid

    def check(self) -> None:
        """Raise Unavailable, with the reason from the log, if the process has ended."""
        code = self._process.poll()
        if code is not None:
            raise Unavailable(
                f"{self.name} ended (exit code {code}): {exit_reason(self.log)} [the whole log: {self.log}]"
            )

    def wait_until(self, is_ready: Callable[[], bool], limit_s: float) -> None:
        """Wait until `is_ready`; raise Unavailable if the process ends before or takes too long."""
        deadline = time.monotonic() + limit_s
        while not is_ready():
            self.check()
            if time.monotonic() > deadline:
                raise Unavailable(f"{self.name} is not ready after {limit_s:.0f} s [its log: {self.log}]")
            time.sleep(_POLL_S)

    def stop(self, grace_s: float) -> None:
        """Ask the process to end, kill it after `grace_s`, and kill the rest of its group."""
        if self._stopped:
            return
        self._stopped = True
        if self._process.poll() is None:
            self._process.send_signal(self._stop_signal)
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(grace_s)
        # The rest of the group: the process if it ignored the signal, or workers that it left.
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)
        self._process.wait()


def end_leftovers(folder: Path, name: str, stop_signal: signal.Signals, grace_s: float) -> None:
    """End the servers called `name` that a killed supervisor left running in `folder`.

    They are found by their working folder, because process ids in files can be reused.
    """
    found = {
        process.pid: process
        for process in psutil.process_iter(["name", "cwd", "ppid"])
        if process.info["name"] == name and process.info["cwd"] == str(folder)
    }
    for process in found.values():
        if process.info["ppid"] not in found:
            with suppress(psutil.NoSuchProcess):
                process.send_signal(stop_signal)
    _wait_for_end(found.values(), grace_s)
    for process in found.values():
        with suppress(psutil.NoSuchProcess):
            process.kill()
    _wait_for_end(found.values(), grace_s)


def _wait_for_end(processes: Collection[psutil.Process], limit_s: float) -> None:
    deadline = time.monotonic() + limit_s
    while any(map(_is_alive, processes)) and time.monotonic() < deadline:
        time.sleep(_POLL_S)


def _is_alive(process: psutil.Process) -> bool:
    try:
        # A zombie that its new parent does not reap, as in many containers, stays in the list for ever.
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def exit_reason(log: Path) -> str:
    """Return the last line of a log that is marked as an error, or else the last line."""
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - _TAIL_BYTES))
        return error_line(file.read().decode(errors="replace"))


def error_line(text: str) -> str:
    """Return the last line of `text` that is marked as an error, or else the last line.

    Of a structured record, it is only the event.
    """
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if not lines:
        return "its log is empty"
    line = next((line for line in reversed(lines) if _REASON.search(line)), lines[-1])
    try:
        return str(json.loads(line)["event"])
    except (ValueError, KeyError, TypeError):
        return line


@contextmanager
def socket_folder(preferred: Path, socket_name: str) -> Iterator[Path]:
    """Yield `preferred` if its path is short enough for a socket, otherwise a private folder."""
    # A comma separates folders for PostgreSQL, and hosts for its clients.
    if len(os.fsencode(preferred / socket_name)) <= _MAX_PATH_BYTES and "," not in str(preferred):
        yield preferred
        return
    folder = Path(tempfile.mkdtemp(prefix="backcast-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
