"""The package build's hook: whenever the package is built, the page is made anew."""

import os
import shutil
import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

sys.path.insert(0, str(Path(__file__).resolve().parent / "page"))

from build import STATIC, build  # the folder is not a package


class PageHook(BuildHookInterface):
    """Makes services/web/static before the files of the package are collected."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Make the page, unless BACKCAST_WITHOUT_PAGE is 1."""
        if os.environ.get("BACKCAST_WITHOUT_PAGE") == "1":
            # What an earlier build left would be the page of another version.
            shutil.rmtree(STATIC, ignore_errors=True)
            self.app.display_warning("BACKCAST_WITHOUT_PAGE=1: this installation has no page")
        else:
            build()
