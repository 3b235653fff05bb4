"""Columns that a backtest says it does not read may be empty."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backcast_engine import (
    Backtest,
    Detail,
    Direction,
    Distance,
    Execution,
    Strategy,
    VolatilityTarget,
    columns_of,
    run_backtest,
)
from backcast_engine.candles import VALUE_COLUMNS
from backcast_engine.errors import Refused
from backcast_engine.history import History
from backcast_engine.interval import Interval
from backcast_engine.rules.nodes import VOLUME
from backcast_engine.strategies.buy_and_hold import BuyAndHold
from backcast_engine.strategies.custom_rules import CustomRules
from backcast_engine.strategies.rsi import Rsi
from backcast_engine.strategies.supertrend import Supertrend

from .inputs import all_of
from .random_inputs import executions, histories, trading_strategies

CLOSES = ("open", "close")
RANGES = ("open", "high", "low", "close")


@pytest.mark.parametrize(
    ("strategy", "execution", "detail", "expected"),
    [
        (BuyAndHold(), Execution(), Detail.METRICS, CLOSES),
        (Rsi(), Execution(), Detail.METRICS, CLOSES),
        (Supertrend(), Execution(), Detail.METRICS, RANGES),
        (CustomRules(VOLUME > 1), Execution(), Detail.METRICS, ("open", "close", "volume")),
        (Rsi(), Execution(stop_loss=Distance(0.1)), Detail.METRICS, RANGES),
        (Rsi(), Execution(take_profit=Distance(0.1)), Detail.METRICS, RANGES),
        (Rsi(), Execution(trailing_stop=Distance(0.1)), Detail.METRICS, RANGES),
        # A short can be liquidated within a candle.
        (Rsi(), Execution(direction=Direction.SHORT_ONLY), Detail.METRICS, RANGES),
        (Rsi(), Execution(volatility_target=VolatilityTarget(0.2)), Detail.METRICS, CLOSES),
        # Excursions.
        (Rsi(), Execution(), Detail.TRADES, RANGES),
        (Rsi(), Execution(), Detail.EQUITY, RANGES),
    ],
)
def test_a_strategy_says_which_columns_it_reads(
    strategy: Strategy, execution: Execution, detail: Detail, expected
):
    assert columns_of(strategy, execution, detail) == expected


@pytest.mark.slow
@settings(max_examples=150)
@given(
    candles=histories(Interval.HOUR_1),
    strategy=trading_strategies(),
    execution=executions(),
    detail=st.sampled_from(Detail),
)
def test_columns_that_a_strategy_does_not_read_may_be_empty(candles, strategy, execution, detail):
    read = columns_of(strategy, execution, detail)
    unread = {name: np.empty(0) for name in VALUE_COLUMNS if name not in read}
    arguments = strategy, Interval.HOUR_1, all_of(candles), execution, detail
    try:
        whole = run_backtest(History(candles), Backtest(*arguments))
    except Refused:
        return
    few = run_backtest(History(replace(candles, **unread)), Backtest(*arguments))
    assert (few.metrics, few.trades) == (whole.metrics, whole.trades)
    assert few.monthly_returns == whole.monthly_returns
