"""The package build's hook: stubs are made anew from the protos whenever the package is built."""

import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

sys.path.insert(0, str(Path(__file__).parent))

from generate import STUBS, generate  # the folder is not a package


class StubsHook(BuildHookInterface):
    """Makes services/stubs before the files of the package are collected."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Make the stubs."""
        generate(STUBS)
