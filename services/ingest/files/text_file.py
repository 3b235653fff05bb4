"""A file, decompressed if it is gzip or zip: its text in blocks of complete lines, or all at once."""

import codecs
import gzip
import io
import lzma
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, cast

from backcast_engine.errors import InvalidInput
from services.ingest.files import zip_file
from services.ingest.files.checksum import check_checksum

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

Progress = Callable[[int, int], None]

# Most bytes of a file that must be in memory as a whole, like JSON. Nine years of minutes are 320 MB; a
# larger file is a mistake, or a decompression bomb.
MAX_WHOLE_BYTES = 512 * 2**20

_BLOCK_BYTES = 4 * 2**20
_HEAD_BYTES = 65_536
_GZIP_MAGIC = b"\x1f\x8b"
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
# Longer byte order marks first, because one of them begins with a shorter one.
_MARKED_ENCODINGS = {
    **dict.fromkeys((codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE), "UTF-32"),
    **dict.fromkeys((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE), "UTF-16"),
}


@dataclass(frozen=True, slots=True)
class LineBlock:
    """Lines of a file in UTF-8, each ending with `\\n`, and the number of the first one, counted from 1."""

    first_line: int
    content: bytes


class TextFile:
    """An open file, which is read once; `member` is the name of the only file in a zip archive."""

    def __init__(
        self,
        path: Path,
        content: IO[bytes],
        report_progress: Callable[[], None],
        block_bytes: int,
        member: str | None = None,
    ) -> None:
        self.path = path
        self.member = member
        self._content = content
        self._report_progress = report_progress
        self._block_bytes = block_bytes
        self._head = content.read(_HEAD_BYTES)
        self._is_all = len(self._head) < _HEAD_BYTES

    @property
    def magic(self) -> bytes:
        """The first bytes, which identify binary files."""
        return self._head

    def content(self) -> IO[bytes]:
        """Return the file from its beginning, for binary formats."""
        self._content.seek(0)
        return self._content

    def head(self) -> str:
        """Return the text at the beginning; raise InvalidInput if it is not text, or empty."""
        head = self._head if self._is_all else self._head.rsplit(b"\n", 1)[0]
        text = _with_plain_ends(_checked(head.removeprefix(_BYTE_ORDER_MARK), 0)).decode()
        if self._is_all and not text.strip():
            raise InvalidInput.of("file", "it is empty")
        return text

    def blocks(self) -> Iterator[LineBlock]:
        """Yield all lines, in blocks of some MB."""
        line, begin, waiting = 1, 0, self._head
        is_end = self._is_all
        while waiting or not is_end:
            if not is_end:
                read = self._content.read(self._block_bytes)
                self._report_progress()
                waiting, is_end = waiting + read, not read
            cut = len(waiting) if is_end else _last_line_end(waiting)
            if cut:
                block, waiting = waiting[:cut], waiting[cut:]
                content = _with_plain_ends(_checked(_without_mark(block, begin), begin))
                content = content if content.endswith(b"\n") else content + b"\n"
                yield LineBlock(line, content)
                line += content.count(b"\n")
                begin += cut
            elif len(waiting) > MAX_WHOLE_BYTES:
                raise InvalidInput.of("file", f"line {line} is longer than {MAX_WHOLE_BYTES // 2**20} MB")

    def whole(self) -> str:
        """Return the whole text, with `\\n` at the end of lines; raise InvalidInput if it is too large."""
        content = self._head + self._content.read(MAX_WHOLE_BYTES + 1 - len(self._head))
        self._report_progress()
        if len(content) > MAX_WHOLE_BYTES:
            raise InvalidInput.of("file", f"it is larger than {MAX_WHOLE_BYTES // 2**20} MB")
        return _with_plain_ends(_checked(content.removeprefix(_BYTE_ORDER_MARK), 0)).decode()


