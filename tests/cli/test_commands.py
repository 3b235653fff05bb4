"""The `backcast` command against real services, as a user runs it: in a process of its own."""

import asyncio
import json
import os
import signal
import socket
from pathlib import Path

import pytest
from google.protobuf.json_format import Parse

from backcast.gateway.v1 import backtest_service_pb2 as pb
from services.local.stack import LocalStack
from tests.candle_making import START_S
from tests.cli.conftest import BACKCAST, Cli


async def test_jsonl_is_a_message_a_line(cli: Cli, imported: list[str]) -> None:
    finished = await cli(
        *("run", "rsi", "--param", "period=5", "--symbols", ",".join(imported), "--format", "jsonl"),
        *("--start", "2024-01-05", "--end", "2024-01-15T12:00:00+00:00", "--fee", 0.002),
        *("--slippage-bps", 3, "--initial-capital", 500, "--detail", "trades", "--cache", "bypass"),
    )
    events = [Parse(line, pb.RunBacktestsResponse()) for line in finished.out.splitlines()]
    assert [event.WhichOneof("event") for event in events] == ["started", "result", "result", "summary"]
    request = events[0].started.request
    assert request.spec.strategy.rsi.period == 5
    assert request.spec.start_time.seconds == START_S + 4 * 86_400
    assert request.spec.end_time.seconds == START_S + 14 * 86_400 + 43_200
    execution = request.spec.execution
    assert (execution.fee_rate, execution.slippage_bps, execution.initial_capital) == (0.002, 3, 500)
    assert request.cache_mode == pb.CACHE_MODE_BYPASS
    assert events[1].result.trades
    assert finished.status == 0
    # Zeros are there, so that what is not there is undefined.
    assert json.loads(finished.out.splitlines()[1])["progress"]["failed"] == 0


async def test_the_table_shows_every_crypto_and_the_summary(cli: Cli, imported: list[str]) -> None:
    finished = await cli("run", "ma_cross", "--param", "kind=ema", "--symbols", ",".join(imported))
    assert finished.status == 0
    for text in (*imported, "fast 20, slow 50, kind EMA", "median", "2 of 2 in"):
        assert text in finished.out


async def test_rules_and_every_option_of_an_execution(cli: Cli, imported: list[str]) -> None:
    arguments = (
        *("run", "rules", "--entry", "rsi(5) < 40 and close > 0", "--exit", "close < sma(20)"),
        *("--symbols", ",".join(imported), "--fill", "same-close", "--direction", "long-short"),
        *("--size-volatility", 0.4, "--volatility-period", 20, "--stop-loss", "2atr", "--take-profit", "10%"),
        *("--trailing-stop", 0.08, "--atr-period", 7, "--borrow-rate", 0.1, "--funding-rate", "5%"),
        *("--detail", "equity", "--curve-points", 40),
    )
    shown = await cli(*arguments)
    assert shown.status == 0
    for text in (
        "entry: rsi(5) < 40 and close > 0",
        "exit: close < sma(20)",
        "fills at the signal's own close",
        "long and short, positions of 40% volatility a year (measured over 20 closes), stop loss 2 × ATR(7)",
        "take profit 10%, trailing stop 8%, borrowing at 10% a year, funding at 5% a year",
        "trades of CLIAUSDT",
        "monthly returns of CLIAUSDT, percent",
        "short",
    ):
        assert text in shown.out
    lines = (await cli(*arguments, "--format", "jsonl")).out.splitlines()
    started, first, *_ = [Parse(line, pb.RunBacktestsResponse()) for line in lines]
    execution = started.started.request.spec.execution
    assert (execution.stop_loss.atr_multiple, execution.atr_period) == (2, 7)
    assert execution.volatility_target.period == 20
    assert 2 < len(first.result.equity_curve.equity) <= 40


