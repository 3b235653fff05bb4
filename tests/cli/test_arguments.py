"""What is typed becomes a request, or an error that names the option."""

import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
import typer
from google.protobuf.json_format import MessageToDict, ParseDict
from typer.testing import CliRunner

from backcast.backtest.v1 import execution_pb2, strategy_pb2
from backcast_engine import Execution
from backcast_engine.errors import InvalidInput
from services.cli.main import app
from services.cli.options.execution import execution_message
from services.cli.options.groups import takes_groups
from services.cli.options.requests import run_request
from services.cli.options.run_options import (
    Breaks,
    CandleOptions,
    Direction,
    ExecutionOptions,
    Fill,
    StrategyOptions,
)
from services.cli.options.strategy import strategy_message
from services.cli.views.request import execution_words, strategy_words
from services.wire.backtests import execution_to, strategy_from


def fault_of(call: Callable[..., object], *arguments: Any, **named: Any) -> str:
    with pytest.raises(InvalidInput) as caught:
        call(*arguments, **named)
    return str(caught.value)


def test_nothing_given_is_left_to_the_gateway():
    assert execution_message(ExecutionOptions()) == execution_pb2.Execution()
    request = run_request(StrategyOptions("rsi"), CandleOptions(), ExecutionOptions())
    assert MessageToDict(request) == {
        "spec": {"strategy": {"rsi": {}}, "interval": "INTERVAL_1H", "execution": {}},
        "detail": "DETAIL_METRICS",
        "cacheMode": "CACHE_MODE_DEFAULT",
    }


