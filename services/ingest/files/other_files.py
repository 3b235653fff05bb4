"""Recognizes files without candles: a readme beside files of candles, and kinds that cannot be imported."""

import re
from pathlib import Path

from backcast_engine.errors import InvalidInput
from services.ingest.files import checksum
from services.ingest.files.text_file import open_file

_NAMES = {"readme", "license", "licence"}
_SUFFIXES = {".md", checksum.SUFFIX.lower()}
_NUMBER = re.compile(r"\d+(?:\.\d+)?")
# A row of candles has at least four prices.
_FEWEST_NUMBERS = 4
_UNPACK = "unpack it, and import what is in it"
_TABLE = "save the table of candles as CSV, Parquet or feather, and import that"
_NO_CANDLES = "candles are in CSV, JSON, Parquet or feather files"

# Position and bytes of the signature, the kind of file, and what the user can do.
_KINDS = (
    *((0, b"BZh", "compressed with bzip2", _UNPACK), (0, b"\xfd7zXZ\x00", "compressed with xz", _UNPACK)),
    *(
        (0, b"\x28\xb5\x2f\xfd", "compressed with zstd", _UNPACK),
        (0, b"\x04\x22\x4d\x18", "an lz4 file", _UNPACK),
    ),
    (0, b"\x5d\x00\x00", "compressed with LZMA (as Dukascopy's .bi5 files are)", _UNPACK),
    *((0, b"7z\xbc\xaf\x27\x1c", "a 7z archive", _UNPACK), (0, b"Rar!\x1a\x07", "a RAR archive", _UNPACK)),
    *((0, b"\x1f\x8b", "compressed twice", _UNPACK), (0, b"PK\x03\x04", "an archive in an archive", _UNPACK)),
    (257, b"ustar", "a tar archive", _UNPACK),
    (
        0,
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",
        "an Excel workbook (.xls)",
        "save its sheet as CSV, and import that",
    ),
    *(
        (0, b"\x89HDF\r\n\x1a\n", "an HDF5 file", _TABLE),
        (0, b"SQLite format 3\x00", "an SQLite database", _TABLE),
    ),
    *((8, b"DUCK", "a DuckDB database", _TABLE), (0, b"ORC", "an ORC file", _TABLE)),
    *((0, b"Obj\x01", "an Avro file", _TABLE), (0, b"FEA1", "a feather file of version 1", _TABLE)),
    *((0, b"\x93NUMPY", "a NumPy array", _TABLE), (0, b"%PDF-", "a PDF document", _NO_CANDLES)),
    *((0, b"\x89PNG", "an image", _NO_CANDLES), (0, b"\xff\xd8\xff", "an image", _NO_CANDLES)),
    *((0, b"GIF8", "an image", _NO_CANDLES), (0, b"\x7fELF", "a program", _NO_CANDLES)),
    *((0, b"MZ", "a program", _NO_CANDLES), (0, b"\x1f\x9d", "compressed with compress", _UNPACK)),
)
# Pickles of protocol 2 to 5, of protocol 1 (a memoized container), and of protocol 0, which is text: a
# memoized container, or a global of a module.
_PICKLE = re.compile(rb"\x80[\x02-\x05]|[\]})]q\x00|\([dl]p\d+\n|c[\w.]+\n\w+\n(?:p\d+\n|\(|q\x00)")
_MARKUP = (b"<!doctype", b"<html", b"<?xml", b"<svg", b"<!--")


def is_no_candle_file(path: Path) -> bool:
    """Return whether a file is no candle file, by its name, or by its text if its name ends with .txt.

    Text of candles has rows of numbers, or is JSON. A file that cannot be read may be a candle file.
    """
    suffix = path.suffix.lower()
    if suffix in _SUFFIXES or path.name.lower().removesuffix(suffix) in _NAMES:
        return True
    if suffix != ".txt":
        return False
    try:
        with open_file(path) as file:
            text = file.head().lstrip()
    except InvalidInput:
        return False
    return text[:1] not in ("[", "{") and all(
        len(_NUMBER.findall(line)) < _FEWEST_NUMBERS for line in text.split("\n")
    )


def refuse_other_kinds(head: bytes) -> None:
    """Raise InvalidInput, of the field `file`, if the first bytes are those of another kind of file."""
    for begin, magic, kind, remedy in _KINDS:
        if head[begin : begin + len(magic)] == magic:
            raise InvalidInput.of("file", f"it is {kind}: {remedy}")
    if _PICKLE.match(head):
        raise InvalidInput.of("file", f"it is a pickle of Python, which could run any code: {_TABLE}")
    if head.lstrip()[:9].lower().startswith(_MARKUP):
        raise InvalidInput.of(
            "file", f"it is a page of HTML or XML, perhaps an error of a server: {_NO_CANDLES}"
        )
    if len(head) >= 16 and not any(head[1:16:2]) and all(head[0:16:2]):
        raise InvalidInput.of("file", "it is UTF-16 without a mark at its beginning: save it as UTF-8")
