"""`--output` of portfolios, sweeps and comparisons, against the Python client and their lines of JSON."""

import asyncio
import csv
import json
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet
import pytest

import backcast
from services.local.stack import LocalStack
from tests.cli.conftest import Cli

WINDOW = ("--start", "2024-01-02", "--end", "2024-01-20")
DATES = {"start": "2024-01-02", "end": "2024-01-20"}
SWEEP = ("sweep", "rsi", "--param", "period=5,7", "--stop-loss", "2%,3atr,none", *WINDOW)
COMPARE = ("compare", "rsi --param period=5", "supertrend --interval 4h --param period=5", *WINDOW)


def table_of(path: Path) -> Any:
    return pyarrow.parquet.read_table(path)


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


async def by_client(stack: LocalStack, read: Callable[[backcast.Client], dict[str, Any]]) -> dict[str, Any]:
    """Return tables that `read` has of the Python client."""

    def connected() -> dict[str, Any]:
        with backcast.connect(stack.gateway_address, frames="pyarrow") as client:
            return read(client)

    return await asyncio.to_thread(connected)


async def lines_of(cli: Cli, *arguments: object) -> list[dict[str, Any]]:
    finished = await cli(*arguments, "--format", "jsonl")
    assert finished.status == 0, finished.err
    return [json.loads(line) for line in finished.out.splitlines()]


async def test_a_portfolios_folder_has_the_tables_of_the_python_client(
    cli: Cli, imported: list[str], stack: LocalStack, tmp_path: Path
) -> None:
    folder = tmp_path / "account"
    symbols = ("--symbols", ",".join(imported), "--benchmark", imported[0])
    finished = await cli(
        *("portfolio", "rsi --param period=5", *symbols, "--max-positions", "1", *WINDOW),
        *("--detail", "equity", "--output", folder),
    )
    assert (finished.status, finished.err) == (0, "")
    assert f"3 rows in {folder / 'account.parquet'}" in finished.out

    def frames(client: backcast.Client) -> dict[str, Any]:
        portfolio = client.portfolio(
            backcast.Rsi(period=5),
            symbols=imported,
            benchmark=imported[0],
            max_positions=1,
            detail="equity",
            **DATES,
        )
        names = ("account", "cryptos", "trades", "correlation", "equity")
        return {name: getattr(portfolio, name)() for name in names}

    expected = await by_client(stack, frames)
    assert names_in(folder) == sorted(f"{name}.parquet" for name in expected)
    for name, frame in expected.items():
        assert table_of(folder / f"{name}.parquet").to_pylist() == frame.to_pylist()
    assert table_of(folder / "trades.parquet").num_rows > 5


async def test_a_portfolios_file_has_the_account_beside_holding_with_the_names_of_the_api(
    cli: Cli, imported: list[str], tmp_path: Path
) -> None:
    command = ("portfolio", "rsi", "--symbols", ",".join(imported), "--benchmark", imported[1], *WINDOW)
    path = tmp_path / "account.csv"
    assert (await cli(*command, "--output", path)).status == 0
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    (result,) = (line["result"] for line in await lines_of(cli, *command) if "result" in line)
    messages = [result["metrics"], result["hold"], result["benchmark"]["metrics"]]
    assert [(row["name"], row["symbol"]) for row in rows] == [
        ("account", ""),
        ("hold", ""),
        ("benchmark", imported[1]),
    ]
    for row, metrics in zip(rows, messages, strict=True):
        assert {name: float(row[name]) for name in metrics} == metrics
    for name in ("alpha", "beta", "information_ratio"):
        assert float(rows[0][name]) == result["benchmark"][name]
        assert rows[1][name] == ""


async def test_a_sweeps_folder_has_the_tables_of_the_python_client(
    cli: Cli, imported: list[str], stack: LocalStack, tmp_path: Path
) -> None:
    folder = tmp_path / "sweep"
    finished = await cli(*SWEEP, "--symbols", ",".join(imported), "--folds", "2", "--output", folder)
    assert (finished.status, finished.err) == (0, "")
    assert f"6 rows in {folder / 'combinations.parquet'}" in finished.out

    def frames(client: backcast.Client) -> dict[str, Any]:
        sweep = client.sweep(
            backcast.Rsi(), symbols=imported, period=[5, 7], stop_loss=["2%", "3atr", None], folds=2, **DATES
        )
        return {
            "combinations": sweep.table(),
            "best_trials": sweep.best(),
            "failures": sweep.failures(),
            "equity": sweep.equity(),
        }

    expected = await by_client(stack, frames)
    assert names_in(folder) == sorted(f"{name}.parquet" for name in expected)
    for name, frame in expected.items():
        assert table_of(folder / f"{name}.parquet").to_pylist() == frame.to_pylist()
    stops = table_of(folder / "combinations.parquet")["stop_loss"].to_pylist()
    assert sorted(stops) == ["2%", "2%", "3atr", "3atr", "none", "none"]


