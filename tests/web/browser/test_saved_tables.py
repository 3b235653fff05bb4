"""The CSV files of the page have the columns and values of the files that the command writes."""

import csv
import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.csv

from backcast.backtest.v1.result_pb2 import DETAIL_EQUITY
from backcast.gateway.v1 import backtest_service_pb2 as pb
from backcast.run_log import RunLog
from services.cli.files.result_files import as_read, run_tables
from tests.web.browser.crypto import BACKTEST, saved, until_drawn
from tests.web.browser.tab import Tab

if TYPE_CHECKING:
    from backcast.gateway.v1.backtest_service_pb2_grpc import BacktestServiceAsyncStub


async def test_the_results_are_those_of_the_file_of_the_command(
    tab: Tab, cryptos: list[str], gateway: "BacktestServiceAsyncStub", tmp_path: Path
) -> None:
    await tab.run(cryptos[:3], **BACKTEST)
    await tab.until_done(3)
    rows = await saved(tab, "CSV", tmp_path)
    expected = await command_rows(gateway, cryptos[:3], "results")
    for row in (*rows, *expected):
        row.pop("from_cache")
    assert [values_of(row) for row in rows] == [values_of(row) for row in expected]


async def test_trades_and_equity_are_those_of_the_files_of_the_command(
    tab: Tab, cryptos: list[str], gateway: "BacktestServiceAsyncStub", tmp_path: Path
) -> None:
    # Stops give reasons of more than one word.
    await tab.show("/crypto", symbol=cryptos[0], stop_loss="3%", **BACKTEST)
    await until_drawn(tab)
    trades = await saved(tab, "Trades as CSV", tmp_path)
    assert "stop_loss" in {row["exit_reason"] for row in trades}
    expected = await command_rows(gateway, cryptos[:1], "trades", stop_loss=0.03)
    assert [values_of(row) for row in trades] == [values_of(row) for row in expected]
    equity = await saved(tab, "Equity as CSV", tmp_path)
    for row in equity:
        # The page has one column more.
        row.pop("buy_and_hold_equity")
    expected = await command_rows(gateway, cryptos[:1], "equity", stop_loss=0.03)
    assert [values_of(row) for row in equity] == [values_of(row) for row in expected]


async def command_rows(
    gateway: "BacktestServiceAsyncStub", symbols: list[str], table: str, stop_loss: float | None = None
) -> list[dict[str, str]]:
    """Return the rows of a table of BACKTEST as the command writes it."""
    request = pb.RunBacktestsRequest(symbols=symbols, detail=DETAIL_EQUITY)
    request.spec.strategy.ma_cross.fast, request.spec.strategy.ma_cross.slow = 5, 20
    request.spec.start_time.FromJsonString(f"{BACKTEST['start']}T00:00:00Z")
    request.spec.end_time.FromJsonString(f"{BACKTEST['end']}T00:00:00Z")
    if stop_loss is not None:
        request.spec.execution.stop_loss.fraction = stop_loss
    log = RunLog(request, "pyarrow")
    async for event in gateway.RunBacktests(request):
        log.add(as_read(event))
    columns: Any = run_tables(log)[table]()
    plain = [
        column.cast(pa.string()) if pa.types.is_dictionary(column.type) else column
        for column in columns.columns
    ]
    written = io.BytesIO()
    pyarrow.csv.write_csv(pa.table(plain, names=columns.column_names), written)
    return list(csv.DictReader(io.StringIO(written.getvalue().decode())))


def values_of(row: dict[str, str]) -> list[tuple[str, str | float]]:
    """Return the cells of a row in their order; numbers may be written with other zeros and exponents."""
    return [(name, number_or_text(text)) for name, text in row.items()]


def number_or_text(text: str) -> str | float:
    try:
        return float(text)
    except ValueError:
        return text
