"""The files that the options of a command name."""

from typing import TYPE_CHECKING, TypeVar

from rich.console import Console
from rich.markup import escape

from services.cli.options.output import OutputOptions
from services.cli.views.console import say

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from services.cli.files.result_files import Request, ResultFiles

_Event = TypeVar("_Event")


class Output:
    """The files of what a request brings; does nothing where the options name none."""

    def __init__(self, options: OutputOptions, request: "Request") -> None:
        """Check that the files can be made; raise InvalidInput, naming the option, if they cannot."""
        self._files: ResultFiles | None = None
        if (path := options.path()) is not None:
            # Imported here, because importing PyArrow is slow.
            from services.cli.files.result_files import result_files

            self._files = result_files(path, request, overwrite=options.overwrite)

    def noting(self, events: "AsyncGenerator[_Event]") -> "AsyncGenerator[_Event]":
        """Return the events, each of which is noted when it comes."""
        return self._files.noting(events) if self._files else events

    def write(self, console: Console | None) -> None:
        """Write the files, all or none of them, and say on the console what was written.

        Raises InvalidInput, naming the option, if they cannot be written.
        """
        if self._files:
            written = self._files.write()
            if console:
                say(console, escape(written))
