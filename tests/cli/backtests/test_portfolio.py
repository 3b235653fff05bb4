"""`backcast portfolio`, as a user runs it, and how it reads its options."""

import json
from typing import Any

import pytest

from backcast.backtest.v1 import portfolio_pb2
from backcast.gateway.v1.portfolio_service_pb2 import RunPortfolioRequest
from backcast_engine.errors import InvalidInput
from services.cli.options.names import option_of
from services.cli.options.portfolio import portfolio_request, weighted_strategy
from services.cli.options.run_options import (
    CandleOptions,
    ExecutionOptions,
    PortfolioOptions,
    RunOptions,
    Size,
)
from tests.cli.conftest import Cli


def request_of(*strategies: str, run_id: str = "", **portfolio: Any) -> RunPortfolioRequest:
    return portfolio_request(
        [*strategies],
        CandleOptions(symbols="AUSDT,BUSDT", start="2024-01-01"),
        ExecutionOptions(fee="0.2%"),
        PortfolioOptions(**portfolio),
        options=RunOptions(run_id=run_id),
    )


def test_options_of_a_portfolio_are_its_fields() -> None:
    request = request_of(
        "rsi --param period=7 --weight 40%",
        "rules --entry 'close > sma(20)' --weight 0.6",
        max_positions=5,
        rank="roc(168)",
        size=Size.EQUAL,
        rebalance_every=24,
        rebalance_threshold="10%",
        benchmark="AUSDT",
        run_id="mine",
    )
    spec = request.spec
    assert list(request.symbols) == ["AUSDT", "BUSDT"]
    assert [each.weight for each in spec.strategies] == [0.4, 0.6]
    assert spec.strategies[0].strategy.rsi.period == 7
    assert spec.strategies[1].strategy.rules.HasField("entry")
    assert (spec.max_positions, spec.size) == (5, portfolio_pb2.PORTFOLIO_SIZE_EQUAL)
    assert (spec.rebalancing.every, spec.rebalancing.threshold) == (24, 0.1)
    assert (spec.benchmark, request.run_id, spec.execution.fee_rate) == ("AUSDT", "mine", 0.002)
    assert spec.start_time.seconds == 1_704_067_200
    assert not spec.HasField("end_time")
    assert spec.HasField("rank")


