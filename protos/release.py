"""Prints the version of pyproject.toml where it is one to be released; fails where something is not ready.

`make release` calls it before it keeps the API of the version in protos/released.
"""

import re
import tomllib
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent


def released_version(project: Path) -> str:
    """Return the project's version. Raises SystemExit where it is of development, or not in the changelog."""
    version: str = tomllib.loads((project / "pyproject.toml").read_text())["project"]["version"]
    if not re.fullmatch(r"\d+\.\d+\.\d+", version):
        raise SystemExit(f"pyproject.toml: version {version} is not one to be released, like 0.2.0")
    newest = next(
        line for line in (project / "CHANGELOG.md").read_text().splitlines() if line.startswith("## ")
    )
    if not re.fullmatch(rf"## \[{re.escape(version)}\] - \d{{4}}-\d\d-\d\d", newest):
        raise SystemExit(f"CHANGELOG.md: its newest version must be '## [{version}] - DATE', not '{newest}'")
    return version


if __name__ == "__main__":
    print(released_version(PROJECT))
