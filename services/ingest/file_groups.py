"""Which files of one import are of the same crypto, so that they can be compared before one is written."""

from collections.abc import Callable, Iterable
from pathlib import Path

from services.ingest.identity.file_symbol import told_by_name


def grouped(
    files: list[Path], symbol: str | None, symbol_in: Callable[[Path], str | None]
) -> Iterable[list[Path]]:
    """Return the files in groups of one crypto each, in the order of each group's first file.

    With `symbol`, all files are of it. Otherwise their names tell; a file whose name does not is looked into
    with `symbol_in`, which returns None where the file tells nothing either.
    """
    if symbol is not None or len(files) == 1:
        return [files]
    groups: dict[str | Path, list[Path]] = {}
    for file in files:
        groups.setdefault(told_by_name(file).symbol or symbol_in(file) or file, []).append(file)
    return groups.values()
