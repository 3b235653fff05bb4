"""docs/architecture.md draws the path of a result: every file and every name in the drawing exists."""

import re
from importlib import import_module
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[1]
PAGE = (PROJECT / "docs" / "architecture.md").read_text()

# A file below services/, and beside it in the drawing, or behind it in brackets in the text, what it defines.
DRAWN = re.findall(r"(?<![\w/])((?:\w+/)+\w+)\.py {2,}([A-Za-z_]\w*(?:\.\w+)?)(?=\s)", PAGE)
WRITTEN = [
    (file, name)
    for name, file in re.findall(r"`(\w+(?:\.\w+)?)`\s+\(`((?:\w+/)+\w+)\.py`\)", PAGE)
    if not file.startswith("tests/")
]


@pytest.mark.parametrize(("file", "name"), [*DRAWN, *WRITTEN])
def test_a_name_of_the_page_is_in_its_file(file: str, name: str) -> None:
    found: object = import_module(f"services.{file.replace('/', '.')}")
    for part in name.split("."):
        found = getattr(found, part)


def test_the_drawing_is_read() -> None:
    assert len(DRAWN) > 20
    assert len(WRITTEN) > 3


@pytest.mark.parametrize("path", sorted(set(re.findall(r"`(tests/[\w/.]+)`", PAGE))))
def test_a_test_that_the_page_names_is_there(path: str) -> None:
    assert (PROJECT / path).exists()


@pytest.mark.parametrize("room", re.findall(r"^\| `(\w+/\w+|engine)` \|", PAGE, re.MULTILINE))
def test_a_room_of_the_page_is_there(room: str) -> None:
    assert (PROJECT / "services" / room).is_dir()
