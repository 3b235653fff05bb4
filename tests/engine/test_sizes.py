"""Sizes by hand: what a position may cost."""

import math
from dataclasses import replace

import numpy as np
import pytest

from backcast_engine import Direction, Execution, VolatilityTarget, Window

from .inputs import FREE, HOUR_S, MONDAY_S, Scripted, make_candles, run

BUY = Scripted(buy_at=(0,))
YEAR_H = 365 * 24


def test_a_fraction_of_the_equity_is_invested():
    execution = Execution(fee_rate=0.25, initial_capital=1_000, equity_fraction=0.5)
    result = run(make_candles(opens=[8, 8, 8], closes=[8, 10, 12]), BUY, execution)
    (trade,) = result.trades
    # 500, fee included: 500 / (8 * 1.25) = 50 units; the other 500 stay.
    assert trade.units == pytest.approx(50)
    assert trade.fees_paid == pytest.approx(100)
    assert result.equity_curve.equity.tolist() == pytest.approx([1_000, 1_000, 1_100])
    # Of what it cost, not of the equity.
    assert (trade.profit, trade.return_fraction) == (pytest.approx(100), pytest.approx(0.2))


def test_a_fraction_is_of_the_equity_at_the_entry():
    execution = replace(FREE, equity_fraction=0.5)
    candles = make_candles([10, 10, 20, 10, 10])
    first, second = run(candles, Scripted(buy_at=(0, 2), sell_at=(1,)), execution).trades
    assert (first.units, second.units) == (50, 75)


def test_a_fixed_amount_is_invested():
    execution = Execution(fee_rate=0.25, initial_capital=1_000, quote_amount=100)
    candles = make_candles([8, 8, 16, 8, 8])
    first, second = run(candles, Scripted(buy_at=(0, 2), sell_at=(1,)), execution).trades
    assert first.units == second.units == pytest.approx(10)


def test_a_fixed_amount_beyond_the_equity_is_the_equity():
    execution = replace(FREE, quote_amount=5_000)
    result = run(make_candles([10, 10, 5]), BUY, execution)
    (trade,) = result.trades
    assert (trade.units, result.metrics.final_equity) == (100, 500)
    at_once = run(make_candles([10, 10, 5]), BUY, FREE)
    assert result.equity_curve.equity.tolist() == at_once.equity_curve.equity.tolist()


def test_a_fixed_amount_of_a_short():
    execution = replace(FREE, quote_amount=100, direction=Direction.SHORT_ONLY)
    (trade,) = run(make_candles([10, 10, 5]), Scripted(sell_at=(0,)), execution).trades
    assert (trade.units, trade.profit) == (-10, 50)


def volatility_of(*returns):
    mean = sum(returns) / len(returns)
    squares = sum((value - mean) ** 2 for value in returns)
    return math.sqrt(squares / (len(returns) - 1) * YEAR_H)


def test_a_volatility_target_sizes_the_position():
    # Returns of 10 %, -10 % and 20 % at the closes 1 to 3; the one after is not known to the signal at 3.
    closes = [100, 110, 99, 118.8, 300]
    volatility = volatility_of(0.1, -0.1, 0.2)
    execution = replace(FREE, volatility_target=VolatilityTarget(volatility / 4, period=3))
    (trade,) = run(make_candles([100.0] * 5, closes), Scripted(buy_at=(3,)), execution).trades
    assert trade.units == pytest.approx(2.5)


def test_a_volatility_target_never_takes_more_than_the_equity():
    closes = [100, 110, 99, 118.8, 300]
    execution = replace(FREE, volatility_target=VolatilityTarget(99.0, period=3))
    (trade,) = run(make_candles([100.0] * 5, closes), Scripted(buy_at=(3,)), execution).trades
    assert trade.units == 10


def test_no_entry_while_the_volatility_is_undefined_or_zero():
    execution = replace(FREE, volatility_target=VolatilityTarget(0.2, period=3))
    moving = make_candles([100.0, 101, 100, 102, 101, 100, 103])
    # Three returns need four closes.
    assert run(moving, Scripted(buy_at=(0, 1, 2)), execution).trades == ()
    (trade,) = run(moving, Scripted(buy_at=(1, 2, 3)), execution).trades
    assert trade.entry_time_s == MONDAY_S + 4 * HOUR_S
    assert run(make_candles([100.0] * 7), Scripted(buy_at=(4, 5)), execution).trades == ()


def test_a_volatility_that_is_rounding_is_none():
    # 1 % at every close, to the last bit of it.
    closes = (100 * 1.01 ** np.arange(40)).tolist()
    execution = replace(FREE, volatility_target=VolatilityTarget(1e-6, period=10))
    assert run(make_candles(closes), Scripted(buy_at=(20, 30)), execution).trades == ()


def test_measures_see_the_warmup():
    execution = replace(FREE, volatility_target=VolatilityTarget(0.2, period=3))
    moving = make_candles([100.0, 101, 100, 102, 101, 100, 103])
    window = Window(MONDAY_S + 4 * HOUR_S, MONDAY_S + 7 * HOUR_S)
    result = run(moving, Scripted(buy_at=(4,)), execution, window)
    assert result.warmup_candles == 4
    assert len(result.trades) == 1
