"""Short positions by hand: what they bring and cost, borrowing, liquidation, and reversals."""

from dataclasses import replace

import pytest

from backcast_engine import Direction, Execution, ExitReason

from .inputs import FREE, HOUR_S, MONDAY_S, Scripted, candles_of, make_candles, run

SHORT_ONLY = replace(FREE, direction=Direction.SHORT_ONLY)
LONG_SHORT = replace(FREE, direction=Direction.LONG_SHORT)
YEAR_H = 365 * 24


def test_a_short_gains_what_the_price_falls():
    candles = make_candles(opens=[100, 100, 80, 60, 60], closes=[100, 90, 70, 60, 60])
    result = run(candles, Scripted(sell_at=(0,), buy_at=(2,)), SHORT_ONLY)
    (trade,) = result.trades
    # Ten units sold at 100: 2000 in cash, less what ten units are worth.
    assert (trade.units, trade.entry_price, trade.exit_price) == (-10, 100, 60)
    assert result.equity_curve.equity.tolist() == [1_000, 1_100, 1_300, 1_400, 1_400]
    assert (trade.profit, trade.return_fraction, trade.held_candles) == (400, 0.4, 2)
    assert trade.exit_reason is ExitReason.SIGNAL
    assert result.metrics.win_rate == 1


def test_a_short_pays_fees_and_slippage_on_both_sides():
    execution = Execution(0.25, 1_000, 1_000, direction=Direction.SHORT_ONLY)
    candles = make_candles([100, 100, 50, 50])
    result = run(candles, Scripted(sell_at=(0,), buy_at=(1,)), execution)
    (trade,) = result.trades
    # Sold at 90: 1000 / (90 * 1.25) = 80/9 units for 800, of which the fee takes 200.
    # Bought back at 55: 80/9 * 55 = 488.89, and a fee of 122.22.
    assert trade.units == pytest.approx(-80 / 9)
    assert (trade.entry_price, trade.exit_price) == (pytest.approx(90), pytest.approx(55))
    assert trade.fees_paid == pytest.approx(200 + 80 / 9 * 55 / 4)
    assert trade.profit == pytest.approx(600 - 80 / 9 * 55 * 1.25)
    assert trade.return_fraction == pytest.approx(trade.profit / 1_000)
    assert result.metrics.final_equity == pytest.approx(1_000 + trade.profit)
    # At the first close of the position: 1600 in cash, less 80/9 units at 100.
    assert result.equity_curve.equity[1] == pytest.approx(1_600 - 8_000 / 9)


def test_a_short_open_at_the_end_is_marked_at_the_last_close():
    candles = make_candles(opens=[100, 100, 100], closes=[100, 100, 120])
    result = run(candles, Scripted(sell_at=(0,)), SHORT_ONLY)
    (trade,) = result.trades
    assert (trade.open, trade.exit_price, trade.profit) == (True, None, -200)
    assert trade.exit_reason is ExitReason.NOT_CLOSED
    assert (result.metrics.trade_count, result.metrics.open_trade_count) == (0, 1)
    assert result.metrics.exposure == pytest.approx(2 / 3)


def test_excursions_of_a_short_are_against_it_where_the_price_rises():
    rows = (100, 100, 100, 100), (100, 130, 95, 110), (110, 120, 60, 80), (80, 200, 10, 80)
    (trade,) = run(candles_of(*rows), Scripted(sell_at=(0,), buy_at=(2,)), SHORT_ONLY).trades
    assert trade.worst_excursion == pytest.approx(-0.3)
    assert trade.best_excursion == pytest.approx(0.4)


@pytest.mark.parametrize("signal", ["buy_at", "sell_at"])
def test_long_only_never_sells_short_and_short_only_never_buys(signal):
    candles = make_candles([100.0] * 4)
    for execution, opens in ((FREE, "buy_at"), (SHORT_ONLY, "sell_at")):
        trades = run(candles, Scripted(**{signal: (0,)}), execution).trades
        assert len(trades) == (signal == opens)


