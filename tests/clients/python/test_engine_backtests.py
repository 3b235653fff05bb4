"""Backtests by `backcast.engine`: their results, and the errors of their arguments."""

from datetime import datetime, timedelta, timezone
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import backcast
from backcast.engine import LocalResult, backtest, backtest_signals, local_result
from backcast.errors import InvalidRequestError, NotFoundError, RefusedError
from backcast.options import RUN_OPTIONS
from backcast_engine import METRIC_NAMES
from tests.clients.python.test_engine_frames import CANDLES, RSI, columns
from tests.engine_results import message_of


@pytest.fixture(scope="module")
def result() -> LocalResult:
    return backtest(columns(), RSI, symbol="AUSDT")


def test_a_result_has_its_metrics_trades_and_equity(result: LocalResult) -> None:
    assert result.metrics.final_equity == result.curve()[1][-1]
    trades = result.trades_frame()
    assert len(trades["profit"]) == result.metrics.trade_count + result.metrics.open_trade_count
    assert set(trades["symbol"]) == {"AUSDT"}
    assert result.equity_frame()["time"].tolist() == columns()["time"].tolist()
    assert (result.first_candle.isoformat(), result.interval) == ("2024-01-01T00:00:00+00:00", "1h")


def test_stats_are_a_table_of_all_metrics(result: LocalResult, capsys: pytest.CaptureFixture[str]) -> None:
    assert {*local_result._FORMS} == {*METRIC_NAMES}
    result.stats()
    head, *rows = capsys.readouterr().out.splitlines()
    assert head == "AUSDT: 500 candles of 1h, 2024-01-01 00:00 UTC to 2024-01-21 19:00 UTC"
    assert len(rows) == len(METRIC_NAMES)
    assert len({len(row) for row in rows}) == 1
    assert f"{result.metrics.total_return:+.2%}" in rows[0]


def test_a_result_shows_itself_in_a_notebook(result: LocalResult) -> None:
    assert "AUSDT" in repr(result)
    assert "AUSDT" in result._repr_html_()
    assert "Sharpe" in result._repr_html_()


def test_a_result_draws_its_equity(result: LocalResult) -> None:
    above, _ = result.plot("matplotlib").axes
    np.testing.assert_array_equal(above.lines[0].get_ydata(), result.curve()[1])


@pytest.mark.parametrize("of", [pd.DataFrame, pl.DataFrame, pa.table, dict])
def test_frames_of_a_result_are_of_the_library_of_the_candles(of: Any) -> None:
    frame = of(columns(time=CANDLES.open_time_s))
    result = backtest(frame, RSI)
    assert type(result.trades_frame()) is type(frame)
    assert type(result.equity_frame()) is type(frame)


def test_signals_of_a_strategy_are_its_result() -> None:
    close, average = CANDLES.close, pd.Series(CANDLES.close).rolling(20).mean().to_numpy()
    options: Any = {"stop_loss": "2atr", "size_volatility": "40%", "direction": "long-short"}
    rules = backcast.rules("close > sma(20)", "close < sma(20)")
    ours, theirs = (
        backtest_signals(columns(), close > average, close < average, **options),
        backtest(columns(), rules, **options),
    )
    assert ours.metrics == theirs.metrics
    assert ours.metrics.trade_count


def test_without_exits_no_signal_sells() -> None:
    result = backtest_signals(columns(), CANDLES.close > 0)
    assert (result.metrics.trade_count, result.metrics.open_trade_count) == (0, 1)


def test_candles_before_the_start_warm_indicators_up() -> None:
    later = backtest(columns(), RSI, start="2024-01-10", end="2024-01-20")
    assert later.engine_result.warmup_candles > 0
    assert later.first_candle.isoformat() == "2024-01-10T00:00:00+00:00"
    assert len(later.curve()[0]) == 240


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"fee": 5}, "fee"),
        ({"fee": "200%"}, "fee"),
        ({"slippage": 0.1}, "slippage"),
        ({"initial_capital": 0}, "initial_capital"),
        ({"initial_capital": "much"}, "initial_capital"),
        ({"fill": "later"}, "fill"),
        ({"direction": "up"}, "direction"),
        ({"breaks": "mend"}, "breaks"),
        ({"interval": "2h"}, "interval"),
        ({"interval": "1d"}, "frame"),
        ({"size_fraction": 2}, "size_fraction"),
        ({"size_fraction": 1, "size_amount": 5}, "size_amount"),
        ({"volatility_period": 5}, "volatility_period"),
        ({"size_volatility": 0.4, "volatility_period": 1}, "volatility_period"),
        ({"stop_loss": "2 atrs"}, "stop_loss"),
        ({"start": "yesterday"}, "start"),
        ({"start": "2025-01-01"}, "start"),
        ({"end": "2023-01-01"}, "end"),
        ({"start": datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=14)))}, "start"),
        pytest.param({"initial_capital": 10**400}, "initial_capital", id="too large for a float"),
    ],
)
def test_an_argument_that_is_wrong_is_named(options: Any, field: str) -> None:
    with pytest.raises(InvalidRequestError) as refused:
        backtest(columns(), RSI, **options)
    assert refused.value.field == field