async def test_columns_of_swept_options_have_the_names_of_the_options(
    cli: Cli, imported: list[str], tmp_path: Path
) -> None:
    path = tmp_path / "sweep.csv"
    options = ("--interval", "1h,4h", "--fee", "0.1%,0", "--size-fraction", "50%", "--size-amount", "5000")
    finished = await cli(
        *("sweep", "rules", "--entry", "rsi({n}) < 40", "--param", "n=5,7", "--fill", "next-open,same-close"),
        *(*options, "--symbols", imported[0], *WINDOW, "--output", path),
    )
    assert (finished.status, finished.err) == (0, "")
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 32
    swept = ("interval", "n", "size", "fill", "fee")
    assert {name: {row[name] for row in rows} for name in swept} == {
        "interval": {"1h", "4h"},
        "n": {"5", "7"},
        "size": {"50%", "5000"},
        "fill": {"next-open", "same-close"},
        "fee": {"0.1%", "0%"},
    }


async def test_a_comparisons_folder_has_the_figures_of_its_lines_of_json(
    cli: Cli, imported: list[str], tmp_path: Path
) -> None:
    folder = tmp_path / "compared"
    command = (*COMPARE, "--symbols", ",".join(imported))
    finished = await cli(*command, "--detail", "trades", "--output", folder)
    assert (finished.status, finished.err) == (0, "")
    names = ("differences", "failures", "results", "statistics", "strategies", "trades")
    assert names_in(folder) == [f"{name}.parquet" for name in names]
    tables = {name: table_of(folder / f"{name}.parquet").to_pylist() for name in names}
    lines = await lines_of(cli, *command)
    for line in lines:
        if crypto := line.get("crypto"):
            for letter, metrics in crypto["metrics"].items():
                (row,) = (
                    row
                    for row in tables["results"]
                    if (row["letter"], row["symbol"]) == (letter, crypto["symbol"])
                )
                assert {name: row[name] for name in metrics} == metrics
        if strategy := line.get("strategy"):
            (row,) = (row for row in tables["strategies"] if row["letter"] == strategy["letter"])
            names_of_counts = ("crypto_count", "share_gained", "cryptos_without_trades")
            assert {name: row[name] for name in names_of_counts} == {
                name: strategy[name] for name in names_of_counts
            }
            for row in tables["statistics"]:
                if row["letter"] == strategy["letter"]:
                    assert row["mean"] == strategy["mean"][row["metric"]]
                    assert row["quantile_95"] == strategy["quantile_95"][row["metric"]]
        if difference := line.get("difference"):
            for row in tables["differences"]:
                assert (row["letter"], row["minus"]) == ("B", "A")
                for name in ("mean", "t_statistic", "higher_count"):
                    assert row[name] == difference[name].get(row["metric"])
    assert len(tables["results"]) == 4
    # The trades are those of runs on their own.
    run = ("run", "supertrend", "--interval", "4h", "--param", "period=5", *WINDOW)
    alone = await lines_of(cli, *run, "--symbols", ",".join(imported), "--detail", "trades")
    expected = [
        (line["result"]["symbol"], trade["profit"])
        for line in alone
        if "result" in line
        for trade in line["result"]["trades"]
    ]
    of_b = [(row["symbol"], row["profit"]) for row in tables["trades"] if row["letter"] == "B"]
    assert sorted(of_b) == sorted(expected)


async def test_trades_of_a_comparison_need_a_folder(cli: Cli, imported: list[str], tmp_path: Path) -> None:
    command = (*COMPARE, "--symbols", ",".join(imported), "--detail", "trades")
    alone = await cli(*command)
    assert (alone.status, alone.out) == (1, "")
    assert alone.err == "backcast: --detail: needs --output: only files have trades and equity\n"
    in_file = await cli(*command, "--output", tmp_path / "results.csv")
    assert (in_file.status, in_file.out) == (1, "")
    assert "would have no trades: name a folder for --detail trades" in in_file.err
    assert names_in(tmp_path) == []


@pytest.mark.parametrize(
    "command",
    [
        ("sweep", "rsi", "--param", "period=5,7"),
        ("portfolio", "rsi"),
        ("sweep-portfolio", "rsi", "--param", "period=5,7"),
        COMPARE,
    ],
)
async def test_files_that_exist_are_refused_before_anything_is_computed(
    cli: Cli, imported: list[str], tmp_path: Path, command: tuple[str, ...]
) -> None:
    path = tmp_path / "results.parquet"
    path.write_text("mine")
    whole = (*command, "--symbols", ",".join(imported), "--output", path)
    refused = await cli(*whole)
    assert (refused.status, refused.out) == (1, "")
    assert refused.err == f"backcast: --output: {str(path)!r} exists: --overwrite replaces it\n"
    assert path.read_text() == "mine"
    assert (await cli(*whole, "--overwrite")).status == 0
    assert table_of(path).num_rows > 0


@pytest.mark.parametrize(
    "command",
    [
        ("sweep", "rsi", "--param", "period=5..30"),
        ("portfolio", "rsi", "--max-positions", "2"),
        ("sweep-portfolio", "rsi", "--param", "period=5..99"),
    ],
)
async def test_an_interrupted_command_writes_nothing(
    cli: Cli, imported: list[str], tmp_path: Path, command: tuple[str, ...]
) -> None:
    process = await cli.start(
        *(*command, "--symbols", ",".join(imported), "--cache", "bypass"),
        *("--format", "jsonl", "--output", tmp_path / "out"),
    )
    assert process.stdout
    await process.stdout.readline()
    process.send_signal(signal.SIGINT)
    await process.communicate()
    # It may have been done already: then the files are whole.
    assert (names_in(tmp_path) == []) == bool(process.returncode)
    assert not list(tmp_path.rglob("*.unfinished"))