@pytest.mark.parametrize("strategy", ["rsi", "donchian", "stochastic"])
async def test_a_strategy_does_what_its_rules_do(cli: Cli, imported: list[str], strategy: str) -> None:
    rules = dict(line.split(": ", 1) for line in (await cli("rules", strategy)).out.splitlines())
    common = ("--symbols", "CLIAUSDT", "--detail", "equity", "--format", "jsonl", "--cache", "bypass")
    results = []
    for chosen in ((strategy,), ("rules", "--entry", rules["entry"], "--exit", rules["exit"])):
        lines = (await cli("run", *chosen, *common)).out.splitlines()
        results.append(Parse(lines[1], pb.RunBacktestsResponse()).result)
    assert results[0].trades
    assert results[0] == results[1]


async def test_a_run_is_verified(cli: Cli, imported: list[str]) -> None:
    finished = await cli("verify", "rsi", "--symbols", ",".join(imported), "--stop-loss", "3%", "--cuts", 4)
    assert finished.status == 0
    assert finished.out.endswith(
        "no look-ahead: 8 shorter histories of 2 cryptos gave the same equity and trades\n"
        "as the whole ones, to the last bit:\n"
        "4 with the requested fills, 4 with fills at the signals' own closes\n"
    )


async def test_an_error_in_rules_is_pointed_at(cli: Cli) -> None:
    finished = await cli("run", "rules", "--entry", "rsi(14) < 30 and clsoe > 1")
    assert (finished.status, finished.out) == (1, "")
    assert finished.err == (
        "backcast: --entry: at character 18: there is no clsoe: did you mean close?\n"
        "  rsi(14) < 30 and clsoe > 1\n"
        "                   ^^^^^\n"
    )


