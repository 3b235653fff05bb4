"""`backcast run --output`: tables of results in files."""

import asyncio
import csv
import json
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow.parquet
import pytest

import backcast
from backcast_engine.errors import InvalidInput
from services.cli.files.new_files import folder_for, new_files
from services.local.stack import LocalStack
from tests.cli.conftest import Cli

RUN = ("run", "rsi", "--param", "period=5", "--start", "2024-01-02", "--end", "2024-01-20")


def table_of(path: Path) -> Any:
    return pyarrow.parquet.read_table(path)


async def results_of(cli: Cli, *arguments: object) -> list[dict[str, Any]]:
    """Return the results of a run, as its lines of JSON have them."""
    finished = await cli(*arguments, "--format", "jsonl")
    events = map(json.loads, finished.out.splitlines())
    return sorted(
        (event["result"] for event in events if "result" in event), key=lambda result: result["symbol"]
    )


async def test_a_parquet_file_has_a_row_for_each_crypto_with_the_names_of_the_python_client(
    cli: Cli, imported: list[str], stack: LocalStack, tmp_path: Path
) -> None:
    path = tmp_path / "results.parquet"
    run = (*RUN, "--symbols", ",".join(imported))
    finished = await cli(*run, "--output", path)
    assert finished.status == 0, finished.err
    assert f"2 rows in {path}" in finished.out
    table = table_of(path)

    def frame() -> Any:
        with backcast.connect(stack.gateway_address, frames="pyarrow") as client:
            window = {"start": "2024-01-02", "end": "2024-01-20"}
            return client.run(backcast.Rsi(period=5), symbols=imported, **window).metrics()

    assert table.schema.names == (await asyncio.to_thread(frame)).schema.names
    for row, result in zip(table.to_pylist(), await results_of(cli, *run), strict=True):
        metrics = result["metrics"]
        # What is undefined is null here, and absent there.
        assert {name: row[name] for name in metrics} == metrics
        assert row["symbol"] == result["symbol"]
        assert row["missing_candles"] == result["coverage"]["missing_candles"]


async def test_a_csv_file_has_the_same_columns(cli: Cli, imported: list[str], tmp_path: Path) -> None:
    run = (*RUN, "--symbols", ",".join(imported))
    for name in ("results.CSV", "results.parquet"):
        assert (await cli(*run, "--output", tmp_path / name)).status == 0
    with (tmp_path / "results.CSV").open(newline="") as file:
        rows = list(csv.DictReader(file))
    expected = table_of(tmp_path / "results.parquet").to_pylist()
    assert [*rows[0]] == [*expected[0]]
    for row, same in zip(rows, expected, strict=True):
        assert row["symbol"] == same["symbol"]
        assert float(row["total_return"]) == same["total_return"]
        assert row["first_candle_time"] == "2024-01-02 00:00:00Z"


async def test_a_folder_has_trades_and_equity_too(cli: Cli, imported: list[str], tmp_path: Path) -> None:
    folder = tmp_path / "out"
    run = (*RUN, "--symbols", ",".join(imported), "--detail", "equity")
    finished = await cli(*run, "--output", folder)
    assert finished.status == 0, finished.err
    assert sorted(path.name for path in folder.iterdir()) == [
        "equity.parquet",
        "failures.parquet",
        "results.parquet",
        "trades.parquet",
    ]
    results = await results_of(cli, *run)
    trades = table_of(folder / "trades.parquet").to_pylist()
    expected = [trade | {"symbol": result["symbol"]} for result in results for trade in result["trades"]]
    assert len(expected) > 10
    for row, trade in zip(trades, expected, strict=True):
        for name in ("symbol", "entry_price", "units", "profit", "return_fraction", "held_candles"):
            assert row[name] == trade[name]
        assert f"{row['entry_time']:%Y-%m-%dT%H:%M:%SZ}" == trade["entry_time"]
        assert f"EXIT_REASON_{row['exit_reason'].upper()}" == trade["exit_reason"] or row["open"]
    equity = table_of(folder / "equity.parquet")
    curves = [value for result in results for value in result["equity_curve"]["equity"]]
    assert equity["equity"].to_pylist() == curves


