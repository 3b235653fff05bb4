"""`backcast report portfolio`, against what `backcast portfolio` says of the same account."""

import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.json_format import ParseDict

from backcast.gateway.v1 import portfolio_service_pb2 as pb
from services.cli.client.event_stream import portfolio_events, run_events
from services.cli.views.report.portfolio import PortfolioReport
from services.local.stack import LocalStack
from tests.cli.backtests.reports import report_of
from tests.cli.conftest import Cli, write_csv

WINDOW = ("--start", "2024-01-02", "--end", "2024-01-20")
SYMBOLS = [f"ACCO{letter}USDT" for letter in "ABCD"]
STRATEGIES = ("rsi --param period=5 --weight 40%", "rules --entry 'close > sma(20)' --weight 0.6")


@pytest.fixture(scope="session")
async def symbols(cli: Cli, tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("accounts")
    for seed, symbol in enumerate(SYMBOLS):
        write_csv(folder / f"{symbol}.csv", seed + 700)
    assert (await cli("import", folder)).status == 0
    return ",".join(SYMBOLS)


def request_of(content: dict[str, Any]) -> pb.RunPortfolioRequest:
    """Return the request that is written as JSON, without what is not about its account."""
    request = ParseDict(content, pb.RunPortfolioRequest())
    for name in ("run_id", "detail", "curve_points"):
        request.ClearField(name)
    return request


@pytest.mark.parametrize(
    "options",
    [
        ("--max-positions", "2", "--rank", "roc(24)", "--benchmark", SYMBOLS[0]),
        ("--rebalance-every", "24", "--rebalance-threshold", "10%", "--direction", "long-short"),
        ("--size-fraction", "20%", "--stop-loss", "3atr", "--interval", "4h", "--exclude", SYMBOLS[3]),
    ],
    ids=lambda options: options[0],
)
async def test_a_report_has_the_account_and_the_command_that_repeats_it(
    cli: Cli, symbols: str, tmp_path: Path, options: tuple[str, ...]
) -> None:
    portfolio = (*STRATEGIES, "--symbols", symbols, *WINDOW, *options)
    document = await report_of(cli, tmp_path / "account.html", "portfolio", *portfolio)
    count = 3 if "--exclude" in options else 4
    assert document.of("h1") == [f"rsi and rules: one account of {count} cryptos"]
    assert document.of("h2") == [
        *("Over time", "The account beside holding", "Contribution of each crypto", "Trades", "Repeat it")
    ]
    # Returns, drawdown, positions, exposure, and contributions.
    assert len(document.of("svg")) == 5
    has_benchmark = "--benchmark" in options
    assert ("polyline", "class", "curve benchmark") in document.attributes or not has_benchmark
    account, _, cryptos, trades = document.of("tbody")
    printed = await cli("portfolio", *portfolio, "--detail", "trades")
    for heading in ("return", "drawdown", "fees paid"):
        figure = next(line for line in printed.out.splitlines() if line.startswith(f" {heading} "))
        assert "".join(figure.split()) in re.sub(r"\s", "", account)
    assert all(symbol in cryptos for symbol in SYMBOLS[:count])
    events = [
        json.loads(line)
        for line in (
            await cli("portfolio", *portfolio, "--detail", "trades", "--format", "jsonl")
        ).out.splitlines()
    ]
    (result,) = (event["result"] for event in events if "result" in event)
    assert trades.count("signal") + trades.count("stop") >= 1
    assert len(result["trades"]) == len(re.findall("long|short", trades))
    command, request = document.of("code")
    finished = await cli(*shlex.split(command)[1:], "--format", "jsonl")
    started = json.loads(finished.out.splitlines()[0])["started"]["request"]
    assert request_of(started) == request_of(json.loads(request))


async def test_the_benchmarks_curve_ends_at_the_benchmarks_return(
    cli: Cli, symbols: str, stack: LocalStack
) -> None:
    request = pb.RunPortfolioRequest(symbols=SYMBOLS, detail="DETAIL_EQUITY", curve_points=50)
    request.spec.strategies.add().strategy.rsi.period = 5
    request.spec.benchmark = SYMBOLS[1]
    report = PortfolioReport(request)
    returns = []
    async for event in portfolio_events(stack.gateway_address, request):
        report.add(event)
        if event.WhichOneof("event") == "result":
            returns.append(event.result.benchmark.metrics.total_return)
    asked = report.benchmark_request()
    assert asked
    async for one in run_events(stack.gateway_address, asked):
        report.add_benchmark(one)
        if one.WhichOneof("event") == "result":
            equity = one.result.equity_curve.equity
            returns.append(equity[-1] / equity[0] - 1)
    assert returns[0] == pytest.approx(returns[1], rel=1e-12)
    assert "hold ACCOBUSDT" in report.document().html()


async def test_a_portfolio_without_candles_has_no_report(cli: Cli, symbols: str, tmp_path: Path) -> None:
    path = tmp_path / "account.html"
    empty = ("--symbols", symbols, "--start", "2019-01-01", "--end", "2019-02-01")
    finished = await cli("report", "portfolio", "rsi", *empty, "--output", path)
    assert (finished.status, finished.out) == (1, "")
    assert finished.err.count("\n") == 1
    assert "candles in the window" in finished.err
    assert not path.exists()