# Reversal


def test_a_reversal_closes_and_opens_at_one_open():
    candles = make_candles([100, 100, 120, 90, 90])
    long, short, again = run(candles, Scripted(buy_at=(0, 2), sell_at=(1,)), LONG_SHORT).trades
    assert (long.entry_price, long.exit_price, long.profit) == (100, 120, 200)
    assert (short.entry_time_s, short.entry_price) == (long.exit_time_s, 120)
    assert (short.units, short.profit) == (-10, 300)
    assert (again.entry_time_s, again.units) == (short.exit_time_s, pytest.approx(1_500 / 90))


def test_a_reversal_pays_both_fees():
    execution = replace(LONG_SHORT, fee_rate=0.1, initial_capital=1_100)
    candles = make_candles([100.0] * 4)
    long, short = run(candles, Scripted(buy_at=(0,), sell_at=(1,)), execution).trades
    # Ten units cost 1100 and bring 900: that is what the short may cost, fee included.
    assert long.fees_paid == pytest.approx(200)
    assert short.units == pytest.approx(-900 / 110)


def test_flat_buys_before_it_sells_where_both_are_wanted():
    (trade, _) = run(make_candles([100.0] * 3), Scripted(buy_at=(0, 1), sell_at=(0, 1)), LONG_SHORT).trades
    assert trade.units > 0


# Liquidation


def test_a_short_that_has_lost_everything_is_liquidated_within_the_candle():
    # Ten units, 2000 in cash: at 200 that is all gone.
    candles = candles_of(
        (100, 100, 100, 100), (100, 150, 90, 120), (120, 210, 110, 115), (115, 116, 114, 115)
    )
    result = run(candles, Scripted(sell_at=(0, 2)), SHORT_ONLY)
    (trade,) = result.trades
    assert (trade.exit_reason, trade.exit_price) == (ExitReason.LIQUIDATION, 200)
    assert (trade.profit, trade.return_fraction) == (-1_000, -1)
    # Nothing is left to trade with, and nothing changes any more.
    assert result.equity_curve.equity.tolist() == [1_000, 800, 0, 0]
    assert result.metrics.total_return == -1
    assert result.metrics.max_drawdown == 1


def test_no_more_than_everything_is_lost_in_a_gap():
    candles = candles_of((100, 100, 100, 100), (100, 101, 99, 100), (500, 600, 400, 450))
    result = run(candles, Scripted(sell_at=(0,)), SHORT_ONLY)
    (trade,) = result.trades
    assert (trade.exit_reason, trade.exit_price, trade.profit) == (ExitReason.LIQUIDATION, 500, -1_000)
    assert result.equity_curve.equity.tolist() == [1_000, 1_000, 0]


def test_a_signal_at_an_open_beyond_everything_is_a_liquidation_too():
    candles = make_candles([100, 100, 500, 500])
    result = run(candles, Scripted(sell_at=(0,), buy_at=(1,)), LONG_SHORT)
    (trade,) = result.trades
    assert trade.exit_reason is ExitReason.LIQUIDATION
    assert result.metrics.final_equity == 0


def test_costs_bring_the_liquidation_nearer():
    execution = replace(SHORT_ONLY, fee_rate=0.1, slippage_bps=1_000)
    candles = candles_of((100, 100, 100, 100), (100, 101, 99, 100), (100, 1_000, 99, 100))
    (trade,) = run(candles, Scripted(sell_at=(0,)), execution).trades
    # Sold at 90: 1000 / 99 units bring 90 * 0.9 each. Bought back at p * 1.1 * 1.1 each.
    units = 1_000 / 99
    assert trade.exit_price == pytest.approx((1_000 + units * 81) / units / 1.1)


def test_half_of_the_equity_lasts_longer():
    execution = replace(SHORT_ONLY, equity_fraction=0.5)
    candles = candles_of((100, 100, 100, 100), (100, 299, 99, 100), (100, 301, 99, 100))
    (trade,) = run(candles, Scripted(sell_at=(0,)), execution).trades
    # Five units, 1500 in cash.
    assert (trade.exit_price, trade.exit_time_s) == (300, MONDAY_S + 2 * HOUR_S)