@pytest.mark.parametrize(
    ("strategy", "fields"),
    [
        (backcast.Rsi(period=0, oversold=101), ["period", "oversold"]),
        (backcast.Rsi(oversold=80), ["oversold"]),
        (backcast.Rsi(period=7.5), ["period"]),
        (backcast.MaCross(kind="wma"), ["kind"]),  # type: ignore[arg-type]
        (backcast.rules("rsi(14) <"), ["entry"]),
        (backcast.rules("close > open", "sma(5)"), ["exit"]),
        (backcast.Rules(5), ["entry"]),  # type: ignore[arg-type]
        (backcast.Strategy(), ["strategy"]),
        ("rsi", ["strategy"]),
    ],
)
def test_all_parameters_that_are_wrong_are_named(strategy: Any, fields: list[str]) -> None:
    with pytest.raises(InvalidRequestError) as refused:
        backtest(columns(), strategy)
    assert [violation.field for violation in refused.value.violations] == fields


def test_an_option_of_the_api_is_refused_with_the_name_that_it_has_here() -> None:
    with pytest.raises(TypeError, match=r"unexpected argument 'fee_rate': did you mean fee\?"):
        backtest(columns(), RSI, fee_rate=0.001)  # type: ignore[call-arg]


def test_too_few_candles_and_an_empty_window_are_reported() -> None:
    with pytest.raises(RefusedError, match="its indicators need 1001 candles, and there are 500") as refused:
        backtest(columns(), backcast.rules("close > sma(1001)"))
    assert refused.value.reason == "TOO_FEW_CANDLES"
    gap = {name: np.delete(column, slice(240, 264)) for name, column in columns().items()}
    with pytest.raises(NotFoundError, match="there are no candles in the window"):
        backtest(gap, RSI, start="2024-01-11", end="2024-01-12")


def test_the_options_are_those_of_a_run() -> None:
    from backcast.engine.backtest import FrameOptions

    of_runs_alone = {"symbols", "exclude", "cache", "run_id", "detail", "curve_points"}
    assert FrameOptions.__annotations__.keys() >= {"interval", "start", "end", "symbol", "others"}
    assert FrameOptions.__optional_keys__ - {"symbol", "others"} == RUN_OPTIONS - of_runs_alone


def test_rules_look_at_the_frames_of_other_cryptos() -> None:
    candles = columns()
    higher = {name: column if name == "time" else column * 2 for name, column in candles.items()}
    rules = backcast.rules("close < sma(3)@ETHUSDT@1d / 2", "close > sma(3)@1d")
    local = backtest(candles, rules, others={"ETHUSDT": higher})
    own = backtest(candles, backcast.rules("close < sma(3)@1d", "close > sma(3)@1d"))
    assert len(local.engine_result.trades) > 3
    assert message_of("X", "", local.engine_result) == message_of("X", "", own.engine_result)
    with pytest.raises(
        InvalidRequestError, match=r"look at ETHUSDT: give its candles, as others="
    ) as refused:
        backtest(candles, rules)
    assert refused.value.field == "others"


@pytest.mark.parametrize("others", [None, 5, [CANDLES]])
def test_others_that_are_no_dict_of_frames_are_named(others: Any) -> None:
    with pytest.raises(InvalidRequestError) as refused:
        backtest(columns(), backcast.rules("close > close@ETHUSDT"), others=others)
    assert refused.value.field == "others"


def test_rules_cannot_look_at_candles_that_are_no_longer() -> None:
    with pytest.raises(InvalidRequestError, match="candles of 1h are as long as those of the run"):
        backtest(columns(), backcast.rules("close > sma(3)@1h"))