@pytest.mark.parametrize(
    ("options", "fields"),
    [
        (
            {
                "fee": "0",
                "slippage_bps": "3",
                "initial_capital": 500.0,
                "borrow_rate": "0.1",
                "atr_period": 7,
            },
            {"feeRate": 0.0, "slippageBps": 3.0, "initialCapital": 500.0, "borrowRate": 0.1, "atrPeriod": 7},
        ),
        ({"fee": "0.1%"}, {"feeRate": 0.001}),
        ({"fee": "10bps"}, {"feeRate": 0.001}),
        ({"fee": "1e-3"}, {"feeRate": 0.001}),
        # As a float64, 0.7 / 100 is 0.006999999999999999.
        ({"fee": " 0.7 % "}, {"feeRate": 0.007}),
        ({"fee": "0.02"}, {"feeRate": 0.02}),
        ({"fee": "2%"}, {"feeRate": 0.02}),
        ({"fee": "10%"}, {"feeRate": 0.1, "allowHighCosts": True}),
        ({"fee": "201 BPS"}, {"feeRate": 0.0201, "allowHighCosts": True}),
        ({"slippage": "0.05%"}, {"slippageBps": 5.0}),
        ({"slippage": "5bps"}, {"slippageBps": 5.0}),
        ({"slippage": ".0005"}, {"slippageBps": 5.0}),
        ({"slippage": "6%"}, {"slippageBps": 600.0, "allowHighCosts": True}),
        ({"slippage_bps": "500"}, {"slippageBps": 500.0}),
        ({"slippage_bps": "600bps"}, {"slippageBps": 600.0, "allowHighCosts": True}),
        ({"slippage_bps": "0.05%"}, {"slippageBps": 5.0}),
        ({"fee": "-0.1%", "slippage": "-5bps"}, {"feeRate": -0.001, "slippageBps": -5.0}),
        ({"borrow_rate": "10%", "funding_rate": "-500bps"}, {"borrowRate": 0.1, "fundingRate": -0.05}),
        ({"borrow_rate": "-150%"}, {"borrowRate": -1.5}),
        ({"size_fraction": "50%"}, {"equityFraction": 0.5}),
        ({"size_volatility": "40 %"}, {"volatilityTarget": {"annualVolatility": 0.4}}),
        ({"stop_loss": "500bps"}, {"stopLoss": {"fraction": 0.05}}),
        ({"fill": Fill.NEXT_OPEN}, {"fillTime": "FILL_TIME_NEXT_OPEN"}),
        ({"fill": Fill.SAME_CLOSE}, {"fillTime": "FILL_TIME_SAME_CLOSE"}),
        ({"direction": Direction.LONG_ONLY}, {"direction": "DIRECTION_LONG_ONLY"}),
        ({"direction": Direction.SHORT_ONLY}, {"direction": "DIRECTION_SHORT_ONLY"}),
        ({"direction": Direction.LONG_SHORT}, {"direction": "DIRECTION_LONG_SHORT"}),
        *(({"breaks": rule}, {"breakRule": f"BREAK_RULE_{rule.name}"}) for rule in Breaks),
        ({"size_fraction": "0"}, {"equityFraction": 0.0}),
        ({"size_amount": 1000.0}, {"quoteAmount": 1000.0}),
        ({"size_volatility": "0.4"}, {"volatilityTarget": {"annualVolatility": 0.4}}),
        (
            {"size_volatility": "0.4", "volatility_period": 20},
            {"volatilityTarget": {"annualVolatility": 0.4, "period": 20}},
        ),
        (
            {"stop_loss": "5%", "take_profit": "0.05", "trailing_stop": "2.5atr"},
            {
                "stopLoss": {"fraction": 0.05},
                "takeProfit": {"fraction": 0.05},
                "trailingStop": {"atrMultiple": 2.5},
            },
        ),
        (
            {"stop_loss": " 2 ATR ", "take_profit": "0.1 %"},
            {"stopLoss": {"atrMultiple": 2.0}, "takeProfit": {"fraction": 0.001}},
        ),
    ],
    ids=str,
)
def test_options_of_an_execution_become_its_fields(options, fields):
    assert MessageToDict(execution_message(ExecutionOptions(**options))) == fields


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        ({"stop_loss": "2x"}, "--stop-loss: '2x' is not a distance like 5%, 0.05 or 2atr"),
        ({"take_profit": "%"}, "--take-profit: '%' is not a distance like 5%, 0.05 or 2atr"),
        ({"trailing_stop": ""}, "--trailing-stop: '' is not a distance like 5%, 0.05 or 2atr"),
        (
            {"size_fraction": "0.5", "size_amount": 10.0},
            "--size-amount: only one size can be given, and --size-fraction is given",
        ),
        (
            {"size_volatility": "0.5", "size_amount": 10.0},
            "--size-volatility: only one size can be given, and --size-amount is given",
        ),
        ({"volatility_period": 20}, "--volatility-period: needs --size-volatility"),
        ({"atr_period": 2**31}, "--atr-period: 2147483648 is out of range"),
        (
            {"size_volatility": "1", "volatility_period": 2**31},
            "--volatility-period: 2147483648 is out of range",
        ),
        (
            {"fee": "0.1"},
            "--fee: 0.1 would be 10 %: write 10% if that is meant, and 0.1% or 10bps if 0.1 percent is",
        ),
        (
            {"fee": "5"},
            "--fee: 5 would be 500 %: write 500% if that is meant, and 5% or 500bps if 5 percent is",
        ),
        (
            {"slippage": "0.06"},
            "--slippage: 0.06 would be 6 %: write 6% if that is meant, and 0.06% or 6bps if 0.06 percent is",
        ),
        ({"slippage_bps": "501"}, "--slippage-bps: 501 would be 5.01 %: write 5.01% if that is meant"),
        (
            {"slippage": "5bps", "slippage_bps": "5"},
            "--slippage-bps: only one slippage can be given, and --slippage is given",
        ),
        # Each is looked at by itself.
        (
            {"fee": "10%", "slippage": "0.1"},
            "--slippage: 0.1 would be 10 %: write 10% if that is meant, and 0.1% or 10bps if 0.1 percent is",
        ),
        ({"fee": "%"}, "--fee: '%' is not a fraction like 0.1%, 10bps or 0.001"),
        ({"fee": ""}, "--fee: '' is not a fraction like 0.1%, 10bps or 0.001"),
        ({"fee": "nan"}, "--fee: 'nan' is not a fraction like 0.1%, 10bps or 0.001"),
        ({"slippage": "inf"}, "--slippage: 'inf' is not a fraction like 0.1%, 10bps or 0.001"),
        ({"slippage_bps": "nan%"}, "--slippage-bps: 'nan%' is not a fraction like 0.1%, 10bps or 0.001"),
        (
            {"fee": "0,1%"},
            "--fee: '0,1%' is not a fraction like 0.1%, 10bps or 0.001, with a point and no comma",
        ),
        (
            {"funding_rate": "10"},
            "--funding-rate: 10 would be 1000 % a year: write 1000% if that is meant, "
            "and 10% if 10 percent is",
        ),
        (
            {"size_volatility": "40"},
            "--size-volatility: 40 would be 4000 % a year: write 4000% if that is meant, "
            "and 40% if 40 percent is",
        ),
        ({"borrow_rate": "10%%"}, "--borrow-rate: '10%%' is not a fraction like 0.1%, 10bps or 0.001"),
        ({"funding_rate": "1_0"}, "--funding-rate: '1_0' is not a fraction like 0.1%, 10bps or 0.001"),
        ({"size_fraction": "half"}, "--size-fraction: 'half' is not a fraction like 0.1%, 10bps or 0.001"),
        ({"stop_loss": "nan"}, "--stop-loss: 'nan' is not a distance like 5%, 0.05 or 2atr"),
        ({"stop_loss": "5%atr"}, "--stop-loss: '5%atr' is not a distance like 5%, 0.05 or 2atr"),
    ],
    ids=str,
)
def test_options_that_cannot_be_read_are_named(options, fault):
    assert fault_of(execution_message, ExecutionOptions(**options)) == fault


