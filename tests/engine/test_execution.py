"""Fills by hand: when, at which price, and what it costs."""

import math
from dataclasses import astuple, replace

import numpy as np
import pytest

from backcast_engine import Backtest, Detail, Direction, Execution, FillTime, Window, run_backtest
from backcast_engine.history import History
from backcast_engine.interval import Interval
from backcast_engine.rules import Evaluation
from backcast_engine.strategies.bollinger import Bollinger, ExitBand
from backcast_engine.strategies.buy_and_hold import BuyAndHold
from backcast_engine.strategies.ma_cross import MaCross, MovingAverageKind
from backcast_engine.strategies.rsi import Rsi

from .inputs import FREE, HOUR_S, MONDAY_S, Scripted, all_of, make_candles, run


def test_a_signal_fills_at_the_next_open():
    candles = make_candles(opens=[10, 20, 40, 50, 80], closes=[11, 25, 44, 60, 90])
    result = run(candles, Scripted(buy_at=(0,), sell_at=(2,)))
    (trade,) = result.trades
    assert (trade.entry_time_s, trade.entry_price) == (MONDAY_S + 1 * HOUR_S, 20)
    assert (trade.exit_time_s, trade.exit_price) == (MONDAY_S + 3 * HOUR_S, 50)
    assert not trade.open
    # 1000 / 20 = 50 units, marked at the closes 25 and 44, sold for 50 * 50.
    assert trade.units == 50
    assert result.equity_curve.equity.tolist() == [1_000, 1_250, 2_200, 2_500, 2_500]
    assert (trade.profit, trade.return_fraction, trade.held_candles) == (1_500, 1.5, 2)


def test_fees_and_slippage_are_paid_on_both_sides():
    execution = Execution(fee_rate=0.25, slippage_bps=1_000, initial_capital=1_100)
    candles = make_candles(opens=[7, 8, 20, 9], closes=[7, 16, 30, 9])
    result = run(candles, Scripted(buy_at=(0,), sell_at=(1,)), execution)
    (trade,) = result.trades
    # Bought at 8 * 1.1 = 8.8, with the fee 11 a unit: 100 units, of which the fee is 880 * 0.25 = 220.
    assert trade.entry_price == pytest.approx(8.8)
    assert trade.units == pytest.approx(100)
    # Sold at 20 * 0.9 = 18: 1800, less a fee of 450.
    assert trade.exit_price == pytest.approx(18)
    assert trade.fees_paid == pytest.approx(220 + 450)
    assert trade.profit == pytest.approx(1_350 - 1_100)
    assert trade.return_fraction == pytest.approx(250 / 1_100)
    assert result.equity_curve.equity.tolist() == pytest.approx([1_100, 1_600, 1_350, 1_350])
    assert result.metrics.fees_paid == pytest.approx(670)


def test_whole_numbers_are_numbers():
    execution = Execution(fee_rate=0, slippage_bps=0, initial_capital=1_000)
    candles = make_candles([10, 11, 12])
    assert run(candles, BuyAndHold(), execution).metrics == run(candles, BuyAndHold(), FREE).metrics


def test_all_of_the_proceeds_go_into_the_next_purchase():
    candles = make_candles(opens=[10, 10, 20, 5, 10])
    result = run(candles, Scripted(buy_at=(0, 2), sell_at=(1, 3)))
    # 100 units at 10; sold for 2000; 400 units at 5; sold for 4000.
    assert [trade.units for trade in result.trades] == [100, 400]
    assert [trade.profit for trade in result.trades] == [1_000, 2_000]
    assert result.metrics.final_equity == 4_000


def test_a_signal_on_the_last_candle_does_not_fill():
    candles = make_candles([10, 10, 10, 10])
    assert run(candles, Scripted(buy_at=(3,))).trades == ()
    (trade,) = run(candles, Scripted(buy_at=(0,), sell_at=(3,))).trades
    assert trade.open


def test_a_position_open_at_the_end_is_marked_at_the_last_close():
    execution = Execution(fee_rate=0.25, initial_capital=1_000)
    candles = make_candles(opens=[8, 8, 8, 10], closes=[8, 8, 8, 12])
    result = run(candles, Scripted(buy_at=(0,)), execution)
    (trade,) = result.trades
    # 1000 / (8 * 1.25) = 100 units at 12, with only the fee of the purchase.
    assert trade.open
    assert (trade.exit_time_s, trade.exit_price) == (None, None)
    assert (trade.units, trade.profit, trade.return_fraction) == pytest.approx((100, 200, 0.2))
    assert (trade.fees_paid, trade.held_candles) == (pytest.approx(200), 3)
    assert (result.metrics.trade_count, result.metrics.open_trade_count) == (0, 1)
    assert result.metrics.total_return == pytest.approx(0.2)


