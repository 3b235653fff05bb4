"""`backcast sweep-portfolio`, as a user runs it, and how it reads its options."""

import csv
import json
import re
import shlex
from pathlib import Path
from typing import Any

import pyarrow.parquet
import pytest
from google.protobuf.json_format import ParseDict

from backcast.gateway.v1.portfolio_sweep_pb2 import SweepPortfoliosRequest
from backcast_engine.errors import InvalidInput
from services.cli.options.names import option_of
from services.cli.options.portfolio_sweep import PortfolioSweepOptions
from services.cli.options.run_options import CandleOptions, ExecutionOptions, RunOptions
from tests.cli.backtests.reports import report_of
from tests.cli.conftest import Cli


def request_of(*strategies: str, stop_loss: str | None = None, **options: Any) -> SweepPortfoliosRequest:
    swept = PortfolioSweepOptions([*strategies], **options)
    return swept.request(
        CandleOptions(symbols="AUSDT,BUSDT"), ExecutionOptions(stop_loss=stop_loss), RunOptions(run_id="mine")
    )


def test_options_with_several_values_are_ranges() -> None:
    request = request_of(
        "rsi --weight 40%",
        "ma_cross --weight 60%",
        param=["period=5..7", "kind=sma,ema"],
        stop_loss="2%,none",
        max_positions="2..6:2,10",
        rank=["roc(24)", "none"],
        rebalance_every="none,24",
        rebalance_threshold="10%",
        split="70%",
        metric="cagr",
        top=5,
        min_trades=3,
    )
    assert [(one.name, [value.number_value for value in one.values]) for one in request.ranges[:1]] == [
        ("period", [5, 6, 7])
    ]
    assert [value.string_value for value in request.ranges[1].values] == ["SMA", "EMA"]
    (stops,) = request.execution_ranges
    assert [value.HasField("stop_loss") for value in stops.values] == [True, False]
    places, ranks, rebalancing = request.portfolio_ranges
    assert (places.name, [value.max_positions for value in places.values]) == ("max_positions", [2, 4, 6, 10])
    assert (ranks.name, [value.HasField("rank") for value in ranks.values]) == ("rank", [True, False])
    assert [(value.rebalancing.every, value.rebalancing.threshold) for value in rebalancing.values] == [
        *((0, 0), (24, 0.1))
    ]
    assert not request.spec.HasField("max_positions")
    assert (request.split, request.best_count, request.min_trades) == (0.7, 5, 3)
    assert (request.run_id, list(request.symbols)) == ("mine", ["AUSDT", "BUSDT"])