@contextmanager
def open_file(
    path: Path, progress: Progress | None = None, block_bytes: int = _BLOCK_BYTES
) -> Iterator[TextFile]:
    """Open a file for as long as the context lasts; raise InvalidInput if it cannot be read.

    `progress` is called with the bytes read so far and the size of the file.
    """
    is_zip = False
    try:
        # exists() and open() are not enough: a folder exists, and opening a pipe waits for its writer.
        if not path.is_file():
            raise InvalidInput.of("file", "it is not a file" if path.exists() else "it does not exist")
        size = path.stat().st_size
        check_checksum(path)
        with path.open("rb") as file:
            is_zip = file.read(4) in zip_file.MAGIC
            file.seek(0)

            def report_progress() -> None:
                if progress:
                    progress(file.tell(), size)

            content = _unpacked(file)
            member = content.name if is_zip else None
            yield TextFile(path, _as_utf_8(content), report_progress, block_bytes, member)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise InvalidInput.of(
            "file", f"its {'zip' if is_zip else 'gzip'} compression is broken: {error}"
        ) from error
    except (zipfile.BadZipFile, lzma.LZMAError) as error:
        raise InvalidInput.of("file", f"its zip archive is broken: {error}") from error
    except OSError as error:
        raise InvalidInput.of("file", f"it cannot be read: {error.strerror or error}") from error


def _unpacked(file: IO[bytes]) -> IO[bytes]:
    beginning = file.read(4)
    file.seek(0)
    if beginning in zip_file.MAGIC:
        return zip_file.open_only_file(file)
    return cast("IO[bytes]", gzip.GzipFile(fileobj=file)) if beginning[:2] == _GZIP_MAGIC else file


def _as_utf_8(content: IO[bytes]) -> IO[bytes]:
    """Return the content, converted to UTF-8 if it is UTF-16 or UTF-32 with a byte order mark."""
    beginning = content.read(4)
    content.seek(0)
    for mark, encoding in _MARKED_ENCODINGS.items():
        if beginning.startswith(mark):
            return io.BufferedReader(_Utf8(content, encoding), _HEAD_BYTES)
    return content


class _Utf8(io.RawIOBase):
    """A sequential reader that converts another encoding to UTF-8."""

    def __init__(self, content: IO[bytes], encoding: str) -> None:
        self._content = content
        self._encoding = encoding
        self._decoder = codecs.getincrementaldecoder(encoding)()
        self._waiting = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "WriteableBuffer") -> int:
        view = memoryview(buffer).cast("B")
        while not self._waiting:
            read = self._content.read(_HEAD_BYTES)
            try:
                self._waiting = self._decoder.decode(read, final=not read).encode()
            except UnicodeDecodeError as error:
                raise InvalidInput.of(
                    "file", f"it is not text: its {self._encoding} is broken: {error.reason}"
                ) from error
            if not read:
                break
        count = min(len(view), len(self._waiting))
        view[:count], self._waiting = self._waiting[:count], self._waiting[count:]
        return count


def _last_line_end(content: bytes) -> int:
    """Return the position after the last line end, 0 if there is none."""
    # A final \r may be the first half of \r\n.
    return 1 + max(content.rfind(b"\n"), -1) or 1 + content.rfind(b"\r", 0, -1)


def _without_mark(block: bytes, begin: int) -> bytes:
    return block if begin else block.removeprefix(_BYTE_ORDER_MARK)


def _checked(content: bytes, begin: int) -> bytes:
    """Return the content; raise InvalidInput if it is not UTF-8. `begin` is its position in the file."""
    try:
        if not content.isascii():
            content.decode()
    except UnicodeDecodeError as error:
        raise InvalidInput.of(
            "file", f"it is not text: byte {begin + error.start + 1} is not UTF-8"
        ) from error
    return content


def _with_plain_ends(content: bytes) -> bytes:
    return content.replace(b"\r\n", b"\n").replace(b"\r", b"\n") if b"\r" in content else content
