"""Stops by hand: what a candle touches, in which order, and at which price that fills."""

from dataclasses import replace

import pytest

from backcast_engine import Direction, Distance, ExitReason

from .inputs import FREE, HOUR_S, MONDAY_S, Scripted, candles_of, run

BUY = Scripted(buy_at=(0,))
SHORT = Scripted(sell_at=(0,))
# The candle with the signal, and one at whose open of 100 the position is opened.
SIGNAL, ENTRY = (100, 100, 100, 100), (100, 101, 99, 100)

STOP = Distance(fraction=0.1)
STOPPED = replace(FREE, stop_loss=STOP)
PROFIT = replace(FREE, take_profit=STOP)
BRACKET = replace(FREE, stop_loss=STOP, take_profit=STOP)
TRAILED = replace(FREE, trailing_stop=STOP)


def short(execution):
    return replace(execution, direction=Direction.SHORT_ONLY)


def exit_of(execution, *rows, strategy=BUY, **options):
    """Return the reason, the price and the candle of the exit of a position opened at the second open."""
    (trade,) = run(candles_of(SIGNAL, *rows), strategy, execution, **options).trades
    if trade.open:
        return None
    return trade.exit_reason, pytest.approx(trade.exit_price), (trade.exit_time_s - MONDAY_S) // HOUR_S


# Long


def test_a_stop_that_a_low_touches_fills_at_the_stop():
    assert exit_of(STOPPED, ENTRY, (95, 96, 85, 95)) == (ExitReason.STOP_LOSS, 90, 2)


def test_a_low_on_the_stop_touches_it():
    assert exit_of(STOPPED, ENTRY, (95, 96, 90, 95)) == (ExitReason.STOP_LOSS, 90, 2)
    assert exit_of(STOPPED, ENTRY, (95, 96, 90.0001, 95)) is None


def test_a_gap_through_the_stop_fills_at_the_open():
    assert exit_of(STOPPED, ENTRY, (80, 95, 75, 90)) == (ExitReason.STOP_LOSS, 80, 2)


def test_a_profit_that_a_high_touches_fills_at_the_profit():
    assert exit_of(PROFIT, ENTRY, (105, 115, 104, 112)) == (ExitReason.TAKE_PROFIT, 110, 2)


def test_a_high_on_the_profit_touches_it():
    execution = replace(FREE, take_profit=Distance(fraction=0.25))
    assert exit_of(execution, ENTRY, (105, 125, 104, 106)) == (ExitReason.TAKE_PROFIT, 125, 2)
    assert exit_of(execution, ENTRY, (105, 124.9999, 104, 106)) is None


def test_a_gap_beyond_the_profit_fills_at_the_open():
    assert exit_of(PROFIT, ENTRY, (120, 130, 115, 118)) == (ExitReason.TAKE_PROFIT, 120, 2)


def test_a_candle_that_touches_both_is_a_loss():
    assert exit_of(BRACKET, ENTRY, (100, 115, 85, 112)) == (ExitReason.STOP_LOSS, 90, 2)


def test_an_open_beyond_the_profit_comes_before_the_stop_that_the_candle_touches():
    assert exit_of(BRACKET, ENTRY, (120, 125, 80, 85)) == (ExitReason.TAKE_PROFIT, 120, 2)


def test_a_position_can_be_stopped_in_the_candle_of_its_entry():
    assert exit_of(STOPPED, (100, 101, 85, 95)) == (ExitReason.STOP_LOSS, 90, 1)
    assert exit_of(PROFIT, (100, 115, 99, 112)) == (ExitReason.TAKE_PROFIT, 110, 1)


def test_what_was_stopped_in_the_candle_of_its_entry_was_held_at_no_close():
    result = run(candles_of(SIGNAL, (100, 101, 85, 95), SIGNAL), BUY, STOPPED)
    (trade,) = result.trades
    assert (trade.held_candles, trade.units) == (0, 10)
    assert trade.profit == pytest.approx(-100)
    assert result.metrics.exposure == 0
    assert result.equity_curve.equity.tolist() == pytest.approx([1_000, 900, 900])


