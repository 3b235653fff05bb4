"""The checksum file beside a file: Binance's archive has `NAME.zip.CHECKSUM` beside `NAME.zip`."""

import hashlib
import re
from pathlib import Path

from backcast_engine.errors import InvalidInput
from services.ingest.files.text_rows import shown

SUFFIX = ".CHECKSUM"

# A checksum and a name, in the format of sha256sum.
_LINE = re.compile(r"([0-9a-fA-F]{64})(?:\s+\*?(.+?))?\s*")
_MAX_BYTES = 65_536


def check_checksum(path: Path) -> None:
    """Raise InvalidInput, of the field `file`, if a file does not match the checksum beside it.

    Without a checksum file, nothing is checked.
    """
    beside = path.with_name(path.name + SUFFIX)
    if not path.name or not beside.is_file():
        return
    with beside.open("rb") as file:
        text = file.read(_MAX_BYTES).decode(errors="replace")
    sums = {
        match[2] or "": match[1].lower() for line in text.splitlines() if (match := _LINE.fullmatch(line))
    }
    expected = sums.get(path.name) or (next(iter(sums.values())) if len(sums) == 1 else None)
    if expected is None:
        raise InvalidInput.of("file", f"{shown(beside.name)} beside it has no SHA-256 of it")
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != expected:
        raise InvalidInput.of(
            "file", f"it is damaged, or another file: its SHA-256 is not the one in {shown(beside.name)}"
        )