def test_a_number_of_curve_points_out_of_range_is_named():
    options = StrategyOptions("rsi"), CandleOptions(), ExecutionOptions()
    assert run_request(*options, curve_points=500).curve_points == 500
    assert fault_of(run_request, *options, curve_points=2**31) == "--curve-points: 2147483648 is out of range"


def test_rules_on_the_command_line_are_parsed():
    message = strategy_message("rules", [], "rsi(14) < 30", "close > 1")
    assert strategy_words(message) == "[bold]rules[/bold]\nentry: rsi(14) < 30\nexit: close > 1"
    assert not strategy_message("rules", [], "rsi(14) < 30").rules.HasField("exit")
    assert strategy_from(message).violations() == []


@pytest.mark.parametrize(
    ("arguments", "fault"),
    [
        (("rules", []), "--entry: is required for rules, as in --entry 'rsi(14) < 30'"),
        (("rules", [], None, "close > 1"), "--entry: is required for rules, as in --entry 'rsi(14) < 30'"),
        (("rsi", ["period=7", "period=8"]), "--param period: is given twice"),
        (("rsii", []), "strategy: there is no strategy 'rsii': did you mean rsi?"),
        (("rsi", ["perod=7"]), "--param perod: rsi has no such parameter: did you mean period"),
        (("rsi", [], "close > 1"), "--entry: is for the strategy rules only, not for rsi"),
        (("donchian", [], None, "5"), "--exit: is for the strategy rules only, not for donchian"),
        (("rules", ["entry=1"], "close > 1"), "--param entry: rules has no such parameter: choose none"),
        (
            ("rules", [], "close > 1", "close >"),
            "--exit: at character 8: expected a number, a column, a function or a parenthesis, not the end\n"
            "  close >\n"
            "         ^",
        ),
    ],
    ids=str,
)
def test_rules_that_cannot_be_are_named(arguments, fault):
    assert fault_of(strategy_message, *arguments).startswith(fault)


