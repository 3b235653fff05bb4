"""`backcast report`: one HTML file that needs nothing else, and says how to repeat what it shows."""

import html
import json
import shlex
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.json_format import ParseDict

from backcast.gateway.v1 import backtest_service_pb2 as pb
from services.cli.views.report.document import words
from tests.cli.backtests.reports import Document, report_of
from tests.cli.conftest import Cli, write_csv

WINDOW = ("--start", "2024-01-02", "--end", "2024-01-20")
SYMBOLS = [f"REPO{letter}USDT" for letter in "ABCDEF"]


@pytest.fixture(scope="session")
async def reported(cli: Cli, tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("reported")
    for seed, symbol in enumerate(SYMBOLS):
        write_csv(folder / f"{symbol}.csv", seed + 400)
    assert (await cli("import", folder)).status == 0
    return ",".join(SYMBOLS)


Request = pb.RunBacktestsRequest | pb.SweepBacktestsRequest


def request_of(content: dict[str, Any]) -> Request:
    """Return the request that is written as JSON, without what is not about its backtests."""
    request = ParseDict(
        content, pb.SweepBacktestsRequest() if "ranges" in content else pb.RunBacktestsRequest()
    )
    for name in ("run_id", "detail", "curve_points", "max_results_per_event"):
        if name in request.DESCRIPTOR.fields_by_name:
            request.ClearField(name)
    return request


async def started_by(cli: Cli, command: str) -> Request:
    """Return the request, as the server understood it, that a command line makes."""
    finished = await cli(*shlex.split(command)[1:], "--format", "jsonl")
    return request_of(json.loads(finished.out.splitlines()[0])["started"]["request"])


def request_in(document: Document) -> Request:
    """Return the request that a report has."""
    return request_of(json.loads(document.of("code")[1]))


async def test_a_run_of_many_cryptos_has_charts_quantiles_and_a_row_for_each(
    cli: Cli, reported: str, tmp_path: Path
) -> None:
    run = ("rsi", "--param", "period=5", "--symbols", reported, *WINDOW)
    document = await report_of(cli, tmp_path / "run.html", "run", *run)
    assert document.of("h1") == ["rsi on 6 cryptos"]
    assert document.of("h2") == ["Over time", "Over the cryptos", "Cryptos", "Repeat it"]
    assert len(document.of("svg")) == 2
    text = "\n".join(document.of("main"))
    for expected in ("rsi period 5, oversold 30, overbought 70", "6 cryptos, 1h candles from 2024-01-02"):
        assert expected in text
    spread, cryptos = document.of("tbody")
    assert all(symbol in cryptos for symbol in SYMBOLS)
    # The quantiles are those that the command prints.
    printed = (await cli("run", *run)).out
    row = next(line.split() for line in printed.splitlines() if line.split()[:1] == ["Sharpe"])
    assert "".join(row) in spread


async def test_a_run_of_one_crypto_has_its_curves_and_trades(cli: Cli, reported: str, tmp_path: Path) -> None:
    document = await report_of(
        *(cli, tmp_path / "one.html", "run", "rsi", "--param", "period=5"),
        *("--symbols", SYMBOLS[0], *WINDOW),
    )
    assert document.of("h1") == [f"rsi on {SYMBOLS[0]}"]
    assert document.of("h2") == [SYMBOLS[0], "Cryptos", "Repeat it"]
    captions = document.of("caption")
    assert captions == [f"monthly returns of {SYMBOLS[0]}, percent", f"trades of {SYMBOLS[0]}"]
    assert len(document.of("svg")) == 2


@pytest.mark.parametrize(
    "run",
    [
        ("rsi", "--param", "period=5", "--param", "oversold=33.3", "--interval", "4h"),
        ("ma_cross", "--param", "kind=ema", "--fee", "10%", "--slippage", "6%", "--fill", "same-close"),
        (
            *("rules", "--entry", "rsi(5) < 40 and close > 0", "--exit", "close < sma(20) or hour == 3"),
            *("--size-volatility", "40%", "--volatility-period", "20", "--stop-loss", "2.5atr"),
            *("--take-profit", "7%", "--trailing-stop", "8.5%", "--atr-period", "7", "--borrow-rate", "150%"),
            *("--funding-rate", "-5%", "--direction", "long-short", "--breaks", "split"),
        ),
        ("buy_and_hold", "--size-amount", "1234.5", "--initial-capital", "20000", "--fee", "0.025%"),
        ("donchian", "--size-fraction", "33%", "--direction", "short", "--exclude", SYMBOLS[1]),
    ],
    ids=lambda run: run[0],
)
async def test_the_command_of_a_report_repeats_the_run(
    cli: Cli, reported: str, tmp_path: Path, run: tuple[str, ...]
) -> None:
    document = await report_of(cli, tmp_path / "run.html", "run", *run, "--symbols", reported, *WINDOW)
    command = document.of("code")[0]
    assert command.startswith(f"backcast run {run[0]} ")
    assert await started_by(cli, command) == request_in(document)


@pytest.mark.parametrize(
    ("sweep", "headings"),
    [
        (
            ("rsi", "--param", "period=3..6", "--param", "oversold=30..45:5", "--param", "overbought=65"),
            ["Selection bias", "Combinations", "Single cryptos", "Repeat it"],
        ),
        (
            (
                *(
                    "ma_cross",
                    "--param",
                    "fast=3,5,9",
                    "--param",
                    "slow=20..40:10",
                    "--param",
                    "kind=sma,ema",
                ),
                *("--folds", "2", "--metric", "total_return", "--min-trades", "2", "--top", "5"),
            ),
            [
                *("Selection bias", "Walk-forward", "Combinations", "Single cryptos"),
                *("Out of sample, by crypto", "Repeat it"),
            ],
        ),
        (
            ("donchian", "--param", "entry=10..10:1", "--split", "60%"),
            ["Selection bias", "Combinations", "Single cryptos", "Repeat it"],
        ),
    ],
    ids=lambda value: value[0],
)
async def test_a_sweep_has_its_verdict_a_heat_map_and_its_command(
    cli: Cli, reported: str, tmp_path: Path, sweep: tuple[str, ...], headings: list[str]
) -> None:
    document = await report_of(cli, tmp_path / "sweep.html", "sweep", *sweep, "--symbols", reported, *WINDOW)
    assert document.of("h2") == headings
    assert ("table", "class", "heat") in document.attributes
    command = document.of("code")[0]
    assert await started_by(cli, command) == request_in(document)


async def test_a_report_replaces_a_file_only_on_request(cli: Cli, reported: str, tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    path.write_text("mine")
    report = ("report", "run", "rsi", "--symbols", reported, *WINDOW, "--output", path)
    refused = await cli(*report)
    assert (refused.status, refused.out) == (1, "")
    assert refused.err == f"backcast: --output: '{path}' exists: --overwrite replaces it\n"
    assert path.read_text() == "mine"
    assert (await cli(*report, "--overwrite")).status == 0
    assert path.read_text().startswith("<!doctype html>")


@pytest.mark.parametrize(
    ("options", "error"),
    [
        (["--output", "report.pdf"], "--output: 'report.pdf' does not end with .html"),
        (["--output", "nowhere/report.html"], "--output: there is no folder 'nowhere'"),
        (["--output", "report.html", "--fee", "x"], "--fee: 'x' is not a fraction"),
        (
            ["--output", "report.html", "--start", "2019-01-01", "--end", "2019-02-01"],
            "there is nothing to report: there are no candles in the window",
        ),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
async def test_a_report_that_cannot_be_is_one_sentence(
    cli: Cli,
    reported: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    options: list[str],
    error: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    finished = await cli("report", "run", "rsi", "--symbols", reported, *options)
    assert (finished.status, finished.out) == (1, "")
    assert finished.err.startswith(f"backcast: {error}")
    assert finished.err.count("\n") == 1
    assert not [*tmp_path.iterdir()]


def test_words_are_escaped_and_keep_their_colours() -> None:
    shown = words("[red]<script>alert(1)</script>[/red] & [bold]close[1][/bold]")
    assert str(shown) == (
        '<span class="loss">&lt;script&gt;alert(1)&lt;/script&gt;</span> &amp; '
        '<span class="strong">close[1]</span>'
    )
    assert html.unescape(str(words("a < b"))) == "a < b"
