"""Imports the engine, whose machine code is made at its first import and kept: in seconds, not in silence."""

import sys
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from backcast.errors import MissingLibraryError

_ENGINE = "backcast_engine"


def import_engine() -> None:
    """Import the engine; where Numba has to compile it, write one line to stderr before.

    Raises MissingLibraryError where the engine is not installed.
    """
    if not find_spec(_ENGINE):
        raise MissingLibraryError("backcast.engine needs the engine: pip install 'backcast-client[engine]'")
    from numba.core import event  # noqa: PLC0415  # installed with the engine

    class FirstCompilation(event.Listener):  # type: ignore[misc,unused-ignore]
        """Says once that the engine is compiled; what is read from Numba's cache makes no such event."""

        has_said = False

        def on_start(self, _event: Any) -> None:
            if not self.has_said:
                self.has_said = True
                print("Backcast compiles its engine, once: it takes about 20 seconds.", file=sys.stderr)

        def on_end(self, _event: Any) -> None:
            pass

    with event.install_listener("numba:compile", FirstCompilation()):  # type: ignore[no-untyped-call,unused-ignore]
        import_module(f"{_ENGINE}.backtest")
