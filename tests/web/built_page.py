"""What the build made of the page, and what of it a browser loads to show a view."""

import re
from pathlib import Path

from services.web.page_files import FOLDER, INDEX

# index.html names files by their paths, scripts name others beside them.
_IN_INDEX = re.compile(r'(?:src|href)="/([^"]+)"')
_IMPORTED = re.compile(r'(?:from|import)\s*"\./([^"]+)"')


def built_files() -> dict[str, Path]:
    """Return the files that are served, by their paths."""
    files = (path for path in FOLDER.rglob("*") if path.is_file() and path.suffix not in {".br", ".gz"})
    return {path.relative_to(FOLDER).as_posix(): path for path in files}


def files_of_view(view: str) -> set[str]:
    """Return the paths of what a browser loads until a view is there."""
    (of_view,) = FOLDER.glob(f"assets/{view}-*.js")
    waiting = {INDEX, f"assets/{of_view.name}", *_IN_INDEX.findall((FOLDER / INDEX).read_text())}
    loaded = set[str]()
    while waiting:
        path = waiting.pop()
        loaded.add(path)
        if path.endswith(".js"):
            named = _IMPORTED.findall((FOLDER / path).read_text())
            waiting |= {f"assets/{name}" for name in named} - loaded
    return loaded
