"""The files of a run: tables of results, failures, trades and equity, for other programs.

Tables and names of columns are those of the Python client.
"""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from backcast.gateway.v1.backtest_service_pb2 import RunBacktestsRequest, RunBacktestsResponse
from backcast.run_log import RunLog
from backcast.wire import message_class
from backcast_engine.errors import InvalidInput
from services.cli.files.new_files import check_absent, check_folder, new_files
from services.cli.options.run_options import Detail

_ENDINGS = (".parquet", ".csv")
# The tables in a folder, and the detail that each of them needs.
_TABLES = {
    "results": Detail.METRICS,
    "failures": Detail.METRICS,
    "trades": Detail.TRADES,
    "equity": Detail.EQUITY,
}
_DETAILS = [*Detail]


class ResultFiles:
    """The files of one run: pass it every event, and write them after the last one."""

    def __init__(self, output: Path, detail: Detail, *, overwrite: bool) -> None:
        """Check that the files can be made; raise InvalidInput, naming the option, if they cannot.

        `output` is a file of results, if it ends with .parquet or .csv, or else a folder.
        """
        self._overwrite = overwrite
        self._log = RunLog(RunBacktestsRequest(), "pyarrow")
        self._folder = None if _is_file(output) else output
        if self._folder is None:
            check_folder(output.parent)
            if detail is not Detail.METRICS:
                raise InvalidInput.of(
                    "--output",
                    f"{str(output)!r} would have no {detail.value}: name a folder for --detail {detail}",
                )
            self._paths = {"results": output}
        else:
            check_folder(output if output.exists() else output.parent)
            self._paths = {
                name: output / f"{name}.parquet"
                for name, needed in _TABLES.items()
                if _DETAILS.index(needed) <= _DETAILS.index(detail)
            }
        if not overwrite:
            check_absent(self._all_paths())

    def add(self, event: RunBacktestsResponse) -> None:
        """Note an event of the run."""
        kind = message_class(event.DESCRIPTOR.full_name)
        self._log.add(kind.FromString(event.SerializeToString()))

    def write(self) -> str:
        """Write the files, all or none of them, and return what was written, in words.

        Raises InvalidInput, naming the option, if they cannot be written.
        """
        tables = {name: self._table(name) for name in self._paths}
        if self._folder:
            try:
                self._folder.mkdir(exist_ok=True)
            except OSError as error:
                raise InvalidInput.of(
                    "--output", f"{self._folder} cannot be made: {error.strerror}"
                ) from None
        with new_files([*self._paths.values()], overwrite=self._overwrite) as unfinished:
            for (name, table), path in zip(tables.items(), unfinished, strict=True):
                _write(table, path, self._paths[name].suffix.lower())
        # Tables of an earlier run would be taken for those of this one.
        for stale in set(self._all_paths()) - set(self._paths.values()):
            stale.unlink(missing_ok=True)
        rows = [f"{table.num_rows:,} rows in {self._paths[name]}" for name, table in tables.items()]
        return "\n".join(rows)

    def _all_paths(self) -> list[Path]:
        """Return the paths of all tables that the place may have, those that this run does not have too."""
        if self._folder is None:
            return [*self._paths.values()]
        return [self._folder / f"{name}.parquet" for name in _TABLES]

    def _table(self, name: str) -> Any:
        match name:
            case "results":
                return self._log.metrics()
            case "failures":
                return self._log.failure_frame()
            case "trades":
                return self._log.trades()
            case _:
                return self._log.equity()


def _is_file(output: Path) -> bool:
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
