"""The files of a run, a sweep or a portfolio: tables for other programs.

Tables and names of columns are those of the Python client.
"""

from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from pathlib import Path
from typing import Any, TypeVar

from backcast.backtest.v1.result_pb2 import DETAIL_EQUITY, DETAIL_METRICS, DETAIL_TRADES
from backcast.gateway.v1.backtest_service_pb2 import RunBacktestsRequest, SweepBacktestsRequest
from backcast.gateway.v1.portfolio_service_pb2 import RunPortfolioRequest
from backcast.gateway.v1.portfolio_sweep_pb2 import SweepPortfoliosRequest
from backcast.portfolio_log import PortfolioLog
from backcast.portfolio_sweep_log import PortfolioSweepLog
from backcast.run_log import RunLog
from backcast.sweep_log import SweepLog
from backcast.wire import message_class
from backcast_engine.errors import InvalidInput
from services.cli.files.table_files import TableFiles, is_file
from services.cli.views.command_line import swept_columns

_Event = TypeVar("_Event")
Request = RunBacktestsRequest | SweepBacktestsRequest | RunPortfolioRequest | SweepPortfoliosRequest

# The tables, the one of a single file first, and the detail that each of them needs.
RUN_TABLES = {
    "results": DETAIL_METRICS,
    "failures": DETAIL_METRICS,
    "trades": DETAIL_TRADES,
    "equity": DETAIL_EQUITY,
}
_PORTFOLIO_TABLES = {
    "account": DETAIL_METRICS,
    "cryptos": DETAIL_METRICS,
    "trades": DETAIL_TRADES,
    "correlation": DETAIL_TRADES,
    "equity": DETAIL_EQUITY,
}
_SWEEP_TABLES = ("combinations", "best_trials", "failures", "equity")
_PORTFOLIO_SWEEP_TABLES = ("combinations", "best_combinations", "equity")
_DETAILS: dict[int, str] = {DETAIL_TRADES: "trades", DETAIL_EQUITY: "equity"}


class ResultFiles:
    """The files of one command: pass it every event, and write them after the last one."""

    def __init__(
        self, files: TableFiles, tables: Mapping[str, Callable[[], Any]], note: Callable[[Any], None]
    ) -> None:
        """`tables` make a table of each name; `note` adds an event to what they are made of."""
        self._files = files
        self._tables = tables
        self._note = note

    async def noting(self, events: AsyncGenerator[_Event]) -> AsyncGenerator[_Event]:
        """Yield the events, and note each of them."""
        async with aclosing(events) as stream:
            async for event in stream:
                self._note(event)
                yield event

    def write(self) -> str:
        """Write the files, all or none of them, and return what was written, in words.

        Raises InvalidInput, naming the option, if they cannot be written.
        """
        return self._files.write({name: self._tables[name]() for name in self._files.names})


def result_files(output: Path, request: Request, *, overwrite: bool) -> ResultFiles:
    """Return the files of what a request brings; raise InvalidInput, naming the option, if none can be made.

    `output` is a file or a folder, as TableFiles says.
    """
    if isinstance(request, SweepBacktestsRequest):
        return _sweep_files(output, request, overwrite)
    if isinstance(request, SweepPortfoliosRequest):
        return _portfolio_sweep_files(output, request, overwrite)
    if isinstance(request, RunPortfolioRequest):
        files = detailed_files(output, _PORTFOLIO_TABLES, request.detail, overwrite=overwrite)
        account = PortfolioLog(RunPortfolioRequest(), "pyarrow")
        tables = {name: getattr(account, name) for name in _PORTFOLIO_TABLES}
        return ResultFiles(files, tables, lambda event: account.add(as_read(event)))
    files = detailed_files(output, RUN_TABLES, request.detail, overwrite=overwrite)
    run = RunLog(RunBacktestsRequest(), "pyarrow")
    return ResultFiles(files, run_tables(run), lambda event: run.add(as_read(event)))


def run_tables(log: RunLog) -> dict[str, Callable[[], Any]]:
    """Return what makes each of the tables of a run."""
    return {
        "results": log.metrics,
        "failures": log.failure_frame,
        "trades": log.trades,
        "equity": log.equity,
    }


def _sweep_files(output: Path, request: SweepBacktestsRequest, overwrite: bool) -> ResultFiles:
    *always, _ = _SWEEP_TABLES
    # Only a walk-forward has curves.
    names = _SWEEP_TABLES if request.HasField("fold_count") else always
    log = SweepLog(request, "pyarrow", swept_columns(request))
    makers = (log.table, log.best, log.failure_frame, log.equity)
    tables = dict(zip(_SWEEP_TABLES, makers, strict=True))
    return ResultFiles(TableFiles(output, names, _SWEEP_TABLES, overwrite=overwrite), tables, log.add)


def _portfolio_sweep_files(output: Path, request: SweepPortfoliosRequest, overwrite: bool) -> ResultFiles:
    log = PortfolioSweepLog(request, "pyarrow", swept_columns(request))
    *always, _ = _PORTFOLIO_SWEEP_TABLES
    # Only a walk-forward has a curve.
    names = _PORTFOLIO_SWEEP_TABLES if request.HasField("fold_count") else always
    tables = dict(zip(_PORTFOLIO_SWEEP_TABLES, (log.table, log.best, log.equity), strict=True))
    files = TableFiles(output, names, _PORTFOLIO_SWEEP_TABLES, overwrite=overwrite)
    return ResultFiles(files, tables, log.add)


def detailed_files(output: Path, tables: Mapping[str, int], detail: int, *, overwrite: bool) -> TableFiles:
    """Return the files of those tables that need no more than a detail, the first one for a single file.

    Raises InvalidInput, naming the option, if the files cannot be made.
    """
    if detail in _DETAILS and is_file(output):
        name = _DETAILS[detail]
        raise InvalidInput.of(
            "--output", f"{str(output)!r} would have no {name}: name a folder for --detail {name}"
        )
    names = [name for name, needed in tables.items() if needed <= detail]
    return TableFiles(output, names, tables, overwrite=overwrite)


def as_read(event: Any) -> Any:
    """Return an event as the logs of runs and portfolios read it: a message of backcast.wire."""
    return message_class(event.DESCRIPTOR.full_name).FromString(event.SerializeToString())