def test_a_strategy_is_described_in_words():
    message = ParseDict({"maCross": {"fast": 5, "kind": 2}}, strategy_pb2.Strategy())
    assert strategy_words(message) == "[bold]ma_cross[/bold] fast 5, kind EMA"


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({}, None),
        ({"direction": 2}, "short only"),
        ({"breakRule": 1}, None),
        ({"breakRule": 2}, "histories split at breaks"),
        ({"breakRule": 3}, "breaks ignored"),
        ({"direction": 3, "borrowRate": 0.1}, "long and short, borrowing at 10% a year"),
        ({"fundingRate": -0.05}, "funding at -5% a year"),
        ({"equityFraction": 0.25}, "positions of 25% of the equity"),
        ({"quoteAmount": 12500.5}, "positions of 12,500.5"),
        (
            {"volatilityTarget": {"annualVolatility": 0.4, "period": 30}},
            "positions of 40% volatility a year (measured over 30 closes)",
        ),
        (
            {
                "stopLoss": {"fraction": 0.05},
                "takeProfit": {"atrMultiple": 3},
                "trailingStop": {"fraction": 0.1},
            },
            "stop loss 5%, take profit 3 × ATR(14), trailing stop 10%",
        ),
    ],
    ids=str,
)
def test_unusual_settings_are_printed(fields, words):
    execution = execution_to(Execution())
    execution.MergeFrom(ParseDict(fields, execution_pb2.Execution()))
    first, *more = execution_words(execution).split("\n")
    assert first == "fee 0.100%, slippage 0 bps, capital 10,000; fills at the next open"
    assert more == ([words] if words else [])


def test_a_fill_at_the_close_is_printed():
    execution = execution_to(Execution())
    execution.fill_time = execution_pb2.FILL_TIME_SAME_CLOSE
    assert execution_words(execution).endswith("fills at the signal's own close")


def test_a_group_is_options_of_a_command():
    seen = []
    made = typer.Typer()

    @made.command()
    @takes_groups
    def show(strategy: StrategyOptions, execution: ExecutionOptions, times: int = 1) -> None:
        seen.append((strategy, execution, times))

    finished = CliRunner().invoke(
        made, ["rsi", "--param", "period=7", "--fill", "same-close", "--stop-loss", "2atr", "--times", "3"]
    )
    assert finished.exit_code == 0, finished.output
    options = ExecutionOptions(fill=Fill.SAME_CLOSE, stop_loss="2atr")
    assert seen == [(StrategyOptions("rsi", ["period=7"]), options, 3)]
    assert CliRunner().invoke(made, ["--times", "3"]).exit_code == 2


def test_a_strategy_is_printed_as_lines_that_run_takes():
    finished = CliRunner().invoke(app, ["rules", "donchian", "--param", "entry=55"])
    assert finished.output == (
        "entry: close > shift(highest(high, 55), 1)\nexit: close < shift(lowest(low, 10), 1)\n"
    )
    lines = dict(line.split(": ", 1) for line in finished.output.splitlines())
    message = strategy_message("rules", [], lines["entry"], lines["exit"])
    assert strategy_from(message).rules() == strategy_from(strategy_message("donchian", ["entry=55"])).rules()
    assert CliRunner().invoke(app, ["rules", "buy_and_hold"]).output == "entry: close > 0\n"


def test_a_strategy_that_cannot_be_is_not_printed():
    error = CliRunner().invoke(app, ["rules", "rules"]).exception
    assert str(error).startswith("strategy: you write rules yourself")
    error = CliRunner().invoke(app, ["rules", "rsi", "--param", "period=1"]).exception
    assert str(error) == "--param period: must be from 2 to 10000, not 1"


def test_the_words_of_rules_are_printed():
    output = CliRunner().invoke(app, ["rules"]).output
    for words in (
        "open, high, low, close, volume",
        "rsi(series = close, period = 14)",
        "crosses_above(left, right)",
    ):
        assert words in output


def test_the_engine_is_imported_only_where_rules_are_read():
    script = "import sys; from services.cli{}; print('backcast_engine.rules' in sys.modules)"
    for code in (
        ".options.requests import run_request, StrategyOptions, CandleOptions, ExecutionOptions; "
        "run_request(StrategyOptions('rsi'), CandleOptions(), ExecutionOptions())",
        ".commands.run import run",
        ".main import app",
    ):
        ended = subprocess.run([sys.executable, "-c", script.format(code)], capture_output=True, check=True)
        assert ended.stdout == b"False\n"
