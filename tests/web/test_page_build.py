"""The package build's part in the page: an installation without it, and what the lock file names."""

import json
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

PROJECT = Path(__file__).parents[2]


class Builder:
    """The base of hooks as hatchling has it, which is only there while a package is built."""

    def __init__(self) -> None:
        self.warnings: list[str] = []

    @property
    def app(self) -> "Builder":
        return self

    def display_warning(self, text: str) -> None:
        self.warnings.append(text)


@pytest.fixture
def hook(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ModuleType:
    """The build's hook, whose page is in another folder and made by writing one file."""
    interface: Any = ModuleType("hatchling.builders.hooks.plugin.interface")
    interface.BuildHookInterface = Builder
    for name in (
        "hatchling",
        "hatchling.builders",
        "hatchling.builders.hooks",
        "hatchling.builders.hooks.plugin",
    ):
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    monkeypatch.setitem(sys.modules, interface.__name__, interface)
    # It looks for page/build.py; a package has the name `build` too.
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.delitem(sys.modules, "build", raising=False)
    spec = spec_from_file_location("page_hook", PROJECT / "hatch_build.py")
    assert spec is not None and spec.loader is not None
    module: Any = module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.delitem(sys.modules, "build")
    static = tmp_path / "static"
    static.mkdir()
    (static / "index.html").write_text("of an earlier build")
    monkeypatch.setattr(module, "STATIC", static)
    monkeypatch.setattr(module, "build", lambda: (static / "index.html").write_text("new"))
    return module


def initialized(hook: Any) -> list[str]:
    """Do what a package build does; return its warnings."""
    built = hook.PageHook()
    built.initialize("standard", {})
    warnings: list[str] = built.warnings
    return warnings


def test_one_variable_installs_without_the_page_and_says_so(
    hook: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BACKCAST_WITHOUT_PAGE", "1")
    assert initialized(hook) == ["BACKCAST_WITHOUT_PAGE=1: this installation has no page"]
    assert not hook.STATIC.exists()


def test_the_page_is_made_anew_whenever_the_package_is_built(
    hook: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("BACKCAST_WITHOUT_PAGE", raising=False)
    assert initialized(hook) == []
    assert (hook.STATIC / "index.html").read_text() == "new"


def test_the_lock_file_names_no_registry_and_has_the_hash_of_every_package() -> None:
    text = (PROJECT / "page" / "package-lock.json").read_text()
    assert "resolved" not in text
    assert "registry" not in text
    packages = {name: one for name, one in json.loads(text)["packages"].items() if name}
    assert packages
    assert [name for name, one in packages.items() if not one["integrity"].startswith("sha512-")] == []
