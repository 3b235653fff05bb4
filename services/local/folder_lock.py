"""The lock of a data folder: one `backcast up` at a time."""

import fcntl
import os
from pathlib import Path

from backcast_engine.errors import Refused


class FolderLock:
    """Holds `<folder>/lock` until it is released, or until the kernel releases it for a killed process.

    The file contains the owner's process id; `release` empties it.
    """

    def __init__(self, folder: Path) -> None:
        self._file = (folder / "lock").open("a+")
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            owner = self._read()
            self._file.close()
            raise Refused(
                f"the data folder {folder} is in use by another backcast (process {owner})"
            ) from None
        self.after_kill = bool(self._read())
        """Whether the previous owner was killed."""
        self._write(str(os.getpid()))

    def release(self) -> None:
        """Release the folder."""
        self._write("")
        self._file.close()

    def _read(self) -> str:
        self._file.seek(0)
        return self._file.read()

    def _write(self, text: str) -> None:
        self._file.truncate(0)
        self._file.write(text)
        self._file.flush()
