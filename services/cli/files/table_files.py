"""The files of a command's tables: a file of the first table, or a folder with a file of each."""

from collections.abc import Collection, Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from backcast_engine.errors import InvalidInput
from services.cli.files.new_files import check_absent, check_folder, folder_for, new_files

_ENDINGS = (".parquet", ".csv")


class TableFiles:
    """Where the tables of one command go."""

    def __init__(
        self, output: Path, names: Collection[str], possible: Collection[str], *, overwrite: bool
    ) -> None:
        """Check that the files can be made; raise InvalidInput, naming the option, if they cannot.

        `output` is a file of the first of the tables called `names`, if it ends with .parquet or .csv, or
        else a folder. `possible` are the names of all tables that a folder of this command can have.
        """
        self._overwrite = overwrite
        self._folder = None if is_file(output) else output
        if self._folder is None:
            check_folder(output.parent)
            self._paths, self._possible = {next(iter(names)): output}, [output]
        else:
            check_folder(output if output.exists() else output.parent)
            self._paths = {name: output / f"{name}.parquet" for name in names}
            self._possible = [output / f"{name}.parquet" for name in possible]
        if not overwrite:
            check_absent(self._possible)

    @property
    def names(self) -> list[str]:
        """The names of the tables that are written."""
        return [*self._paths]

    def write(self, tables: Mapping[str, pa.Table]) -> str:
        """Write the tables, all or none of them, and return what was written, in words.

        Raises InvalidInput, naming the option, if they cannot be written.
        """
        with (
            folder_for(self._folder) if self._folder else nullcontext(),
            new_files([*self._paths.values()], overwrite=self._overwrite) as unfinished,
        ):
            for (name, table), path in zip(tables.items(), unfinished, strict=True):
                _write(table, path, self._paths[name].suffix.lower())
        # Tables of an earlier command would be taken for those of this one.
        for stale in set(self._possible) - set(self._paths.values()):
            stale.unlink(missing_ok=True)
        rows = [f"{table.num_rows:,} rows in {self._paths[name]}" for name, table in tables.items()]
        return "\n".join(rows)


def is_file(output: Path) -> bool:
    """Return whether the path is that of a file; raise InvalidInput if its ending is unknown."""
    if output.is_dir() or not output.suffix:
        if output.exists() and not output.is_dir():
            raise InvalidInput.of("--output", f"{str(output)!r} is a file without an ending, and no folder")
        return False
    if output.suffix.lower() not in _ENDINGS:
        raise InvalidInput.of(
            "--output",
            f"{str(output)!r} ends with neither {' nor '.join(_ENDINGS)}; a new folder has no ending",
        )
    return True


def _write(table: Any, path: Path, ending: str) -> None:
    if ending == ".parquet":
        pyarrow.parquet.write_table(table, path, compression="zstd")
    else:
        # CSV has no columns of codes.
        plain = [
            column.cast(pa.string()) if pa.types.is_dictionary(column.type) else column
            for column in table.columns
        ]
        pyarrow.csv.write_csv(pa.table(plain, names=table.column_names), path)
