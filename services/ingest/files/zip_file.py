"""Zip archives of one file, as in Binance's archive."""

import re
import zipfile
from typing import IO

from backcast_engine.errors import InvalidInput
from services.ingest.files.text_rows import shown

MAGIC = (b"PK\x03\x04", b"PK\x05\x06")

_OF_SYSTEMS = re.compile(r"^__MACOSX/|(?:^|/)(?:\.[^/]*|Thumbs\.db|desktop\.ini)$", re.IGNORECASE)

# Kinds of files that are zip archives technically, by a file that they contain.
_KINDS = {
    "xl/": "an Excel workbook: save its sheet as CSV, and import that",
    "word/": "a Word document: candles are in CSV, JSON, Parquet or feather files",
    "content.xml": "an OpenDocument file: save its sheet as CSV, and import that",
    "META-INF/": "a Java archive, and holds no candles",
}


def open_only_file(content: IO[bytes]) -> IO[bytes]:
    """Return the only file in an archive; raise InvalidInput, of the field `file`, if there is not one.

    It is decompressed while it is read, so that a decompression bomb takes no more memory than other files.
    """
    archive = zipfile.ZipFile(content)
    names = archive.namelist()
    for beginning, kind in _KINDS.items():
        if any(name.startswith(beginning) for name in names):
            raise InvalidInput.of("file", f"it is {kind}")
    # Operating systems add files of their own: macOS `__MACOSX/` and `.DS_Store`, Windows `Thumbs.db`.
    members = [
        member
        for member in archive.infolist()
        if not member.is_dir() and not _OF_SYSTEMS.search(member.filename)
    ]
    if len(members) != 1:
        contents = f"{len(members):,} files" if members else "no file"
        raise InvalidInput.of(
            "file", f"it is a zip archive of {contents}: unpack it, and import what is in it"
        )
    (member,) = members
    if member.flag_bits & 1:
        raise InvalidInput.of(
            "file", f"its zip archive is encrypted: unpack {shown(member.filename)}, and import that"
        )
    try:
        return archive.open(member)
    except NotImplementedError as error:
        raise InvalidInput.of("file", f"its zip archive cannot be unpacked: {error}") from error
