"""The text of a file, whether it is compressed or not."""

import gzip
import zlib
from pathlib import Path

from services.shared.errors import InvalidInput

# Text is held in memory whole, several times over. Nine years of minutes are 320 MB; more than this is
# no file of candles, but a mistake, or an archive that is made to unpack without end.
MAX_BYTES = 512 * 2**20

_GZIP_MAGIC = b"\x1f\x8b"
_ZIP_MAGIC = b"PK\x03\x04"


def read_text(path: Path) -> str:
    """Return the text of a UTF-8 file, unpacked where it is gzip, with `\\n` at the end of all lines.

    Raises InvalidInput where it cannot be read, is empty, too large, a broken gzip, or no UTF-8.
    """
    content = _content(path)
    if content.startswith(_ZIP_MAGIC):
        raise InvalidInput.of("file", "it is a zip archive: unpack it, and read the files that are in it")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidInput.of("file", f"it is not text: byte {error.start + 1} is not UTF-8") from error
    if not text.strip():
        raise InvalidInput.of("file", "it is empty")
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    return text


def _content(path: Path) -> bytes:
    try:
        # Neither exists() nor open() will do: a folder exists, and opening a pipe waits for its writer.
        if not path.is_file():
            raise InvalidInput.of("file", "it is not a file" if path.exists() else "it does not exist")
        with path.open("rb") as file:
            packed = file.read(len(_GZIP_MAGIC)) == _GZIP_MAGIC
            file.seek(0)
            if packed:
                with gzip.GzipFile(fileobj=file) as unpacked:
                    content = unpacked.read(MAX_BYTES + 1)
            else:
                content = file.read(MAX_BYTES + 1)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise InvalidInput.of("file", f"its gzip compression is broken: {error}") from error
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise InvalidInput.of("file", f"it cannot be read: {reason}") from error
    if len(content) > MAX_BYTES:
        raise InvalidInput.of("file", f"it is larger than {MAX_BYTES // 2**20} MB")
    return content
