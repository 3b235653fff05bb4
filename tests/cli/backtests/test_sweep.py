"""`backcast sweep`, as a user runs it."""

import re

import pytest
from google.protobuf.json_format import Parse

from backcast.backtest.v1.result_pb2 import METRIC_TOTAL_RETURN
from backcast.gateway.v1 import backtest_service_pb2 as pb
from tests.cli.conftest import Cli, write_csv


@pytest.fixture(scope="session")
async def swept_symbols(cli: Cli, tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("swept")
    symbols = ["SWEEPAUSDT", "SWEEPBUSDT"]
    for seed, symbol in enumerate(symbols):
        write_csv(folder / f"{symbol}.csv", seed + 70)
    assert (await cli("import", folder)).status == 0
    return ",".join(symbols)


async def test_rules_and_stops_are_swept_together(cli: Cli, swept_symbols: str) -> None:
    finished = await cli(
        *("sweep", "rules", "--entry", "rsi({n}) < {low}", "--exit", "rsi({n}) > 60"),
        *(
            "--param",
            "n=4..6",
            "--param",
            "low=35",
            "--stop-loss",
            "2%,3atr,none",
            "--symbols",
            swept_symbols,
        ),
        *("--start", "2024-01-02", "--top", 4),
    )
    assert finished.status == 0
    for text in (
        "rules\nentry: rsi({n}) < {low}\nexit: rsi({n}) > 60\n",
        "sweeping n 4, 5, 6; low 35; stop loss 2%, 3atr, none\n9 combinations × 2 cryptos",
        "18 of 18 backtests in",
        "n  low  stop loss",
        "… and 5 more combinations",
    ):
        assert text in finished.out
    assert finished.out.index("combinations, medians") < finished.out.index("the best single cryptos")


async def test_intervals_of_a_random_sample_are_shown(cli: Cli, swept_symbols: str) -> None:
    finished = await cli(
        *("sweep", "rsi", "--param", "period=3..12", "--interval", "1h,4h", "--random", 6, "--seed", 4),
        *("--symbols", swept_symbols, "--start", "2024-01-02", "--fee", "0,10bps"),
    )
    assert finished.status == 0
    for text in (
        "sweeping interval 1h, 4h; period 3, 4, …, 12; fee 0%, 0.1%\n",
        "6 combinations of 40 (at random, seed 4) × 2 cryptos, candles from 2024-01-02",
        "slippage 0 bps, capital 10,000; fills at the next open",
        "interval  period",
    ):
        assert text in finished.out


async def test_the_tables_show_the_best_and_what_luck_makes_of_it(cli: Cli, swept_symbols: str) -> None:
    finished = await cli(
        *(
            "sweep",
            "rsi",
            "--param",
            "period=3..6",
            "--param",
            "oversold=30..45:5",
            "--param",
            "overbought=65",
        ),
        *("--symbols", swept_symbols, "--start", "2024-01-02", "--split", 0.6, "--top", 3),
    )
    assert finished.status == 0
    for text in (
        "rsi overbought 65, sweeping period 3, 4, 5, 6; oversold 30, 35, 40, 45",
        "16 combinations × 2 cryptos",
        "the first 60% to rank by, the rest to test",
        "test Sharpe",
        "combinations, medians over the cryptos",
        "the winner was chosen from 32 trials",
        "deflated Sharpe ratio",
        "64 of 64 backtests in",
    ):
        assert text in finished.out


async def test_a_walk_forward_chooses_among_intervals(cli: Cli, swept_symbols: str) -> None:
    finished = await cli(
        *("sweep", "rsi", "--interval", "1h,4h", "--param", "period=5,7", "--folds", 2),
        *("--symbols", swept_symbols, "--start", "2024-01-02"),
    )
    assert (finished.status, finished.err) == (0, "")
    for text in ("sweeping interval 1h, 4h; period 5, 7", "a walk-forward of 2 folds", "out of sample, all"):
        assert text in finished.out


async def test_each_fold_can_have_an_optimization(cli: Cli, swept_symbols: str) -> None:
    arguments = ["rsi", "--param", "period=2..9", "--param", "overbought=51..70", "--folds", 3, "--top", 2]
    finished = await cli(
        *("sweep", *arguments, "--optimize", 20, "--seed", 2),
        *("--symbols", swept_symbols, "--start", "2024-01-02"),
    )
    assert (finished.status, finished.err) == (0, "")
    assert (
        "at most 60 combinations of 160 (for each fold, TPE proposes 20, seed 2) × 2 cryptos" in finished.out
    )
    ((done, total),) = re.findall(r"(\d+) of (\d+) backtests in", finished.out)
    (more,) = re.findall(r"… and (\d+) more combinations", finished.out)
    # What several folds propose is backtested once, on both cryptos and in six windows.
    assert done == total == str((int(more) + 2) * 2 * 6)
    assert int(total) <= (60 - 2 * 16) * 2 * 6


async def test_jsonl_has_every_combination(cli: Cli, swept_symbols: str) -> None:
    finished = await cli(
        *(
            "sweep",
            "ma_cross",
            "--param",
            "fast=2..30",
            "--param",
            "kind=sma,ema",
            "--metric",
            "total_return",
        ),
        *("--symbols", swept_symbols, "--start", "2024-01-02", "--folds", 2, "--format", "jsonl", "--fee", 0),
    )
    events = [Parse(line, pb.SweepBacktestsResponse()) for line in finished.out.splitlines()]
    assert finished.status == 0
    request = events[0].started.request
    assert (request.fold_count, request.metric) == (2, METRIC_TOTAL_RETURN)
    assert request.spec.execution.fee_rate == 0
    assert sum(len(event.rows.rows) for event in events) == 58
    assert len(events[-1].summary.walk_forward.folds) == 2


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["rsi"], "--param: at least one parameter"),
        (
            ["rsi", "--param", "peroid=5,7"],
            "--param peroid: rsi has no parameter 'peroid': did you mean period?",
        ),
        (["rules", "--param", "period=5,7"], "--entry: is required for rules"),
        (
            ["rules", "--entry", "rsi({n}) < {low}", "--param", "n=5,7"],
            "--entry: {low} has no range: a placeholder needs a range of values",
        ),
        (
            ["rules", "--entry", "rsi({n}) < 30", "--param", "n=0..2"],
            "--param n: n = 0: period of rsi must be from 2 to 10000, not 0",
        ),
        (["rsi", "--param", "period=5,7", "--random", "0"], "--random: must be from 1 to 100,000, not 0"),
        (
            ["rsi", "--param", "period=5,7", "--optimize", "401", "--folds", "5"],
            "--optimize: must be from 1 to 400 with 5 folds, not 401",
        ),
        (
            ["rsi", "--interval", "1h,1w", "--folds", "90"],
            "--folds: the window has room for",
        ),
        (["rsi", "--interval", "1h,2h"], "--interval: '2h' is not one of 1h, 4h, 1d, 1w"),
        (["rsi", "--stop-loss", "2%,150%"], "--stop-loss: must be above 0 and at most 1, not 1.5"),
        (
            ["rsi", "--param", "period=5,7", "--split", "0.5", "--folds", "2"],
            "--folds: cannot be combined with --split",
        ),
        (["rsi", "--param", "period=5,7", "--metric", "luck"], "--metric: there is no metric 'luck'"),
        (["rsi", "--param", "period=5,7", "--top", "99999999999"], "--top: is out of range"),
        (["nope", "--param", "period=5,7"], "strategy: there is no strategy 'nope'"),
    ],
)
async def test_an_error_is_one_line(cli: Cli, swept_symbols: str, arguments: list[str], error: str) -> None:
    finished = await cli("sweep", *arguments, "--symbols", swept_symbols)
    assert (finished.status, finished.out) == (1, "")
    assert finished.err.startswith(f"backcast: {error}")
    assert finished.err.count("\n") == 1
