"""Options that name the files of a command."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from backcast_engine.errors import InvalidInput

Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace files that exist.")]


@dataclass(frozen=True, slots=True)
class OutputOptions:
    """The files that the results of a command go to."""

    output: Annotated[
        Path | None,
        typer.Option(
            help="Also write the results to a file, .parquet or .csv; or to a folder, all tables as Parquet."
        ),
    ] = None
    overwrite: Overwrite = False

    def path(self) -> Path | None:
        """Return the file or folder, None if there is none; raise InvalidInput if it is needed."""
        if self.output is None and self.overwrite:
            raise InvalidInput.of("--overwrite", "needs --output")
        return self.output