def test_stops_are_at_a_distance_from_the_fill_with_its_slippage():
    # Bought at 100 * 1.05 = 105: the stop is at 94.5, and is sold 5 % worse.
    execution = replace(STOPPED, slippage_bps=500)
    assert exit_of(execution, (100, 101, 94.6, 98)) is None
    assert exit_of(execution, (100, 101, 94.4, 98)) == (ExitReason.STOP_LOSS, 94.5 * 0.95, 1)


def test_slippage_beyond_the_stop_is_stopped_at_the_very_open():
    # Bought at 115, with the stop at 103.5: the price of 100 is beyond it.
    execution = replace(STOPPED, slippage_bps=1_500)
    assert exit_of(execution, ENTRY) == (ExitReason.STOP_LOSS, 100 * 0.85, 1)


def test_a_signal_after_a_stop_opens_another_position():
    candles = candles_of(SIGNAL, (100, 101, 85, 95), (95, 96, 94, 95), (95, 96, 94, 95))
    stopped, again = run(candles, Scripted(buy_at=(0, 1)), STOPPED).trades
    assert stopped.exit_reason is ExitReason.STOP_LOSS
    assert (again.entry_time_s, again.entry_price, again.open) == (MONDAY_S + 2 * HOUR_S, 95, True)


def test_a_signal_at_the_open_comes_before_the_stops():
    strategy = Scripted(buy_at=(0,), sell_at=(1,))
    reason = exit_of(STOPPED, ENTRY, (80, 95, 75, 90), strategy=strategy)
    assert reason == (ExitReason.SIGNAL, 80, 2)


def test_a_stop_pays_its_fee_and_its_slippage():
    # 1000 / (100 * 1.25) = 8 units; stopped at 90: 720, less a fee of 180.
    execution = replace(STOPPED, fee_rate=0.25)
    result = run(candles_of(SIGNAL, ENTRY, (95, 96, 85, 95)), BUY, execution)
    (trade,) = result.trades
    assert trade.fees_paid == pytest.approx(200 + 180)
    assert trade.profit == pytest.approx(540 - 1_000)
    assert result.metrics.final_equity == pytest.approx(540)


# Trailing


def test_a_trailing_stop_follows_the_highest_price():
    # Highs of 101, 120, 118: the stop is at 108.
    rows = (ENTRY, (110, 120, 109, 115), (115, 118, 110, 112), (112, 113, 107, 111))
    assert exit_of(TRAILED, *rows) == (ExitReason.TRAILING_STOP, 108, 4)


def test_a_trailing_stop_moves_with_the_candles_before_only():
    # The high of 130 would put it at 117, above this candle's low: nobody knows which came first.
    rows = (ENTRY, (110, 130, 105, 125))
    assert exit_of(TRAILED, *rows) is None
    assert exit_of(TRAILED, *rows, (125, 126, 116, 120)) == (ExitReason.TRAILING_STOP, 117, 3)


def test_a_trailing_stop_begins_at_the_fill():
    assert exit_of(TRAILED, (100, 120, 89, 115)) == (ExitReason.TRAILING_STOP, 90, 1)
    assert exit_of(TRAILED, (100, 120, 91, 115)) is None


def test_a_trailing_stop_never_falls():
    rows = (ENTRY, (110, 120, 109, 115), (110, 111, 109, 110), (110, 111, 107, 110))
    assert exit_of(TRAILED, *rows) == (ExitReason.TRAILING_STOP, 108, 4)


def test_a_gap_through_the_trailing_stop_fills_at_the_open():
    rows = (ENTRY, (110, 120, 109, 115), (100, 104, 95, 102))
    assert exit_of(TRAILED, *rows) == (ExitReason.TRAILING_STOP, 100, 3)


def test_the_nearer_of_two_stops_fills():
    execution = replace(FREE, stop_loss=Distance(0.05), trailing_stop=STOP)
    # At first the stop loss of 95 is nearer than 90; after a high of 120, the trailing stop of 108.
    assert exit_of(execution, ENTRY, (100, 101, 80, 90)) == (ExitReason.STOP_LOSS, 95, 2)
    rows = (ENTRY, (110, 120, 109, 115), (115, 116, 80, 90))
    assert exit_of(execution, *rows) == (ExitReason.TRAILING_STOP, 108, 3)


