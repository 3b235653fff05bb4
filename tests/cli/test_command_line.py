"""The command that a report has repeats the request: what it says is read as the same request again."""

import shlex
from typing import Any

import pytest
from typer.testing import CliRunner

from backcast.gateway.v1 import backtest_service_pb2 as pb
from backcast.gateway.v1.portfolio_service_pb2 import RunPortfolioRequest
from backcast.gateway.v1.portfolio_sweep_pb2 import SweepPortfoliosRequest
from services.cli.commands import portfolio as portfolio_commands
from services.cli.commands import portfolio_sweep as portfolio_sweep_commands
from services.cli.commands import run as run_commands
from services.cli.commands import sweep as sweep_commands
from services.cli.main import app
from services.cli.views.command_line import (
    portfolio_command,
    portfolio_sweep_command,
    run_command,
    sweep_command,
)

WINDOW = "--start 2024-01-02 --end 2024-01-20T05:30"
COSTS = "--fee 0.1% --slippage 0 --initial-capital 10000"
STRATEGY = "rsi --param period=14 --param oversold=30 --param overbought=70.5"


@pytest.fixture
def requests(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The requests that commands would send, in the order of the commands."""
    taken: list[Any] = []

    def take(request: Any, *_: object, **__: object) -> bool:
        taken.append(request)
        return True

    monkeypatch.setattr(run_commands, "run", take)
    monkeypatch.setattr(sweep_commands, "sweep", take)
    monkeypatch.setattr(portfolio_commands, "portfolio", take)
    monkeypatch.setattr(portfolio_sweep_commands, "sweep_portfolio", take)
    return taken


def invoke(command: str) -> None:
    finished = CliRunner().invoke(app, shlex.split(command.removeprefix("backcast ")))
    assert finished.exit_code == 0, finished.exception or finished.output


@pytest.mark.parametrize(
    "command",
    [
        f"backcast run {STRATEGY} {WINDOW} {COSTS}",
        f"backcast run {STRATEGY} {WINDOW} --symbols AUSDT,BUSDT --exclude BUSDT --interval 4h --fee 10% "
        "--slippage 6% --initial-capital 1234.5 --fill same-close --direction long-short --breaks split",
        f"backcast run {STRATEGY} {WINDOW} {COSTS} --size-volatility 40% --volatility-period 20 "
        "--stop-loss 2.5atr --take-profit 7% --trailing-stop 8.5% --atr-period 7 --borrow-rate 150% "
        "--funding-rate -5% --fill next-open --direction long",
        f"backcast run rules --entry 'rsi(14) < 30 and close > 0' --exit 'hour == 3' {WINDOW} {COSTS}",
        f"backcast sweep rsi --param period=5..30 --param oversold=20..40:2.5 --param overbought=70,75,90 "
        f"{WINDOW} {COSTS} --metric total_return --top 7 --folds 3 --min-trades 2",
        f"backcast sweep ma_cross --param kind=sma,ema --param fast=5 --param slow=20,21 {WINDOW} {COSTS} "
        "--split 65% --min-trades 0",
        f"backcast sweep rules --entry 'rsi({{n}}) < {{low}}' --param n=5..7 --param low=30 {WINDOW} {COSTS} "
        "--interval 1h,1d --random 9 --seed 4 --min-trades 1",
        f"backcast sweep {STRATEGY} {WINDOW} --stop-loss 1%..5%:1%,none --take-profit 2atr,10% "
        "--size-fraction 50%,100% --size-volatility 40% --volatility-period 9 --direction long,short "
        "--fill next-open,same-close --fee 0.1%,10% --slippage 0bps,5bps --borrow-rate 0%,10% "
        "--funding-rate 5%,150% --atr-period 7,14 --initial-capital 500 --optimize 30 --min-trades 1",
        f"backcast portfolio '{STRATEGY}' {WINDOW} {COSTS} --max-positions 3 --size equal",
        f"backcast portfolio '{STRATEGY} --weight 40%' 'rules --entry \"close > sma(20)\" --weight 0.6' "
        f"{WINDOW} "
        f"{COSTS} --max-positions 3 --rank 'roc(168)' --rebalance-every 24 --rebalance-threshold 2.5% "
        "--benchmark BUSDT --symbols AUSDT,BUSDT --size execution --size-volatility 40% "
        "--volatility-period 9 --stop-loss 2atr --interval 4h",
        f"backcast sweep-portfolio 'rsi --param oversold=25' {WINDOW} {COSTS} --param period=7..9 "
        "--max-positions 3 --size equal --min-trades 1 --random 5 --seed 1 --folds 3",
        f"backcast sweep-portfolio 'rsi --weight 40%' \"rules --entry 'close > sma({{n}})' --weight 0.6\" "
        f"{WINDOW} {COSTS} --param n=5..7 --param period=7,9 --max-positions 2,5 --rank 'roc({{n}})' "
        "--rank none --rebalance-every none,24 --rebalance-threshold 2.5% --stop-loss 2%,3atr,none "
        "--size-fraction 50%,100% --split 70% --metric cagr --top 3 --min-trades 0 --symbols AUSDT,BUSDT "
        "--interval 1h,1d",
    ],
    ids=lambda command: " ".join(command.split()[1:3]),
)
def test_a_command_is_repeated(requests: list[Any], command: str) -> None:
    invoke(command)
    first = requests[0]
    if isinstance(first, RunPortfolioRequest):
        again = portfolio_command(first, first)
    elif isinstance(first, SweepPortfoliosRequest):
        again = portfolio_sweep_command(first, first)
    elif isinstance(first, pb.RunBacktestsRequest):
        again = run_command(first, first)
    else:
        again = sweep_command(first, first)
    invoke(again)
    assert requests[1] == first
