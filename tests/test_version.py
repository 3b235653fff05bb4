"""pyproject.toml has the version, and everything else names the same one."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.deploy.yaml_files import compose, kustomization

PROJECT = Path(__file__).parents[1]
VERSION: str = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]["version"]


def test_the_command_prints_the_version() -> None:
    command = [sys.executable, "-m", "services.cli.main", "--version"]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    assert done.stdout == f"backcast {VERSION}\n"


@pytest.mark.parametrize("folder", ["clients/python", "engine"])
def test_the_libraries_have_the_version_and_are_required_in_it(folder: str) -> None:
    library = tomllib.loads((PROJECT / folder / "pyproject.toml").read_text())["project"]
    assert library["version"] == VERSION
    server = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
    assert f"{library['name']}=={VERSION}" in server["dependencies"]


def test_the_client_brings_the_engine_of_its_version() -> None:
    client = tomllib.loads((PROJECT / "clients/python/pyproject.toml").read_text())["project"]
    assert client["optional-dependencies"]["engine"] == [f"backcast-engine=={VERSION}"]


def test_the_newest_section_of_the_changelog_is_of_the_version() -> None:
    newest = re.findall(r"^## \[(.*?)\]", (PROJECT / "CHANGELOG.md").read_text(), re.MULTILINE)[0]
    assert newest == ("Unreleased" if ".dev" in VERSION else VERSION)


def test_images_are_tagged_with_the_version() -> None:
    page = (PROJECT / "docs" / "deployment.md").read_text()
    tags = {
        *re.findall(r"backcast:(\d\S*)", page),
        *(str(image["newTag"]) for image in kustomization()["images"] if image["name"] == "backcast"),
        compose()["services"]["gateway"]["image"].removeprefix("backcast:"),
    }
    assert tags == {VERSION}