async def test_failures_are_a_table_of_the_folder(cli: Cli, imported: list[str], tmp_path: Path) -> None:
    folder = tmp_path / "out"
    empty = ("--start", "2019-01-01", "--end", "2019-01-05", "--symbols", ",".join(imported))
    finished = await cli("run", "rsi", *empty, "--output", folder)
    assert finished.status == 1
    failures = table_of(folder / "failures.parquet").to_pylist()
    assert [row["symbol"] for row in failures] == imported
    assert all(row["message"].startswith("there are no candles in the window") for row in failures)
    assert table_of(folder / "results.parquet").num_rows == 0


async def test_files_that_exist_are_replaced_only_on_request(
    cli: Cli, imported: list[str], tmp_path: Path
) -> None:
    folder = tmp_path / "out"
    run = (*RUN, "--symbols", ",".join(imported), "--output", folder)
    assert (await cli(*run, "--detail", "trades")).status == 0
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    refused = await cli(*run)
    assert (refused.status, refused.out) == (1, "")
    assert refused.err.startswith("backcast: --output: ")
    assert refused.err.endswith("exist: --overwrite replaces them\n")
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert (await cli(*run, "--overwrite", "--fee", "0.3%")).status == 0
    # The trades were those of another run.
    assert sorted(path.name for path in folder.iterdir()) == ["failures.parquet", "results.parquet"]
    assert (folder / "results.parquet").read_bytes() != before["results.parquet"]


async def test_an_interrupted_run_writes_nothing(cli: Cli, imported: list[str], tmp_path: Path) -> None:
    process = await cli.start(
        *("run", "rsi", "--cache", "bypass", "--format", "jsonl", "--output", tmp_path / "results.csv")
    )
    assert process.stdout
    await process.stdout.readline()
    process.send_signal(signal.SIGINT)
    await process.communicate()
    # It may have been done already: then the file is whole.
    names = [path.name for path in tmp_path.iterdir()]
    assert names == ([] if process.returncode else ["results.csv"])


def names_in(folder: Path) -> Sequence[str]:
    return sorted(path.name for path in folder.iterdir())


def test_what_fails_half_way_leaves_the_files_as_they_were(tmp_path: Path) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    old.write_text("old")
    with pytest.raises(KeyboardInterrupt), new_files([old, new], overwrite=True) as unfinished:
        unfinished[0].write_text("half")
        assert old.read_text() == "old"
        raise KeyboardInterrupt
    assert names_in(tmp_path) == ["old"]
    assert old.read_text() == "old"


def test_a_folder_that_was_made_goes_with_what_failed_in_it(tmp_path: Path) -> None:
    folder, old = tmp_path / "new", tmp_path / "old"
    old.mkdir()
    for path in (folder, old):
        with (
            pytest.raises(KeyboardInterrupt),
            folder_for(path),
            new_files([path / "file"], overwrite=False) as (unfinished,),
        ):
            unfinished.write_text("half")
            raise KeyboardInterrupt
    assert names_in(tmp_path) == ["old"]
    assert names_in(old) == []
    with folder_for(folder):
        pass
    assert folder.is_dir()


def test_a_file_that_appeared_meanwhile_is_not_replaced(tmp_path: Path) -> None:
    path = tmp_path / "file"
    with (
        pytest.raises(InvalidInput, match="exists: --overwrite replaces it"),
        new_files([path], overwrite=False) as (unfinished,),
    ):
        unfinished.write_text("ours")
        path.write_text("theirs")
    assert names_in(tmp_path) == ["file"]
    assert path.read_text() == "theirs"


@pytest.mark.parametrize(
    ("options", "error"),
    [
        (["--output", "results.xlsx"], "--output: 'results.xlsx' ends with neither .parquet nor .csv"),
        (["--output", "nowhere/results.csv"], "--output: there is no folder 'nowhere'"),
        (["--output", "nowhere/folder"], "--output: there is no folder 'nowhere'"),
        (
            ["--output", "results.csv", "--detail", "trades"],
            "--output: 'results.csv' would have no trades: name a folder for --detail trades",
        ),
        (["--output", "file"], "--output: 'file' is a file without an ending, and no folder"),
        (["--overwrite"], "--overwrite: needs --output"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
async def test_what_cannot_be_written_is_one_sentence_before_the_run(
    cli: Cli,
    imported: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    options: list[str],
    error: str,
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.chdir(tmp_path)
    finished = await cli(*RUN, "--symbols", ",".join(imported), *options)
    assert (finished.status, finished.out) == (1, "")
    assert finished.err.startswith(f"backcast: {error}")
    assert finished.err.count("\n") == 1
    assert names_in(tmp_path) == ["file"]
