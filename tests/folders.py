"""Folders of servers that tests start."""

from pathlib import Path
from tempfile import mkdtemp


def new_folder(parent: Path, name: str) -> Path:
    """Make another folder in `parent`, whose name begins with `name`.

    For fixtures of a package: files of other packages may come between its files, and then a session has
    such a fixture more than once.
    """
    folder = Path(mkdtemp(prefix=f"{name}-", dir=parent))
    # The database's account passes through.
    folder.chmod(0o755)
    return folder
