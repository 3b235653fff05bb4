"""Ends the processes of a supervisor that was killed.

The supervisor imports `Watchdog`; its process runs this same file, which therefore imports nothing of ours.
"""

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

_GRACE_S = 10.0


class Watchdog:
    """A tiny process that ends the supervisor's children if the supervisor is killed.

    It reads from a pipe that only the supervisor can write to, so the pipe ends when the supervisor dies.
    PR_SET_PDEATHSIG is no substitute: it exists only on Linux, and fires when the *thread* that forked ends.
    """

    def __init__(self, data_dir: Path) -> None:
        self._process = subprocess.Popen(
            # The folder is an argument only for people who read the list of processes.
            [sys.executable, "-I", "-S", str(Path(__file__).resolve()), str(data_dir)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            bufsize=0,
            start_new_session=True,
        )

    def watch(self, pid: int, stop_signal: signal.Signals) -> None:
        """End the leader of the process group `pid` with `stop_signal` if this process is killed."""
        assert self._process.stdin is not None
        # If the watchdog was killed, this does not fail: it is needed only if we are killed too.
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.write(f"{pid} {int(stop_signal)}\n".encode())

    def dismiss(self) -> None:
        """End the watchdog; it ends nothing else."""
        assert self._process.stdin is not None
        self._process.kill()
        self._process.stdin.close()
        self._process.wait()


def _is_there(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except OSError:
        return False
    return True


def _main() -> None:
    watched = [(int(pid), int(number)) for pid, number in map(str.split, sys.stdin)]
    for pid, number in watched:
        with contextlib.suppress(OSError):
            os.kill(pid, number)
    deadline = time.monotonic() + _GRACE_S
    while time.monotonic() < deadline and any(_is_there(pid) for pid, _ in watched):
        time.sleep(0.05)
    for pid, _ in watched:
        with contextlib.suppress(OSError):
            os.killpg(pid, signal.SIGKILL)


if __name__ == "__main__":
    _main()