# Borrowing


def test_borrowing_is_charged_for_each_candle_at_its_close():
    execution = replace(SHORT_ONLY, borrow_rate=YEAR_H / 1_000)  # a thousandth of the value per hour
    candles = make_candles(opens=[100, 100, 90, 80], closes=[100, 100, 80, 80])
    result = run(candles, Scripted(sell_at=(0,), buy_at=(2,)), execution)
    (trade,) = result.trades
    # Ten units for an hour each: 1 at the close of 100, and 0.8 at that of 80.
    assert trade.borrow_paid == pytest.approx(1.8)
    assert trade.profit == pytest.approx(200 - 1.8)
    assert result.equity_curve.equity.tolist() == pytest.approx([1_000, 999, 1_198.2, 1_198.2])
    assert result.metrics.borrow_paid == pytest.approx(1.8)
    assert result.metrics.fees_paid == 0


def test_borrowing_is_charged_across_a_gap_at_the_open_after_it():
    execution = replace(SHORT_ONLY, borrow_rate=YEAR_H / 1_000)
    candles = make_candles(opens=[100, 100, 50, 50], closes=[100, 100, 50, 50], at=[0, 1, 12, 13])
    (trade,) = run(candles, Scripted(sell_at=(0,), buy_at=(1,)), execution).trades
    # The hour of the entry at 100, and the ten without candles at 50; bought back at that open.
    assert trade.borrow_paid == pytest.approx(1 + 10 * 0.5)
    assert trade.profit == pytest.approx(500 - 6)
    (trade,) = run(candles, Scripted(sell_at=(0,), buy_at=(12,)), execution).trades
    assert trade.borrow_paid == pytest.approx(1 + 11 * 0.5)


def test_funding_is_earned():
    execution = replace(SHORT_ONLY, borrow_rate=-YEAR_H / 1_000)
    (trade,) = run(make_candles([100.0] * 3), Scripted(sell_at=(0,), buy_at=(1,)), execution).trades
    assert (trade.borrow_paid, trade.profit) == (pytest.approx(-1), pytest.approx(1))


def test_a_long_position_borrows_nothing():
    execution = replace(LONG_SHORT, borrow_rate=100.0)
    result = run(make_candles([100.0] * 3), Scripted(buy_at=(0,)), execution)
    assert result.metrics.borrow_paid == 0
    assert result.metrics.final_equity == 1_000


def test_borrowing_can_eat_everything():
    # A hundred times its value a year: ten units at 100 cost 11.4 an hour.
    execution = replace(SHORT_ONLY, borrow_rate=100.0)
    result = run(make_candles([100.0] * 100), Scripted(sell_at=(0,)), execution)
    (trade,) = result.trades
    # After 88 hours: 1000 / (1000 * 100 / 8760) = 87.6.
    assert trade.exit_reason is ExitReason.LIQUIDATION
    assert (trade.exit_time_s - trade.entry_time_s) // HOUR_S == 87
    assert (trade.exit_price, trade.profit, trade.return_fraction) == (
        100,
        pytest.approx(-1_000),
        pytest.approx(-1),
    )
    assert result.metrics.final_equity == 0
    assert min(result.equity_curve.equity) == 0


def test_borrowing_across_a_gap_can_eat_everything():
    execution = replace(SHORT_ONLY, borrow_rate=100.0)
    candles = make_candles([100.0] * 4, at=[0, 1, 200, 201])
    result = run(candles, Scripted(sell_at=(0,)), execution)
    (trade,) = result.trades
    assert trade.exit_reason is ExitReason.LIQUIDATION
    assert trade.exit_time_s == MONDAY_S + 200 * HOUR_S
    assert result.equity_curve.equity.tolist() == [1_000, pytest.approx(1_000 - 100_000 / YEAR_H), 0, 0]
