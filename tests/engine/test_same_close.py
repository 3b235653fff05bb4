"""Fills at the very close that the signal is on, by hand."""

from dataclasses import replace

import pytest

from backcast_engine import Direction, Distance, ExitReason, FillTime

from .inputs import FREE, HOUR_S, MONDAY_S, Scripted, candles_of, make_candles, run

SAME_CLOSE = replace(FREE, fill_time=FillTime.SAME_CLOSE)


def test_a_signal_fills_at_its_close():
    candles = make_candles(opens=[9, 11, 30, 40], closes=[10, 20, 40, 50])
    result = run(candles, Scripted(buy_at=(0,), sell_at=(2,)), SAME_CLOSE)
    (trade,) = result.trades
    assert (trade.entry_time_s, trade.entry_price) == (MONDAY_S, 10)
    assert (trade.exit_time_s, trade.exit_price) == (MONDAY_S + 2 * HOUR_S, 40)
    assert result.equity_curve.equity.tolist() == [1_000, 2_000, 4_000, 4_000]
    # Held at the closes 0 and 1.
    assert (trade.held_candles, result.metrics.exposure) == (2, 0.5)


def test_the_last_close_fills():
    result = run(make_candles([10, 10, 20]), Scripted(buy_at=(2,)), SAME_CLOSE)
    (trade,) = result.trades
    assert (trade.open, trade.entry_price, trade.held_candles, trade.profit) == (True, 20, 1, 0)
    (trade,) = run(make_candles([10, 10, 20]), Scripted(buy_at=(1,), sell_at=(2,)), SAME_CLOSE).trades
    assert (trade.open, trade.exit_price) == (False, 20)


def test_a_fee_is_seen_at_that_close():
    execution = replace(SAME_CLOSE, fee_rate=0.25)
    result = run(make_candles([10.0] * 2), Scripted(buy_at=(0,)), execution)
    assert result.equity_curve.equity.tolist() == pytest.approx([800, 800])


def test_stops_are_there_from_the_next_candle_on():
    execution = replace(SAME_CLOSE, stop_loss=Distance(0.1), take_profit=Distance(0.1))
    # The candle of the entry has been everywhere before its close.
    candles = candles_of((100, 150, 50, 100), (100, 105, 89, 95))
    (trade,) = run(candles, Scripted(buy_at=(0,)), execution).trades
    assert (trade.exit_reason, trade.exit_price) == (ExitReason.STOP_LOSS, 90)
    assert trade.exit_time_s == MONDAY_S + HOUR_S


def test_a_trail_does_not_know_the_high_of_the_candle_of_the_entry():
    execution = replace(SAME_CLOSE, trailing_stop=Distance(0.1))
    candles = candles_of((100, 200, 99, 100), (100, 101, 95, 100), (100, 101, 89, 90))
    (trade,) = run(candles, Scripted(buy_at=(0,)), execution).trades
    assert (trade.exit_price, trade.exit_time_s) == (pytest.approx(101 * 0.9), MONDAY_S + 2 * HOUR_S)


def test_what_was_stopped_can_be_bought_again_at_that_close():
    execution = replace(SAME_CLOSE, stop_loss=Distance(0.1))
    candles = candles_of((100, 100, 100, 100), (100, 101, 85, 88), (88, 89, 87, 88))
    stopped, again = run(candles, Scripted(buy_at=(0, 1)), execution).trades
    assert (stopped.exit_price, again.entry_price) == (90, 88)
    assert stopped.exit_time_s == again.entry_time_s


def test_a_stop_comes_before_the_signal_of_its_candle():
    execution = replace(SAME_CLOSE, stop_loss=Distance(0.1))
    candles = candles_of((100, 100, 100, 100), (100, 101, 85, 88))
    (trade,) = run(candles, Scripted(buy_at=(0,), sell_at=(1,)), execution).trades
    assert (trade.exit_reason, trade.exit_price) == (ExitReason.STOP_LOSS, 90)


def test_a_reversal_at_a_close():
    execution = replace(SAME_CLOSE, direction=Direction.LONG_SHORT)
    candles = make_candles(opens=[1, 1, 1], closes=[100, 120, 90])
    # The opens of 1 would take a long position's all: it has no stop, and nothing looks at them.
    long, short = run(candles, Scripted(buy_at=(0,), sell_at=(1,)), execution).trades
    assert (long.exit_price, short.entry_price, short.units) == (120, 120, -10)
    assert short.profit == 300


def test_a_short_borrows_from_its_close_on():
    execution = replace(SAME_CLOSE, direction=Direction.SHORT_ONLY, borrow_rate=365 * 24 / 1_000)
    candles = make_candles([100.0] * 4, at=[0, 1, 5, 6])
    (trade,) = run(candles, Scripted(sell_at=(0,), buy_at=(5,)), execution).trades
    # From the close at hour 1 to that at hour 6: five hours of 1 each.
    assert trade.borrow_paid == pytest.approx(5)


def test_the_candle_of_an_exit_at_its_close_was_held_through():
    candles = candles_of((100, 500, 1, 100), (100, 110, 95, 100), (100, 130, 80, 100), (100, 900, 1, 100))
    (trade,) = run(candles, Scripted(buy_at=(0,), sell_at=(2,)), SAME_CLOSE).trades
    assert trade.worst_excursion == pytest.approx(-0.2)
    assert trade.best_excursion == pytest.approx(0.3)


def test_costs_that_take_everything_at_the_opening_liquidate_there():
    # Sold at 40, bought back at 160: 25 units would cost 4000, and there are 2000.
    execution = replace(SAME_CLOSE, direction=Direction.SHORT_ONLY, slippage_bps=6_000)
    for length in (1, 3):
        result = run(make_candles([100.0] * length), Scripted(sell_at=(0,)), execution)
        (trade,) = result.trades
        assert (trade.exit_reason, trade.profit, trade.held_candles) == (ExitReason.LIQUIDATION, -1_000, 0)
        assert result.equity_curve.equity.tolist() == [0] * length
        assert (result.metrics.max_drawdown, result.metrics.exposure) == (1, 0)