def test_a_position_bought_on_the_last_candle_stays_open():
    candles = make_candles(opens=[8, 8, 10], closes=[8, 8, 15])
    result = run(candles, Scripted(buy_at=(1,)))
    (trade,) = result.trades
    assert (trade.open, trade.held_candles, trade.profit) == (True, 1, 500)
    assert result.metrics.exposure == pytest.approx(1 / 3)


def test_signals_in_the_wrong_state_are_ignored():
    candles = make_candles([10, 10, 10, 10, 10, 10])
    # Sells while flat, buys while long, both at once: flat buys, long sells.
    result = run(candles, Scripted(buy_at=(1, 2, 3), sell_at=(0, 1, 3)))
    (trade,) = result.trades
    assert (trade.entry_time_s, trade.exit_time_s) == (MONDAY_S + 2 * HOUR_S, MONDAY_S + 4 * HOUR_S)


def test_as_many_trades_as_candles_allow():
    n = 9
    every = tuple(range(n))
    result = run(make_candles([10.0] * n), Scripted(buy_at=every, sell_at=every))
    # Bought at 1, 3, 5, 7 and sold at 2, 4, 6, 8.
    assert [(trade.entry_time_s - MONDAY_S) // HOUR_S for trade in result.trades] == [1, 3, 5, 7]
    assert [(trade.exit_time_s - MONDAY_S) // HOUR_S for trade in result.trades] == [2, 4, 6, 8]


def test_thousands_of_trades_are_all_returned():
    n = 5_000
    every = tuple(range(n))
    candles = make_candles([10.0] * n)
    assert len(run(candles, Scripted(buy_at=every, sell_at=every)).trades) == n // 2
    both_ways = replace(FREE, direction=Direction.LONG_SHORT, fill_time=FillTime.SAME_CLOSE)
    assert len(run(candles, Scripted(buy_at=every, sell_at=every), both_ways).trades) == n


def test_the_fill_after_a_gap_is_at_the_next_candle_there_is():
    candles = make_candles(opens=[10, 20, 40], at=[0, 1, 50])
    (trade,) = run(candles, Scripted(buy_at=(1,))).trades
    assert (trade.entry_time_s, trade.entry_price) == (MONDAY_S + 50 * HOUR_S, 40)


# Warm-up


def test_no_trade_in_the_warmup():
    candles = make_candles(opens=[10, 20, 30, 40, 50, 60])
    window = Window(MONDAY_S + 3 * HOUR_S, MONDAY_S + 6 * HOUR_S)
    result = run(candles, Scripted(buy_at=(0, 1, 2), warmup=2), window=window)
    # A signal on the close before the window does not fill at the window's first open either.
    assert result.trades == ()
    assert result.warmup_candles == 2
    assert result.equity_curve.equity.tolist() == [1_000] * 3
    assert result.equity_curve.open_time_s.tolist() == [MONDAY_S + i * HOUR_S for i in (3, 4, 5)]


def test_the_first_signal_that_counts_is_on_the_first_candle_of_the_window():
    candles = make_candles(opens=[10, 20, 30, 40, 50, 60])
    window = Window(MONDAY_S + 3 * HOUR_S, MONDAY_S + 6 * HOUR_S)
    (trade,) = run(candles, Scripted(buy_at=(3,), warmup=2), window=window).trades
    assert (trade.entry_time_s, trade.entry_price) == (MONDAY_S + 4 * HOUR_S, 50)


@pytest.mark.parametrize(("wanted", "used"), [(0, 0), (2, 2), (3, 3), (100, 3)])
def test_the_warmup_is_what_the_strategy_asks_for_and_the_data_has(wanted, used):
    candles = make_candles([10.0] * 6)
    window = Window(MONDAY_S + 3 * HOUR_S, MONDAY_S + 6 * HOUR_S)
    assert run(candles, Scripted(warmup=wanted), window=window).warmup_candles == used


@pytest.mark.parametrize(("wanted", "used"), [(1, 1), (2, 2), (3, 4), (4, 4), (5, 8), (33, 64), (65, 100)])
def test_the_warmup_is_rounded_up_to_a_power_of_two(wanted, used):
    candles = make_candles([10.0] * 103)
    window = Window(MONDAY_S + 100 * HOUR_S, MONDAY_S + 103 * HOUR_S)
    assert run(candles, Scripted(warmup=wanted), window=window).warmup_candles == used


def test_candles_at_the_start_are_in_the_window_and_candles_at_the_end_are_not():
    candles = make_candles([10.0] * 6)
    window = Window(MONDAY_S + 1 * HOUR_S, MONDAY_S + 4 * HOUR_S)
    result = run(candles, Scripted(), window=window)
    assert result.equity_curve.open_time_s.tolist() == [MONDAY_S + i * HOUR_S for i in (1, 2, 3)]


# Strategies


def test_buy_and_hold_buys_at_the_second_open():
    candles = make_candles(opens=[10, 20, 30], closes=[10, 25, 40])
    result = run(candles, BuyAndHold())
    (trade,) = result.trades
    assert (trade.entry_time_s, trade.entry_price, trade.open) == (MONDAY_S + HOUR_S, 20, True)
    assert result.equity_curve.equity.tolist() == [1_000, 1_250, 2_000]
    # From the second open, at which it buys, not from the first one.
    assert result.metrics.buy_and_hold_return == result.metrics.total_return == 1


def test_a_moving_average_cross_trades_after_the_cross():
    # Averages of 1 and 2: fast is above slow whenever the close rose, below whenever it fell.
    candles = make_candles(opens=[10, 10, 12, 13, 12, 12], closes=[10, 12, 13, 12, 12, 11])
    (trade,) = run(candles, MaCross(fast=1, slow=2)).trades
    # The first rise is at close 1 (bought at open 2), the first fall at close 3 (sold at open 4).
    assert (trade.entry_time_s, trade.exit_time_s) == (MONDAY_S + 2 * HOUR_S, MONDAY_S + 4 * HOUR_S)


def test_bollinger_trades_as_a_hand_calculation_does():
    # Closes 10 and 9: mean 9.5, deviation 0.5, lower band 9.25 at width 0.5; 9 is below: bought at open 2.
    # Closes 9 and 11: mean 10, deviation 1, upper band 10.5: 11 is above: sold at open 3.
    candles = make_candles(opens=[10, 9, 9, 11], closes=[10, 9, 11, 11])
    (trade,) = run(candles, Bollinger(period=2, width=0.5)).trades
    assert (trade.entry_time_s, trade.exit_time_s) == (MONDAY_S + 2 * HOUR_S, MONDAY_S + 3 * HOUR_S)


@pytest.mark.parametrize("price", [0.1, 1.1, 100.1, 8.622530988331503])
@pytest.mark.parametrize("kind", MovingAverageKind)
def test_averages_of_a_price_that_stands_still_do_not_cross(price, kind):
    assert run(make_candles([price] * 200), MaCross(kind=kind)).trades == ()


@pytest.mark.parametrize(
    "strategy",
    [
        Rsi(oversold=50.0, overbought=60.0),  # the RSI of no movement is 50
        Rsi(oversold=40.0, overbought=50.0),
        MaCross(fast=2, slow=3),
        Bollinger(period=2),
        Bollinger(period=2, exit_band=ExitBand.MIDDLE),
    ],
    ids=repr,
)
def test_being_on_a_level_is_no_signal(strategy):
    signals = strategy.signals(Evaluation(make_candles([10.0] * 30)))
    assert not signals.buy.any()
    assert not signals.sell.any()


def test_an_rsi_of_0_or_100_on_its_level_is_no_signal():
    strategy = Rsi(period=2, oversold=0.0, overbought=100.0)
    for prices in ([10, 11, 12, 13, 14], [14, 13, 12, 11, 10]):
        signals = strategy.signals(Evaluation(make_candles(prices)))
        assert not signals.buy.any()
        assert not signals.sell.any()


# Detail


def test_detail_adds_and_changes_nothing():
    candles = make_candles([10, 11, 12, 11, 10])
    strategy = Scripted(buy_at=(0,), sell_at=(2,))
    results = [
        run_backtest(History(candles), Backtest(strategy, Interval.HOUR_1, all_of(candles), FREE, detail))
        for detail in Detail
    ]
    assert len({astuple(result.metrics) for result in results}) == 1
    assert [len(result.trades) for result in results] == [0, 1, 1]
    assert [result.equity_curve is None for result in results] == [True, True, False]


def test_the_input_stays_as_it_is():
    candles = make_candles([10, 11, 12, 11, 10])
    before = [column.tolist() for column in candles.columns()]
    result = run(candles, BuyAndHold())
    result.equity_curve.open_time_s[:] = 0
    result.equity_curve.equity[:] = 0
    assert [column.tolist() for column in candles.columns()] == before


# Extremes


def test_costs_that_eat_everything_leave_finite_numbers():
    # Both costs are valid; after some 40 round trips nothing that a float can hold is left.
    every = tuple(range(400))
    execution = Execution(fee_rate=0.999, slippage_bps=9_999, allow_high_costs=True)
    assert execution.violations() == []
    candles = make_candles([10.0] * 400)
    result = run(candles, Scripted(buy_at=every, sell_at=every), execution)
    assert np.isfinite(result.equity_curve.equity).all()
    for trade in result.trades:
        assert math.isfinite(trade.profit)
        assert math.isfinite(trade.return_fraction)
    assert result.metrics.total_return == pytest.approx(-1)