# Short


@pytest.mark.parametrize(
    ("execution", "row", "expected"),
    [
        (STOPPED, (105, 115, 104, 106), (ExitReason.STOP_LOSS, 110, 2)),
        (STOPPED, (120, 125, 105, 106), (ExitReason.STOP_LOSS, 120, 2)),
        (PROFIT, (95, 96, 85, 95), (ExitReason.TAKE_PROFIT, 90, 2)),
        (PROFIT, (80, 95, 75, 90), (ExitReason.TAKE_PROFIT, 80, 2)),
        (BRACKET, (100, 115, 85, 95), (ExitReason.STOP_LOSS, 110, 2)),
        (BRACKET, (80, 115, 75, 95), (ExitReason.TAKE_PROFIT, 80, 2)),
        (TRAILED, (95, 110, 94, 96), (ExitReason.TRAILING_STOP, 99 * 1.1, 2)),
    ],
)
def test_a_short_is_stopped_the_other_way_round(execution, row, expected):
    assert exit_of(short(execution), ENTRY, row, strategy=SHORT) == expected


def test_a_short_trail_moves_with_the_lows_of_the_candles_before_only():
    rows = (ENTRY, (90, 95, 70, 72))
    assert exit_of(short(TRAILED), *rows, strategy=SHORT) is None
    expected = (ExitReason.TRAILING_STOP, 77, 3)
    assert exit_of(short(TRAILED), *rows, (72, 80, 71, 75), strategy=SHORT) == expected


# Average true ranges


def test_stops_in_average_true_ranges_are_of_the_signal_s_candle():
    # True ranges of 10 and 4 at the closes 1 and 2: their average at the signal is 7; the entry's candle
    # has a range of 40, which nobody knew.
    execution = replace(FREE, stop_loss=Distance(atr_multiple=2), atr_period=2)
    rows = [(100, 100, 100, 100), (100, 106, 96, 100), (100, 102, 98, 100), (100, 126, 86.5, 100)]
    candles = candles_of(*rows, (100, 101, 85, 100))
    (trade,) = run(candles, Scripted(buy_at=(2,)), execution).trades
    assert (trade.exit_price, trade.exit_time_s) == (100 - 2 * 7, MONDAY_S + 4 * HOUR_S)


@pytest.mark.parametrize("name", ["stop_loss", "take_profit", "trailing_stop"])
def test_no_entry_while_the_average_true_range_is_undefined(name):
    execution = replace(FREE, **{name: Distance(atr_multiple=50)}, atr_period=3)
    candles = candles_of(*[(100, 101, 99, 100)] * 8)
    # It needs three true ranges, and the first candle has none: the first is at close 3.
    trades = run(candles, Scripted(buy_at=(0, 1, 2)), execution).trades
    assert trades == ()
    (trade,) = run(candles, Scripted(buy_at=(2, 3)), execution).trades
    assert trade.entry_time_s == MONDAY_S + 4 * HOUR_S


def test_a_trailing_stop_in_average_true_ranges_keeps_its_distance():
    execution = replace(FREE, trailing_stop=Distance(atr_multiple=3), atr_period=1)
    # The range at the signal is 2: the stop stays 6 below the highest price.
    candles = candles_of(ENTRY, ENTRY, (100, 101, 99, 100), (110, 120, 109, 118), (118, 119, 113, 115))
    (trade,) = run(candles, Scripted(buy_at=(1,)), execution).trades
    assert (trade.exit_price, trade.exit_reason) == (114, ExitReason.TRAILING_STOP)


# What a trade says of its way


def test_excursions_of_a_stopped_position_end_at_the_stop():
    # Of the candle in which it was stopped, neither the high nor what came below the stop counts.
    rows = (SIGNAL, (100, 104, 97, 100), (100, 106, 95, 100), (100, 150, 50, 100))
    (trade,) = run(candles_of(*rows), BUY, STOPPED).trades
    assert trade.worst_excursion == pytest.approx(-0.1)
    assert trade.best_excursion == pytest.approx(0.06)
