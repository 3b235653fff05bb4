"""A folder for a server's Unix socket."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

# sun_path holds 104 bytes on macOS and 108 on Linux, with the zero at the end.
_MAX_PATH_BYTES = 103


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
