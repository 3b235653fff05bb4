"""Archives, encodings and checksums, and what files are that hold no candles that can be read."""

import bz2
import gzip
import hashlib
import io
import lzma
import pickle
import sqlite3
import tarfile
import zipfile
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from backcast_engine.errors import InvalidInput
from backcast_engine.interval import Interval
from services.ingest.detect import read_file
from services.ingest.files import text_file
from tests.ingest.conftest import HEADER, NOW_S, OHLCV, START_S, Read, iso, refusal, rows_of

ROWS = [(START_S + 3600 * hour, 2, 3, 1, 2.5, 10) for hour in range(24)]
CONTENT = (HEADER + "".join(f"{iso(time_s)},{OHLCV}\n" for time_s, *_ in ROWS)).encode()
NAME = "ABCUSDT-1h-2020-01"


def zipped(files: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", method) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return packed.getvalue()


def reason(path: Path) -> str:
    with pytest.raises(InvalidInput) as caught:
        read_file(path, Interval.HOUR_1, now_s=NOW_S)
    return str(caught.value).removeprefix("file: ")


# --- zip


@pytest.mark.parametrize(
    "method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA]
)
def test_a_zip_of_one_file_is_read(read: Read, method: int) -> None:
    beside = {"__MACOSX/._a.csv": b"x", ".DS_Store": b"x", "a/.DS_Store": b"x", "a/Thumbs.db": b"x"}
    assert rows_of(read(zipped({**beside, f"a/{NAME}.csv": CONTENT}, method))) == ROWS
    table = io.BytesIO()
    names = HEADER.strip().split(",")
    pq.write_table(pa.table(dict(zip(names, map(list, zip(*ROWS, strict=True)), strict=True))), table)
    assert rows_of(read(zipped({"a.parquet": table.getvalue()}, method))) == ROWS


def encrypted() -> bytes:
    content = bytearray(zipped({"a.csv": CONTENT}))
    content[6] |= 1
    content[content.index(b"PK\x01\x02") + 8] |= 1
    return bytes(content)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (zipped({}), "it is a zip archive of no file"),
        (zipped({"a.csv": CONTENT, "b.csv": CONTENT}), "it is a zip archive of 2 files: unpack it"),
        (
            zipped({"[Content_Types].xml": b"", "xl/workbook.xml": b""}),
            "it is an Excel workbook: save its sheet",
        ),
        (zipped({"mimetype": b"", "content.xml": b""}), "it is an OpenDocument file: save its sheet as CSV"),
        (encrypted(), "its zip archive is encrypted: unpack 'a.csv'"),
        (zipped({"a.csv": CONTENT})[:-30], "its zip archive is broken"),
        (
            zipped({"a.csv": CONTENT}, zipfile.ZIP_STORED).replace(b"2.5", b"2.6"),
            "its zip archive is broken: Bad CRC",
        ),
        (zipped({"a.zip": zipped({"a.csv": CONTENT})}), "it is an archive in an archive"),
        (zipped({"a.csv.gz": gzip.compress(CONTENT)}), "it is compressed twice"),
    ],
)
def test_other_zips_are_refused(read: Read, content: bytes, expected: str) -> None:
    assert refusal(read, content).startswith(expected)


def test_a_zip_that_unpacks_without_end_is_bounded(read: Read, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text_file, "MAX_WHOLE_BYTES", 2**20)
    assert refusal(read, zipped({"a.json": b"[[" + bytes(2**21)})) == "it is larger than 1 MB"
    assert (
        refusal(read, zipped({"a.csv": HEADER.encode() + bytes(6 * 2**20)})) == "line 2 is longer than 1 MB"
    )


@pytest.mark.parametrize(
    ("name", "member", "symbol"),
    [
        ("download.zip", f"{NAME}.csv", "ABCUSDT"),
        ("download.zip", f"um/klines/ABCUSDT/1h/{NAME}.csv", "ABCUSDT.P"),
        (f"{NAME}.zip", "candles.csv", "ABCUSDT"),
        (f"{NAME}.zip", f"{NAME}.csv", "ABCUSDT"),
        ("download.zip", "candles.csv", None),
    ],
)
def test_the_name_in_a_zip_counts_too(tmp_path: Path, name: str, member: str, symbol: str | None) -> None:
    (tmp_path / name).write_bytes(zipped({member: CONTENT}))
    assert read_file(tmp_path / name, Interval.HOUR_1, now_s=NOW_S).symbol == symbol


def test_a_zip_named_differently_from_its_content_names_no_crypto(tmp_path: Path) -> None:
    file = tmp_path / f"{NAME}.zip"
    file.write_bytes(zipped({"XYZUSDT.csv": CONTENT}))
    reading = read_file(file, Interval.HOUR_1, now_s=NOW_S)
    assert reading.symbol is None
    assert reading.no_symbol == "its name means ABCUSDT, and the name of the file in it XYZUSDT"
    file.write_bytes(zipped({"ABCUSDT-4h.csv": CONTENT}))
    assert "its name 1 hour, the name of the file in it 4 hours" in reason(file)
    file.write_bytes(zipped({"markPriceKlines/ABCUSDT.csv": CONTENT}))
    assert "it holds mark prices, not candles of a crypto" in reason(file)


