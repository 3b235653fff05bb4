"""docs/settings.md lists every setting, as services/settings.py declares it."""

import re
from pathlib import Path
from typing import Any

from pydantic.fields import FieldInfo

from services.settings import Settings

PAGE = (Path(__file__).parents[1] / "docs" / "settings.md").read_text(encoding="utf-8")
# Defaults that depend on the machine.
COMPUTED_DEFAULTS = {
    "compute_workers": "one per core",
    "column_dir": "a temporary folder",
    "data_dir": "the user's data folder",
}


def rows() -> dict[str, tuple[str, str]]:
    """Return default and meaning, as the tables of the page have them, by the name of the variable."""
    return {
        name: (default, meaning)
        for name, default, meaning in re.findall(
            r"^\| `(BACKCAST_\w+)` \| (.*?) ?\| (.*) \|$", PAGE, re.MULTILINE
        )
    }


def default_of(name: str, field: FieldInfo) -> str:
    """Return the default of a setting as the page writes it; a setting without a default has none."""
    value: Any = field.default
    if name in COMPUTED_DEFAULTS:
        return COMPUTED_DEFAULTS[name]
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    return f"{int(value)}" if value == int(value) else f"{value}"


def test_the_page_has_every_setting_with_its_default_and_meaning() -> None:
    declared = {
        f"BACKCAST_{name.upper()}": (default_of(name, field), field.description)
        for name, field in Settings.model_fields.items()
    }
    assert rows() == declared


def test_the_page_has_each_setting_once() -> None:
    names = re.findall(r"^\| `(BACKCAST_\w+)`", PAGE, re.MULTILINE)
    assert len(names) == len(set(names))
