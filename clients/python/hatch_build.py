"""The distribution's build hook: in a clone, the stubs are made anew whenever the distribution is built."""

import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

# A source distribution has the stubs, and no protos.
_PROTOS = Path(__file__).resolve().parents[2] / "protos"


class StubsHook(BuildHookInterface):
    """Makes the generated packages of src/backcast before the files of the distribution are collected."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Make the stubs."""
        if (_PROTOS / "generate.py").exists():
            sys.path.insert(0, str(_PROTOS))
            from generate import STUBS, generate  # noqa: PLC0415  # the folder is no package, and may be absent

            generate(STUBS)
