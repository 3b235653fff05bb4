"""Recognizes files that lie in folders of candles and plainly hold none, such as a readme."""

import re
from pathlib import Path

from services.domain.errors import InvalidInput
from services.ingest.files import checksum
from services.ingest.files.text_file import open_file

_NAMES = {"readme", "license", "licence"}
_SUFFIXES = {".md", checksum.SUFFIX.lower()}
_NUMBER = re.compile(r"\d+(?:\.\d+)?")
# A row of candles has at least four prices.
_FEWEST_NUMBERS = 4


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
