"""A zip archive of one file, as Binance's archive has them."""

import re
import zipfile
from typing import IO

from services.domain.errors import InvalidInput
from services.ingest.files.text_rows import shown

MAGIC = (b"PK\x03\x04", b"PK\x05\x06")

_OF_SYSTEMS = re.compile(r"^__MACOSX/|(?:^|/)(?:\.[^/]*|Thumbs\.db|desktop\.ini)$", re.IGNORECASE)

# What is a zip archive to programs, and something else to people, by the file that makes it so.
_KINDS = {
    "xl/": "an Excel workbook: save its sheet as CSV, and import that",
    "word/": "a Word document: candles are in CSV, JSON, Parquet or feather files",
    "content.xml": "an OpenDocument file: save its sheet as CSV, and import that",
    "META-INF/": "a Java archive, and holds no candles",
}


def open_only_file(content: IO[bytes]) -> IO[bytes]:
    """Return the one file in an archive; raise InvalidInput, of the field `file`, if there is none.

    It is unpacked as it is read: an archive that unpacks without end takes no more memory than others.
    """
    archive = zipfile.ZipFile(content)
    names = archive.namelist()
    for beginning, kind in _KINDS.items():
        if any(name.startswith(beginning) for name in names):
            raise InvalidInput.of("file", f"it is {kind}")
    # Systems put what they know of files beside them: macOS `__MACOSX/` and `.DS_Store`, Windows `Thumbs.db`.
    members = [
        member
        for member in archive.infolist()
        if not member.is_dir() and not _OF_SYSTEMS.search(member.filename)
    ]
    if len(members) != 1:
        told = f"{len(members):,} files" if members else "no file"
        raise InvalidInput.of("file", f"it is a zip archive of {told}: unpack it, and import what is in it")
    (member,) = members
    if member.flag_bits & 1:
        raise InvalidInput.of(
            "file", f"its zip archive is encrypted: unpack {shown(member.filename)}, and import that"
        )
    try:
        return archive.open(member)
    except NotImplementedError as error:
        raise InvalidInput.of("file", f"its zip archive cannot be unpacked: {error}") from error
