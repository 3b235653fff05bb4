"""Groups the files of one import by crypto, so that they can be compared before one is written."""

from collections.abc import Callable, Iterable
from pathlib import Path

from services.ingest.identity.file_symbol import parse_file_name


def grouped(
    files: list[Path], symbol: str | None, symbol_in: Callable[[Path], str | None]
) -> Iterable[list[Path]]:
    """Return the files in groups of one crypto each, in the order of each group's first file.

    With `symbol`, all files are of it. Otherwise their names decide. A file whose name has no symbol is read
    with `symbol_in`, which returns None if the content has no symbol either.
    """
    if symbol is not None or len(files) == 1:
        return [files]
    groups: dict[str | Path, list[Path]] = {}
    for file in files:
        groups.setdefault(parse_file_name(file).symbol or symbol_in(file) or file, []).append(file)
    return groups.values()