def test_what_is_not_given_is_left_to_the_gateway() -> None:
    spec = request_of("rsi").spec
    assert not spec.HasField("max_positions")
    assert not spec.HasField("rank")
    assert not spec.HasField("rebalancing")
    assert not spec.strategies[0].HasField("weight")
    assert spec.size == portfolio_pb2.PORTFOLIO_SIZE_UNSPECIFIED


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("rsy", "there is no strategy 'rsy'"),
        ("", "there is no strategy ''"),
        ("rsi --period 7", "strategy: 'rsi --period 7': --period is not one of --param, --entry, --exit and"),
        ("rsi --param", "strategy: 'rsi --param': argument --param: expected one argument"),
        ("rsi 'x", 'strategy: "rsi \'x": No closing quotation'),
        ("rsi --weight much", "--weight: 'much' is not a fraction"),
        ("rsi --param nope=3", "--param nope: rsi has no such parameter"),
        ("rsi --entry 'close > 3'", "--entry: is for the strategy rules only"),
    ],
)
def test_a_strategy_that_cannot_be_read_is_named(text: str, reason: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        weighted_strategy(text)
    assert reason in str(caught.value)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"rank": "close > 3"}, "--rank: "),
        ({"rank": "nope(3)"}, "--rank: "),
        ({"rebalance_threshold": "10%"}, "--rebalance-threshold: needs --rebalance-every"),
        ({"rebalance_every": 24, "rebalance_threshold": "x"}, "--rebalance-threshold: 'x' is not a fraction"),
        ({"rebalance_every": 2**40}, "--rebalance-every: 1099511627776 is out of range"),
        ({"max_positions": 2**40}, "--max-positions: 1099511627776 is out of range"),
    ],
)
def test_an_option_that_cannot_be_read_is_named(options: dict[str, Any], reason: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        request_of("rsi", **options)
    assert str(caught.value).startswith(reason)


@pytest.mark.parametrize(
    ("field", "option", "of_two"),
    [
        ("spec.max_positions", "--max-positions", "--max-positions"),
        ("spec.rank.arguments[0]", "--rank", "--rank"),
        ("spec.rank", "--rank", "--rank"),
        ("spec.size", "--size", "--size"),
        ("spec.rebalancing", "--rebalance-every", "--rebalance-every"),
        ("spec.rebalancing.threshold", "--rebalance-threshold", "--rebalance-threshold"),
        ("spec.benchmark", "--benchmark", "--benchmark"),
        ("spec.strategies", "STRATEGY", "STRATEGY"),
        ("spec.strategies[0].weight", "--weight", "STRATEGY 1 --weight"),
        ("spec.strategies[0].strategy.rsi.period", "--param period", "STRATEGY 1 --param period"),
        ("spec.execution.stop_loss.fraction", "--stop-loss", "--stop-loss"),
        ("spec.start_time", "--start", "--start"),
    ],
)
def test_fields_of_portfolios_are_written_as_options(field: str, option: str, of_two: str) -> None:
    assert option_of(field, request_of("rsi")) == option
    assert option_of(field, request_of("rsi", "supertrend")) == of_two


async def test_the_command_shows_the_account_and_every_crypto(cli: Cli, imported: list[str]) -> None:
    symbols = ("--symbols", ",".join(imported))
    finished = await cli(
        *("portfolio", "rsi --param period=7", *symbols, "--rank", "roc(24)", "--benchmark", imported[0]),
        *("--detail", "equity", "--max-positions", "2"),
    )
    assert (finished.status, finished.err) == (0, "")
    out = finished.out
    assert "rsi period 7, oversold 30, overbought 70" in out
    assert "one account, 2 cryptos, 1h candles" in out
    assert "2 places, equal shares, higher roc(24) first" in out
    assert f"against {imported[0]}: alpha" in out
    assert "skipped entries: " in out
    for text in (
        *imported,
        "hold all",
        "contribution",
        "trades of the account",
        "equity: 10,000",
        "positions: ",
    ):
        assert text in out
    assert "2 cryptos in " in out


async def test_an_entry_that_is_never_true_is_reported(cli: Cli, imported: list[str]) -> None:
    rules = "rules --entry 'close > 1e9'"
    symbols = ("--symbols", ",".join(imported))
    portfolio = await cli("portfolio", rules, *symbols)
    assert "no entry was ever true on any crypto" in portfolio.out
    assert "skipped entries" not in portfolio.out
    compared = await cli("compare", "rsi", rules, *symbols)
    assert "B: no crypto traded: the entry was never true, or could never be filled" in compared.out
    assert "A: no crypto traded" not in compared.out
    swept = await cli("sweep", "rules", "--entry", "close > {n} * 1e9", "--param", "n=1,2", *symbols)
    assert "no crypto traded: the entry was never true, or could never be filled" in swept.out


async def test_the_command_prints_events_as_json(cli: Cli, imported: list[str]) -> None:
    finished = await cli(
        *("portfolio", "rsi", "--symbols", ",".join(imported), "--format", "jsonl", "--cache", "bypass")
    )
    events = [json.loads(line) for line in finished.out.splitlines()]
    kinds = [next(kind for kind in event if kind not in ("sequence", "resultContinues")) for event in events]
    assert (kinds[0], kinds[-2:]) == ("started", ["result", "summary"])
    assert [crypto["symbol"] for crypto in events[-2]["result"]["cryptos"]] == imported


async def test_a_refused_portfolio_names_its_options(cli: Cli, imported: list[str]) -> None:
    finished = await cli(
        *("portfolio", "rsi --param period=1", "--symbols", ",".join(imported), "--max-positions", "3"),
        *("--benchmark", "NOPEUSDT"),
    )
    assert finished.status == 1
    assert finished.out == ""
    for option in ("--param period: ", "--max-positions: ", "--benchmark: "):
        assert option in finished.err


async def test_a_portfolio_can_be_watched(cli: Cli, imported: list[str]) -> None:
    symbols = ",".join(imported)
    run = await cli("portfolio", "rsi", "--symbols", symbols, "--run-id", "watched-portfolio")
    watched = await cli("watch", "watched-portfolio")
    assert (run.status, watched.status, watched.err) == (0, 0, "")
    assert watched.out == run.out
