"""deploy/ and its documentation set only settings that exist."""

import re

import pytest

from services.settings import Settings
from tests.deploy.dockerfile import REPOSITORY
from tests.deploy.yaml_files import DEPLOY

FILES = sorted(
    path
    for path in (*DEPLOY.rglob("*"), REPOSITORY / "docs" / "deployment.md")
    if path.is_file() and "secrets" not in path.parts
)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_variable_is_a_setting(path) -> None:
    # The package is no variable.
    text = path.read_text(encoding="utf-8").replace("backcast_engine", "")
    names = {name.lower() for name in re.findall(r"(?i)\bBACKCAST_([A-Z0-9_]*[A-Z0-9])", text)}
    # Metrics are named like variables in small letters.
    if "grafana" not in path.parts and path.name != "alerts.yaml":
        assert names <= set(Settings.model_fields)


def test_some_variables_are_found() -> None:
    assert sum("BACKCAST_" in path.read_text(encoding="utf-8") for path in FILES) >= 4
