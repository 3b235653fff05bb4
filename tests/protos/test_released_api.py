"""A release keeps its API, and `make lint` refuses what would break its clients."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from google.rpc import error_details_pb2, status_pb2

PROJECT = Path(__file__).parents[2]


class Project:
    """A copy of the project's protos and of what `make` needs to look at them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in ("Makefile", "buf.yaml", "constraints.txt", "pyproject.toml", "CHANGELOG.md"):
            shutil.copy(PROJECT / name, folder)
        ignored = shutil.ignore_patterns("__pycache__", "*.binpb.gz")
        shutil.copytree(PROJECT / "protos", folder / "protos", ignore=ignored)
        # As `make googleapis` would fetch them.
        googleapis = folder / "build" / "googleapis" / "google" / "rpc"
        googleapis.mkdir(parents=True)
        for module in (status_pb2, error_details_pb2):
            shutil.copy(module.__file__.replace("_pb2.py", ".proto"), googleapis)
        (folder / ".venv").mkdir()
        (folder / ".venv" / "bin").symlink_to(Path(sys.executable).parent)
        (folder / ".venv" / "installed").touch()

    def make(self, goal: str) -> subprocess.CompletedProcess[str]:
        # The installation is this one, though the copy's version is another.
        command = ["make", "--assume-old=.venv/installed", goal, f"PYTHON={sys.executable}"]
        return subprocess.run(command, cwd=self.folder, check=False, capture_output=True, text=True)

    def change(self, name: str, before: str, after: str) -> None:
        """Replace a piece of a file, a regular expression that has to be there."""
        path = self.folder / name
        text, count = re.subn(before, after, path.read_text(), count=1, flags=re.MULTILINE)
        assert count == 1
        path.write_text(text)

    def release(self, version: str) -> None:
        """Set a version, as protos/released/README.md has it, and keep its API."""
        self.change("pyproject.toml", r'^version = ".*"', f'version = "{version}"')
        self.change("CHANGELOG.md", r"^## \[.*", f"## [{version}] - 2026-11-30")
        released = self.make("release")
        assert released.returncode == 0, released.stderr

    def kept(self) -> list[str]:
        return [path.name for path in (self.folder / "protos" / "released").glob("*.binpb.gz")]


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


def test_before_the_first_release_the_check_says_that_there_is_none(project: Project) -> None:
    checked = project.make("breaking")
    assert checked.returncode == 0, checked.stderr
    assert "no release yet" in checked.stdout


def test_a_release_is_compared_with_until_the_next_one(project: Project) -> None:
    project.release("7.0.0")
    assert project.kept() == ["7.0.0.binpb.gz"]
    assert project.make("breaking").returncode == 0
    # As a change that is compatible would.
    project.change("protos/backcast/marketdata/v1/interval.proto", r"^}", "  // New.\n  INTERVAL_2W = 99;\n}")
    assert project.make("breaking").returncode == 0
    project.change("protos/backcast/marketdata/v1/candle.proto", r"^  double close = ", "  float close = ")
    checked = project.make("breaking")
    assert checked.returncode != 0
    assert 'changed type from "double" to "float"' in checked.stdout
    project.release("8.0.0")
    assert project.kept() == ["8.0.0.binpb.gz"]
    assert project.make("breaking").returncode == 0


def test_the_internal_package_of_compute_may_change(project: Project) -> None:
    project.release("7.0.0")
    project.change("protos/backcast/compute/v1/compute_service.proto", "symbol = 1;", "symbol = 99;")
    checked = project.make("breaking")
    assert checked.returncode == 0, checked.stdout


@pytest.mark.parametrize(
    ("file", "before", "after", "complaint"),
    [
        (
            "pyproject.toml",
            r'^version = ".*"',
            'version = "7.0.0.dev0"',
            "version 7.0.0.dev0 is not one to be",
        ),
        (
            "CHANGELOG.md",
            r"^## \[.*",
            "## [Unreleased]",
            "must be '## [7.0.0] - DATE', not '## [Unreleased]'",
        ),
    ],
)
def test_what_is_not_ready_is_not_released(
    project: Project, file: str, before: str, after: str, complaint: str
) -> None:
    project.release("7.0.0")
    project.change(file, before, after)
    project.change("protos/backcast/marketdata/v1/candle.proto", r"^  double close = ", "  float close = ")
    assert complaint in project.make("release").stderr
    # What was kept is still there, unchanged.
    assert project.kept() == ["7.0.0.binpb.gz"]
    assert project.make("breaking").returncode != 0
