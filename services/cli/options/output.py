"""Options that name the files of a command."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace files that exist.")]


@dataclass(frozen=True, slots=True)
class OutputOptions:
    """The files that the results of a run go to."""

    output: Annotated[
        Path | None,
        typer.Option(
            help="Also write the results to a file, .parquet or .csv; or to a folder, as Parquet, with "
            "--detail also the trades and the equity."
        ),
    ] = None
    overwrite: Overwrite = False
