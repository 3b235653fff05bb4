"""Rules as text, and strategies as rules, through the gateway."""

from typing import TYPE_CHECKING

import grpc
import pytest

from backcast.backtest.v1 import expression_pb2, strategy_pb2
from backcast.gateway.v1 import backtest_service_pb2 as pb
from backcast.gateway.v1 import rules_description_pb2
from backcast_engine import STRATEGIES
from backcast_engine.errors import ErrorReason
from backcast_engine.rules.parse import parse
from backcast_engine.strategies.custom_rules import CustomRules
from services.rpc.status import violations_of
from services.wire.backtests import strategy_from, strategy_to
from tests.error_info import error_info

if TYPE_CHECKING:
    from backcast.gateway.v1.backtest_service_pb2_grpc import BacktestServiceAsyncStub

COLUMNS = expression_pb2.Column


async def parsed(
    gateway: "BacktestServiceAsyncStub", entry: str, exit_: str = ""
) -> rules_description_pb2.RulesDescription:
    answer = await gateway.ParseRules(pb.ParseRulesRequest(entry=entry, exit=exit_))
    return answer.description


async def refused(
    gateway: "BacktestServiceAsyncStub", entry: str, exit_: str = ""
) -> tuple[dict[str, str], str, dict[str, str]]:
    """Return the violations by their fields, and reason and metadata of the ErrorInfo."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await parsed(gateway, entry, exit_)
    code, reason, metadata = error_info(caught.value)
    assert code == "INVALID_ARGUMENT"
    violations = {violation.field: violation.reason for violation in violations_of(caught.value)}
    return violations, reason, metadata


async def test_texts_become_rules_in_canonical_form(gateway: "BacktestServiceAsyncStub") -> None:
    described = await parsed(
        gateway,
        "RSI() < 30 AND (volume > sma(volume,20))",
        "crosses_below(ema( 12 ), ema(26)) or rsi(14)>70",
    )
    assert described.entry == "rsi(14) < 30 and volume > sma(volume, 20)"
    assert described.exit == "crosses_below(ema(12), ema(26)) or rsi(14) > 70"
    expected = CustomRules(parse(described.entry, "entry"), parse(described.exit, "exit"))
    assert described.rules == strategy_to(expected).rules
    assert list(described.columns) == [COLUMNS.COLUMN_CLOSE, COLUMNS.COLUMN_VOLUME]
    # 20 time constants of the RSI; the averages need less.
    assert described.warmup_candles == 280
    assert [(each.expression, each.label, each.pane, list(each.levels)) for each in described.series] == [
        ("rsi(14)", "RSI 14", 1, [30, 70]),
        ("volume", "Volume", 2, []),
        ("sma(volume, 20)", "SMA 20 of volume", 2, []),
        ("ema(12)", "EMA 12", 0, []),
        ("ema(26)", "EMA 26", 0, []),
    ]


async def test_an_empty_exit_never_sells(gateway: "BacktestServiceAsyncStub") -> None:
    described = await parsed(gateway, "close > open")
    assert (described.entry, described.exit) == ("close > open", "")
    assert described.rules.HasField("entry")
    assert not described.rules.HasField("exit")
    assert not described.series


async def test_parsed_rules_can_be_run_as_they_are(gateway: "BacktestServiceAsyncStub") -> None:
    described = await parsed(gateway, "close > shift(highest(high, 20), 1)", "close < sma(20)")
    strategy = strategy_pb2.Strategy(rules=described.rules)
    assert strategy_from(strategy).violations() == []
    again = await gateway.DescribeStrategy(pb.DescribeStrategyRequest(strategy=strategy))
    assert again.description == described


async def test_the_errors_of_both_texts_are_reported_with_their_positions(
    gateway: "BacktestServiceAsyncStub",
) -> None:
    assert await refused(gateway, "rsi(14) < 30 and clsoe > 1", "close >") == (
        {
            "entry": "there is no clsoe: did you mean close?",
            "exit": "expected a number, a column, a function or a parenthesis, not the end",
        },
        ErrorReason.INVALID_RULES,
        {"entry_start": "17", "entry_length": "5", "exit_start": "7", "exit_length": "1"},
    )


async def test_a_right_text_has_no_place(gateway: "BacktestServiceAsyncStub") -> None:
    violations, _, places = await refused(gateway, "close > 1", "close + 1")
    assert violations.keys() == {"exit"}
    assert places == {"exit_start": "0", "exit_length": "9"}


@pytest.mark.parametrize("entry", ["", "  ", "(" * 4_001, "close > 1".ljust(4_001)])
async def test_a_text_that_is_wrong_as_a_whole_has_a_length_of_0(
    gateway: "BacktestServiceAsyncStub", entry: str
) -> None:
    violations, _, places = await refused(gateway, entry)
    assert violations.keys() == {"entry"}
    assert places == {"entry_start": "0", "entry_length": "0"}


@pytest.mark.parametrize("name", sorted(STRATEGIES.keys() - {"rules"}))
async def test_a_strategy_is_described_as_rules_that_are_equal(
    gateway: "BacktestServiceAsyncStub", name: str
) -> None:
    strategy = STRATEGIES[name]()
    request = pb.DescribeStrategyRequest(strategy=strategy_to(strategy))
    described = (await gateway.DescribeStrategy(request)).description
    written = strategy_from(strategy_pb2.Strategy(rules=described.rules))
    assert written.rules() == strategy.rules()
    assert described == await parsed(gateway, described.entry, described.exit)
    assert described.warmup_candles == strategy.warmup_candles


async def test_a_description_has_the_parameters_of_the_request(gateway: "BacktestServiceAsyncStub") -> None:
    rsi = strategy_pb2.Strategy(rsi=strategy_pb2.Rsi(period=7, oversold=12.5))
    answer = await gateway.DescribeStrategy(pb.DescribeStrategyRequest(strategy=rsi))
    assert (answer.description.entry, answer.description.exit) == ("rsi(7) < 12.5", "rsi(7) > 70")
    (series,) = answer.description.series
    assert list(series.levels) == [12.5, 70]


@pytest.mark.parametrize(
    ("strategy", "fields"),
    [
        (strategy_pb2.Strategy(), ["strategy"]),
        (
            strategy_pb2.Strategy(rsi=strategy_pb2.Rsi(period=1, oversold=200)),
            ["strategy.rsi.period", "strategy.rsi.oversold"],
        ),
        (
            strategy_pb2.Strategy(
                rules=strategy_pb2.Rules(entry=expression_pb2.Expression(column=COLUMNS.COLUMN_CLOSE))
            ),
            ["strategy.rules.entry"],
        ),
    ],
)
async def test_a_bad_strategy_is_named(
    gateway: "BacktestServiceAsyncStub", strategy: strategy_pb2.Strategy, fields: list[str]
) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await gateway.DescribeStrategy(pb.DescribeStrategyRequest(strategy=strategy))
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert [violation.field for violation in violations_of(caught.value)] == fields
