"""Files that have their names only when they are complete: an interrupted command leaves none behind."""

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from backcast_engine.errors import InvalidInput

_OPTION = "--output"


def check_folder(folder: Path) -> None:
    """Raise InvalidInput, naming the option, if files cannot be made in `folder`."""
    if not folder.is_dir():
        raise InvalidInput.of(_OPTION, f"there is no folder {str(folder)!r}")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise InvalidInput.of(_OPTION, f"nothing can be written into the folder {str(folder)!r}")


def check_absent(paths: Iterable[Path]) -> None:
    """Raise InvalidInput, naming the option, if any of the files exists."""
    existing = [path for path in paths if path.exists()]
    if existing:
        names = " and ".join(repr(str(path)) for path in existing)
        exists, replaces = ("exists", "it") if len(existing) == 1 else ("exist", "them")
        raise InvalidInput.of(_OPTION, f"{names} {exists}: --overwrite replaces {replaces}")


@contextmanager
def folder_for(path: Path) -> Iterator[None]:
    """Make a folder, unless it is there, for what the block writes; where that fails, remove it again.

    Raises InvalidInput, naming the option, if it cannot be made.
    """
    is_new = not path.exists()
    try:
        path.mkdir(exist_ok=True)
    except OSError as error:
        raise InvalidInput.of(_OPTION, f"{str(path)!r} cannot be made: {error.strerror}") from None
    try:
        yield
    except BaseException:
        # Ctrl-C, for one. A folder that is not empty is left alone.
        if is_new:
            with suppress(OSError):
                path.rmdir()
        raise


@contextmanager
def new_files(paths: Sequence[Path], *, overwrite: bool) -> Iterator[list[Path]]:
    """Yield paths to write to, which become `paths` after the block.

    If the block or the writing fails, the files that were there before are unchanged. Raises InvalidInput,
    naming the option, if a file exists and `overwrite` is False, or if one cannot be written.
    """
    unfinished = [path.with_name(f".{path.name}.{os.getpid()}.unfinished") for path in paths]
    try:
        yield unfinished
        if not overwrite:
            check_absent(paths)
        for written, path in zip(unfinished, paths, strict=True):
            written.replace(path)
    except OSError as error:
        names = " and ".join(repr(str(path)) for path in paths)
        raise InvalidInput.of(_OPTION, f"{names} cannot be written: {error.strerror or error}") from None
    finally:
        for written in unfinished:
            written.unlink(missing_ok=True)
