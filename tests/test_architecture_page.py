"""The files, names and packages that docs/architecture.md names exist."""

import ast
import re
from functools import cache
from importlib import import_module
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[1]
PAGE = (PROJECT / "docs" / "architecture.md").read_text()

# A file below services/ or engine/, and a name that it defines: in the drawing, and in brackets in the text.
DRAWN = re.findall(r"(?<![\w/])((?:\w+/)+\w+)\.py {2,}([A-Za-z_]\w*(?:\.\w+)?)(?=\s)", PAGE)
WRITTEN = [
    (file, name)
    for name, file in re.findall(r"`(\w+(?:\.\w+)?)`\s+\(`((?:\w+/)+\w+)\.py`\)", PAGE)
    if not file.startswith("tests/")
]


@pytest.mark.parametrize(("file", "name"), [*DRAWN, *WRITTEN])
def test_a_name_of_the_page_is_in_its_file(file: str, name: str) -> None:
    in_engine = file.removeprefix("engine/src/")
    module = in_engine if in_engine != file else f"services/{file}"
    found: object = import_module(module.replace("/", "."))
    for part in name.split("."):
        found = getattr(found, part)


def test_the_drawing_is_read() -> None:
    assert len(DRAWN) > 20
    assert len(WRITTEN) > 3


@pytest.mark.parametrize("path", sorted(set(re.findall(r"`(tests/[\w/.]+)`", PAGE))))
def test_a_test_that_the_page_names_is_there(path: str) -> None:
    assert (PROJECT / path).exists()


@cache
def members() -> dict[str, set[str]]:
    """Return the methods and attributes of every class of services and engine, by the class's name."""
    found: dict[str, set[str]] = {}
    for path in [*(PROJECT / "services").rglob("*.py"), *(PROJECT / "engine").rglob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ClassDef):
                names = (
                    getattr(each, "name", None) or ast.unparse(getattr(each, "target", each))
                    for each in node.body
                )
                found.setdefault(node.name, set()).update(names)
    return found


def test_the_members_that_the_text_names_are_in_their_classes() -> None:
    known = members()
    named = set(re.findall(r"`(_?[A-Z]\w+)\.(\w+)`", PAGE))
    assert len(named) > 10
    assert {name for name in named if name[1] not in known.get(name[0], ())} == set()


def test_the_classes_of_the_glossary_exist() -> None:
    named = set(re.findall(r"\(`([A-Z]\w+)`\)", PAGE))
    assert len(named) > 5
    assert named - members().keys() == set()


PACKAGES = re.findall(r"^\| `([a-z]+(?:/[a-z]+)?)` \|", PAGE, re.MULTILINE)


@pytest.mark.parametrize("package", PACKAGES)
def test_a_package_of_the_page_is_there(package: str) -> None:
    assert (PROJECT / "services" / package).is_dir() or (PROJECT / package).is_dir()


@pytest.mark.parametrize("service", ["gateway", "compute"])
def test_the_page_names_every_package_of_a_service(service: str) -> None:
    there = {
        f"{service}/{path.parent.name}" for path in (PROJECT / "services" / service).glob("*/__init__.py")
    }
    assert there == {package for package in PACKAGES if package.startswith(f"{service}/")}