# --- checksums


@pytest.mark.parametrize("packed", [zipped({"a.csv": CONTENT}), CONTENT])
def test_a_checksum_beside_a_file_is_checked(tmp_path: Path, packed: bytes) -> None:
    file, beside = tmp_path / f"{NAME}.zip", tmp_path / f"{NAME}.zip.CHECKSUM"
    file.write_bytes(packed)
    right = hashlib.sha256(packed).hexdigest()
    for text in (
        f"{right}  {file.name}\n",
        f"{right.upper()} *{file.name}",
        right,
        f"{'0' * 64}  x\n{right}  {file.name}\n",
    ):
        beside.write_text(text)
        assert rows_of(read_file(file, Interval.HOUR_1, now_s=NOW_S)) == ROWS
    beside.write_text(f"{'0' * 64}  {file.name}\n")
    assert reason(file) == f"it is damaged, or another file: its SHA-256 is not the one in '{beside.name}'"
    beside.write_text("nonsense")
    assert reason(file) == f"'{beside.name}' beside it has no SHA-256 of it"


# --- encodings


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-be", "utf-32", "utf-32-be"])
@pytest.mark.parametrize("pack", [bytes, gzip.compress, lambda content: zipped({"a.csv": content})])
def test_encodings_with_a_mark_are_read(read: Read, encoding: str, pack: type[bytes]) -> None:
    mark = {"utf-16-be": b"\xfe\xff", "utf-32-be": b"\0\0\xfe\xff"}.get(encoding, b"")
    assert rows_of(read(pack(mark + CONTENT.decode().encode(encoding)))) == ROWS


def test_utf_16_is_read_beyond_its_first_block(read: Read) -> None:
    blank = "\n" * 300_000
    content = CONTENT.decode().replace("\n", f"\n{blank}", 3).encode("utf-16")
    assert rows_of(read(content)) == ROWS


# --- what is not read


def archive() -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as file:
        file.addfile(tarfile.TarInfo("a.csv"))
    return packed.getvalue()


def database(folder: Path) -> bytes:
    connection = sqlite3.connect(folder / "file")
    connection.execute("CREATE TABLE candles (time)")
    connection.close()
    return (folder / "file").read_bytes()


def table_of_trades() -> bytes:
    content = io.BytesIO()
    pq.write_table(pa.table({"id": [1], "price": [2.0], "qty": [3.0]}), content)
    return content.getvalue()


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (bz2.compress(CONTENT), "it is compressed with bzip2: unpack it, and import what is in it"),
        (lzma.compress(CONTENT), "it is compressed with xz: unpack it"),
        (lzma.compress(CONTENT, lzma.FORMAT_ALONE), "it is compressed with LZMA"),
        (pa.compress(CONTENT, "zstd", asbytes=True), "it is compressed with zstd: unpack it"),
        (archive(), "it is a tar archive: unpack it"),
        (gzip.compress(archive()), "it is a tar archive: unpack it"),
        (b"7z\xbc\xaf\x27\x1c\0\4", "it is a 7z archive: unpack it"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "it is an Excel workbook (.xls): save its sheet as CSV"),
        (b"\x89HDF\r\n\x1a\n\0", "it is an HDF5 file: save the table of candles as CSV"),
        *((pickle.dumps([1], protocol), "it is a pickle of Python") for protocol in range(6)),
        *((pickle.dumps({"a": 1}, protocol), "it is a pickle of Python") for protocol in range(6)),
        *((pickle.dumps(Decimal(1), protocol), "it is a pickle of Python") for protocol in range(6)),
        (b"%PDF-1.7\n", "it is a PDF document"),
        (b"\x89PNG\r\n\x1a\n", "it is an image"),
        (b"\xff\xd8\xff\xe0", "it is an image"),
        (b"\n<!DOCTYPE html>\n<html>", "it is a page of HTML or XML, perhaps an error of a server"),
        (b"<?xml version='1.0'?>", "it is a page of HTML or XML"),
        (table_of_trades(), "it names no prices of candles: its columns are 'id', 'price', 'qty'"),
        (b"id,price,qty,time\n1,2,3,4\n", "it begins with 'id,price,qty,time': no known format"),
    ],
)
def test_what_is_not_read_is_named_for_what_it_is(read: Read, content: bytes, expected: str) -> None:
    assert refusal(read, content).startswith(expected)


def test_a_database_is_named(read: Read, tmp_path: Path) -> None:
    assert refusal(read, database(tmp_path)).startswith("it is an SQLite database: save the table of candles")