def test_options_with_one_value_are_those_of_the_portfolio() -> None:
    request = request_of(
        "rules --entry 'rsi({n}) < 30'",
        param=["n=7"],
        max_positions="3",
        rank=["roc({n})"],
        rebalance_every="24",
    )
    assert (request.spec.max_positions, request.spec.rebalancing.every) == (3, 24)
    assert request.spec.HasField("rank")
    assert not request.portfolio_ranges
    assert [one.name for one in request.ranges] == ["n"]


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"param": ["period=5", "period=6"]}, "--param period: is given twice"),
        ({"max_positions": "2,x"}, "--max-positions: 'x' is not a whole number"),
        ({"max_positions": "2,"}, "--max-positions: '' is not a whole number"),
        ({"max_positions": "none"}, "--max-positions: 'none' is not a whole number"),
        ({"max_positions": "1..2:0.5"}, "--max-positions: 1..2:0.5 has numbers that are not whole"),
        ({"rank": ["close > 3", "none"]}, "--rank: "),
        ({"rebalance_threshold": "10%"}, "--rebalance-threshold: needs --rebalance-every"),
        ({"split": "most"}, "--split: 'most' is not a fraction"),
        ({"random": 5, "optimize": 6}, "--optimize: cannot be combined with --random"),
        ({"split": "70%", "folds": 3}, "--folds: cannot be combined with --split"),
        ({"folds": 10**10}, "--folds: is out of range"),
        ({"seed": 5}, "--seed: needs --random or --optimize"),
        ({"random": 10**10}, "--random: is out of range"),
        ({"metric": "luck"}, "--metric: there is no metric 'luck'"),
    ],
)
def test_an_option_that_cannot_be_read_is_named(options: dict[str, Any], reason: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        request_of("rsi", **options)
    assert str(caught.value).startswith(reason)


@pytest.mark.parametrize(
    ("field", "option"),
    [
        ("ranges[0].values[1]", "--param period"),
        ("execution_ranges[0].values[0].stop_loss.fraction", "--stop-loss"),
        ("portfolio_ranges[0].values[1].max_positions", "--max-positions"),
        ("portfolio_ranges[1].values[1].rank.arguments[0]", "--rank"),
        ("spec.strategies[0].strategy.rsi.oversold", "--param oversold"),
        ("best_count", "--top"),
    ],
)
def test_fields_of_sweeps_are_written_as_options(field: str, option: str) -> None:
    request = request_of(
        "rsi", param=["period=5,6"], stop_loss="1%,2%", max_positions="1,2", rank=["roc(5)", "none"]
    )
    assert option_of(field, request) == option


async def test_the_command_shows_the_best_accounts(cli: Cli, imported: list[str]) -> None:
    finished = await cli(
        *("sweep-portfolio", "rsi", "--symbols", ",".join(imported), "--param", "period=5..7"),
        *("--max-positions", "1,2", "--stop-loss", "5%,none", "--split", "70%", "--top", "3"),
        *("--start", "2024-01-02"),
    )
    assert (finished.status, finished.err) == (0, "")
    for text in (
        "sweeping period 5, 6, 7; stop loss 5%, none; max positions 1, 2",
        "12 combinations, each one account of 2 cryptos, 1h candles from",
        "the first 70% to rank by, the rest to test",
        "24 of 24 portfolios in ",
        "the winner was chosen from 12 trials: its Sharpe ratio is ",
        "the best accounts",
        "test Sharpe",
        "… and 9 more combinations: --top shows more, --format jsonl prints all",
    ):
        assert text in finished.out


async def test_the_command_searches(cli: Cli, imported: list[str]) -> None:
    ranges = ("--param", "period=5..60", "--param", "oversold=20..45:0.1", "--max-positions", "1,2")
    for option, how in (("--random", "at random"), ("--optimize", "proposed by TPE")):
        finished = await cli(
            *("sweep-portfolio", "rsi", "--symbols", ",".join(imported), *ranges, option, "5", "--seed", "2")
        )
        assert (finished.status, finished.err) == (0, "")
        assert f"5 combinations of 28,112 ({how}, seed 2), each one account" in finished.out
        assert "the winner was chosen from 5 trials" in finished.out
    refused = await cli("sweep-portfolio", "rsi", *ranges, "--random", "10001")
    assert refused.err == "backcast: --random: must be from 1 to 10,000, not 10,001\n"


async def test_intervals_are_named_in_tables_and_files(cli: Cli, imported: list[str], tmp_path: Path) -> None:
    path = tmp_path / "accounts.parquet"
    finished = await cli(
        *("sweep-portfolio", "rsi", "--symbols", ",".join(imported), "--interval", "1h,4h"),
        *("--rank", "roc(24)", "--rank", "none", "--output", path),
    )
    assert (finished.status, finished.err) == (0, "")
    assert "sweeping interval 1h, 4h; rank roc(24), none" in finished.out
    assert "each one account of 2 cryptos, candles from" in finished.out
    assert pyarrow.parquet.read_table(path)["interval"].to_pylist() == ["1h", "1h", "4h", "4h"]


async def test_a_walk_forward_has_its_folds_its_curve_and_a_report(
    cli: Cli, imported: list[str], tmp_path: Path
) -> None:
    sweep = (
        *("sweep-portfolio", "rsi", "--symbols", ",".join(imported), "--param", "period=3..7"),
        *("--folds", "2", "--max-positions", "1,2", "--metric", "total_return", "--start", "2024-01-02"),
    )
    finished = await cli(*sweep, "--output", tmp_path / "accounts", COLUMNS="150")
    assert (finished.status, finished.err) == (0, "")
    for text in (
        "(UTC), a walk-forward of 2 folds",
        "40 of 40 portfolios in ",
        "out of sample, the accounts of the folds' choices, one after the other:\nreturn ",
        "their equity: 10,",
        "the best accounts, means over 2 folds",
    ):
        assert text in finished.out
    assert "the winner was chosen" not in finished.out
    assert sorted(path.name for path in (tmp_path / "accounts").iterdir()) == [
        *("best_combinations.parquet", "combinations.parquet", "equity.parquet")
    ]
    equity = pyarrow.parquet.read_table(tmp_path / "accounts" / "equity.parquet")
    assert equity.schema.names == ["time", "equity", "drawdown"]
    shown = float(re.search(r"other:\nreturn ([+-][\d.]+)%", finished.out)[1])  # type: ignore[index]  # it is there
    assert 100 * (equity["equity"][-1].as_py() / 10_000 - 1) == pytest.approx(shown, abs=0.051)
    report = await report_of(cli, tmp_path / "accounts.html", *sweep)
    assert report.of("h2") == ["Walk-forward", "Combinations", "Repeat it"]
    # The curve out of sample, and its drawdown.
    assert len(report.of("svg")) == 2
    command = shlex.split(report.of("code")[0])
    assert command[command.index("--folds") + 1] == "2"
    assert await rows_of(cli, *command[2:]) == await rows_of(cli, *sweep[1:])


async def test_the_command_prints_events_as_json(cli: Cli, imported: list[str]) -> None:
    finished = await cli(
        *("sweep-portfolio", "rules --entry 'rsi({n}) < 40' --exit 'rsi({n}) > 60'", "--rank", "roc({n})"),
        *("--symbols", ",".join(imported), "--param", "n=5,9", "--format", "jsonl"),
    )
    events = [json.loads(line) for line in finished.out.splitlines()]
    assert [next(iter(event)) for event in events][:1] == ["started"]
    (rows,) = [event["rows"]["rows"] for event in events if "rows" in event]
    assert [row["value_indexes"] for row in rows] == [[0], [1]]
    assert events[-1]["summary"]["winner"]["train"]["sharpe_ratio"]


async def test_what_is_refused_is_named_as_options(cli: Cli, imported: list[str]) -> None:
    finished = await cli(
        *("sweep-portfolio", "rsi", "--symbols", ",".join(imported), "--param", "period=1,5"),
        *("--max-positions", "1,9", "--fee", "0.1%,200%"),
    )
    assert (finished.status, finished.out) == (1, "")
    for option in ("--param period: ", "--max-positions: ", "--fee: "):
        assert option in finished.err


SWEEP = (
    *("rsi", "--param", "period=5..7", "--max-positions", "1,2", "--rank", "roc(24)", "--rank", "none"),
    *("--stop-loss", "5%,none", "--rebalance-every", "none,24", "--start", "2024-01-02"),
)


async def rows_of(cli: Cli, *arguments: object) -> list[Any]:
    """Return the rows of a sweep, as its lines of JSON have them."""
    finished = await cli("sweep-portfolio", *arguments, "--format", "jsonl")
    assert finished.status == 0, finished.err
    events = map(json.loads, finished.out.splitlines())
    return [row for event in events if "rows" in event for row in event["rows"]["rows"]]


async def test_files_have_a_row_for_each_combination(cli: Cli, imported: list[str], tmp_path: Path) -> None:
    sweep = (*SWEEP, "--symbols", ",".join(imported), "--split", "70%", "--top", "3")
    finished = await cli("sweep-portfolio", *sweep, "--output", tmp_path / "accounts")
    assert (finished.status, finished.err) == (0, "")
    assert f"48 rows in {tmp_path / 'accounts' / 'combinations.parquet'}" in finished.out
    combinations, best = (
        pyarrow.parquet.read_table(tmp_path / "accounts" / f"{name}.parquet").to_pylist()
        for name in ("combinations", "best_combinations")
    )
    for row, expected in zip(combinations, await rows_of(cli, *sweep), strict=True):
        for part, prefix in (("train", ""), ("test", "test_")):
            metrics = expected[part]
            assert {name: row[prefix + name] for name in metrics} == metrics
        values = [row[name] for name in ("period", "stop_loss", "max_positions", "rank", "rebalance_every")]
        period, stop, places, rank, every = expected["value_indexes"]
        assert values == [
            5 + period,
            ["5%", "none"][stop],
            1 + places,
            ["roc(24)", "none"][rank],
            every * 24 or None,
        ]
    assert [row["sharpe_ratio"] for row in best] == sorted(
        (row["sharpe_ratio"] for row in combinations if row["sharpe_ratio"] is not None), reverse=True
    )[:3]
    assert (await cli("sweep-portfolio", *sweep, "--output", tmp_path / "accounts.csv")).status == 0
    with (tmp_path / "accounts.csv").open(newline="") as file:
        lines = list(csv.DictReader(file))
    assert [float(line["total_return"]) for line in lines] == [row["total_return"] for row in combinations]
    refused = await cli("sweep-portfolio", *sweep, "--output", tmp_path / "accounts.csv")
    assert (refused.status, refused.out) == (1, "")
    assert "--overwrite replaces it" in refused.err


@pytest.mark.parametrize(
    "options",
    [
        (*SWEEP, "--split", "70%", "--top", "4"),
        (
            *("rules --entry 'rsi({n}) < {low}' --weight 30%", "ma_cross --param slow=30 --weight 70%"),
            *("--param", "n=5,9", "--param", "low=40", "--param", "fast=10..20:5", "--max-positions", "2"),
            *("--rank", "roc({n})", "--size-fraction", "50%,100%", "--metric", "max_drawdown"),
            *("--rebalance-every", "48", "--rebalance-threshold", "5%", "--min-trades", "0"),
        ),
    ],
    ids=["one strategy", "two strategies"],
)
async def test_a_report_has_the_accounts_and_the_command_that_repeats_it(
    cli: Cli, imported: list[str], tmp_path: Path, options: tuple[str, ...]
) -> None:
    sweep = (*options, "--symbols", ",".join(imported))
    document = await report_of(cli, tmp_path / "accounts.html", "sweep-portfolio", *sweep)
    rows = await rows_of(cli, *sweep)
    (title,) = document.of("h1")
    assert title.endswith(f": {len(rows)} combinations, each one account of 2 cryptos")
    assert document.of("h2") == ["Selection bias", "Combinations", "Repeat it"]
    # Wide enough for every column.
    printed = await cli("sweep-portfolio", *sweep, COLUMNS="250")
    heat, accounts = document.of("tbody")
    lines = (line.split() for line in printed.out.splitlines())
    best = next(line for line in lines if line[:1] == ["1"])
    assert re.sub(r"\s", "", accounts).startswith("".join(best))
    assert heat.count("\n") == 3
    verdict = next(line for line in printed.out.splitlines() if line.startswith("the winner was chosen"))
    assert verdict in document.of("section")[0]
    command, request = document.of("code")
    finished = await cli(*shlex.split(command)[1:], "--format", "jsonl")
    assert finished.status == 0, finished.err
    started = json.loads(finished.out.splitlines()[0])["started"]["request"]
    again, first = (ParseDict(one, SweepPortfoliosRequest()) for one in (started, json.loads(request)))
    again.run_id = first.run_id = ""
    assert again == first
    assert await rows_of(cli, *shlex.split(command)[2:]) == rows


async def test_a_sweep_without_results_has_no_report(cli: Cli, imported: list[str], tmp_path: Path) -> None:
    options = ("--symbols", ",".join(imported), "--param", "period=50..52", "--cache", "only")
    path = tmp_path / "accounts.html"
    finished = await cli("report", "sweep-portfolio", "rsi", *options, "--output", path)
    assert (finished.status, finished.out) == (1, "")
    assert finished.err.startswith("backcast: there is nothing to report: ")
    assert not path.exists()