async def test_the_exit_status_is_1_if_a_crypto_failed(cli: Cli, imported: list[str]) -> None:
    symbols = ("--symbols", ",".join(imported))
    for options in (("--format", "jsonl"), ("--format", "table")):
        finished = await cli("run", "rsi", *symbols, "--end", "2019-01-01", *options)
        assert finished.status == 1
        assert "there are no candles in the window" in finished.out


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["run", "nope"], "strategy: there is no strategy 'nope': choose rsi, ma_cross"),
        (["run", "rsi", "--param", "perod=3"], "--param perod: rsi has no such parameter"),
        (["run", "rsi", "--param", "period"], "'period' does not have the form name=value"),
        (["run", "rsi", "--param", "period=x"], "--param period: 'x' is not a number"),
        (["run", "rsi", "--param", "period=1.5"], "'1.5' is not a whole number"),
        (["run", "rsi", "--param", "period=nan"], "'nan' is not a whole number"),
        (["run", "rsi", "--param", "period=1e9"], "--param period: must be from 2 to 10000"),
        (["run", "rsi", "--param", "period=1e99"], "--param period: 1e99 is out of range"),
        (["run", "rsi", "--param", "oversold=nan"], "--param oversold: must be from 0 to 100"),
        (["run", "ma_cross", "--param", "kind=wma"], "--param kind: 'wma' is not SMA or EMA"),
        (["run", "rsi", "--interval", "2h"], "--interval: '2h' is not one of 1h, 4h, 1d, 1w"),
        (["run", "rsi", "--start", "soon"], "--start: 'soon' is not a time"),
        (["run", "rsi", "--symbols", "NOSUCH"], "--symbols: there is no crypto 'NOSUCH'"),
        (["run", "rsi", "--entry", "close > 1"], "--entry: is for the strategy rules only, not for rsi"),
        (["run", "rules"], "--entry: is required for rules"),
        (["run", "rsi", "--stop-loss", "2x"], "--stop-loss: '2x' is not a distance like 5%, 0.05 or 2atr"),
        (["run", "rsi", "--stop-loss", "0%"], "--stop-loss: must be above 0"),
        (
            ["run", "rsi", "--size-amount", "5", "--size-fraction", "1"],
            "--size-amount: only one size can be given",
        ),
        (["run", "rsi", "--borrow-rate", "nan"], "--borrow-rate: 'nan' is not a fraction like 0.1%"),
        (["run", "rsi", "--funding-rate", "101"], "--funding-rate: 101 would be 10100 % a year"),
        (["run", "rsi", "--funding-rate", "10100%"], "--funding-rate: must be from -100 to 100, not 101"),
        (["run", "rsi", "--curve-points", "3"], "--curve-points: must be 0 for all, or at least 8, not 3"),
        (["rules", "rules"], "strategy: you write rules yourself"),
        (["rules", "rsi", "--param", "period=1"], "--param period: must be from 2 to 10000, not 1"),
        (["run", "rsi", "--fee", "1"], "--fee: 1 would be 100 %: write 100% if that is meant"),
        (["run", "rsi", "--fee", "100%"], "--fee: must be at least 0 and below 1, not 1"),
        (["run", "rsi", "--fee", "-0.001"], "--fee: must be at least 0 and below 1, not -0.001"),
        (["run", "rsi", "--slippage-bps", "1000"], "--slippage-bps: 1000 would be 10 %"),
        (["import", "."], "there is no file to import"),
        (["import", "nowhere.csv"], "nowhere.csv"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
async def test_bad_arguments_end_in_one_line(
    cli: Cli, imported: list[str], tmp_path: Path, arguments: list[str], reason: str
) -> None:
    arguments = [str(tmp_path) if argument == "." else argument for argument in arguments]
    finished = await cli(*arguments)
    assert finished.status == 1
    assert reason in finished.out + finished.err
    assert len((finished.out + finished.err).splitlines()) == 1


async def test_a_wrong_port_ends_in_one_line(cli: Cli, stack: LocalStack) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{unused.getsockname()[1]}"
        finished = await cli("cryptos", BACKCAST_GATEWAY_ADDRESS=address)
    assert finished.status == 1
    assert finished.err == (
        f"backcast: the gateway service does not answer at {address}: is it running there (`backcast up`)?\n"
    )
    finished = await cli("strategies", BACKCAST_GATEWAY_ADDRESS=stack.data_address)
    assert "is not Backcast's gateway service" in finished.err
    finished = await cli("strategies", BACKCAST_GATEWAY_PORT="70000", BACKCAST_GATEWAY_ADDRESS="x:1")
    assert finished.err.startswith("backcast: BACKCAST_GATEWAY_PORT: ")


async def test_strategies_and_cryptos_are_listed(cli: Cli, imported: list[str]) -> None:
    cryptos = await cli("cryptos")
    assert "CLIAUSDT" in cryptos.out
    assert "2024-01-01 00:00" in cryptos.out
    strategies = await cli("strategies")
    for text in ("rsi", "oversold", "bollinger", "UPPER | MIDDLE", "entry: rsi(14) < 30", "buy_and_hold"):
        assert text in strategies.out


async def test_ctrl_c_ends_a_run(cli: Cli, imported: list[str]) -> None:
    process = await cli.start("run", "rsi", "--format", "jsonl", "--cache", "bypass")
    assert process.stdout
    assert process.stderr
    await process.stdout.readline()
    process.send_signal(signal.SIGINT)
    await process.stdout.read()
    errors = await process.stderr.read()
    # It may have been done already: then there was nothing to interrupt.
    assert await process.wait() in (0, 1, 130)
    assert b"Traceback" not in errors


async def test_a_reader_that_leaves_ends_a_run_silently(cli: Cli, imported: list[str]) -> None:
    reading, writing = os.pipe()
    process = await asyncio.create_subprocess_exec(
        *BACKCAST,
        "run",
        "rsi",
        "--format",
        "jsonl",
        env=cli.environment,
        stdout=writing,
        stderr=asyncio.subprocess.PIPE,
    )
    os.close(writing)
    os.close(reading)
    _, errors = await process.communicate()
    assert errors == b""
