"""Funding of long positions by hand: what tests of shorts say of borrowing, the other way round."""

from dataclasses import replace

import pytest

from backcast_engine import Direction, Distance, ExitReason, FillTime

from .inputs import FREE, HOUR_S, MONDAY_S, Scripted, candles_of, make_candles, run

YEAR_H = 365 * 24
# A thousandth of the value per hour.
FUNDED = replace(FREE, funding_rate=YEAR_H / 1_000)
# A hundred times its value a year: ten units at 100 cost 11.4 an hour.
RUINOUS = replace(FREE, funding_rate=100.0)


def test_funding_is_charged_for_each_candle_at_its_close():
    candles = make_candles(opens=[100, 100, 110, 120], closes=[100, 100, 120, 120])
    result = run(candles, Scripted(buy_at=(0,), sell_at=(2,)), FUNDED)
    (trade,) = result.trades
    # Ten units for an hour each: 1 at the close of 100, and 1.2 at that of 120.
    assert trade.funding_paid == pytest.approx(2.2)
    assert trade.borrow_paid == 0
    assert trade.profit == pytest.approx(200 - 2.2)
    assert trade.return_fraction == pytest.approx(0.1978)
    assert result.equity_curve.equity.tolist() == pytest.approx([1_000, 999, 1_197.8, 1_197.8])
    assert result.metrics.funding_paid == pytest.approx(2.2)
    assert (result.metrics.borrow_paid, result.metrics.fees_paid) == (0, 0)
    assert result.metrics.final_equity == pytest.approx(1_197.8)


def test_funding_is_charged_across_a_gap_at_the_open_after_it():
    candles = make_candles(opens=[100, 100, 200, 200], closes=[100, 100, 200, 200], at=[0, 1, 12, 13])
    (trade,) = run(candles, Scripted(buy_at=(0,), sell_at=(1,)), FUNDED).trades
    # The hour of the entry at 100, and the ten without candles at 200; sold at that open.
    assert trade.funding_paid == pytest.approx(1 + 10 * 2)
    assert trade.profit == pytest.approx(1_000 - 21)
    (trade,) = run(candles, Scripted(buy_at=(0,), sell_at=(12,)), FUNDED).trades
    assert trade.funding_paid == pytest.approx(1 + 11 * 2)


def test_nothing_is_charged_for_a_candle_within_which_it_is_stopped():
    stopped = replace(FUNDED, stop_loss=Distance(fraction=0.1))
    candles = candles_of((100, 100, 100, 100), (100, 101, 99, 100), (100, 100, 80, 85))
    (trade,) = run(candles, Scripted(buy_at=(0,)), stopped).trades
    assert (trade.exit_reason, trade.exit_price) == (ExitReason.STOP_LOSS, 90)
    assert trade.funding_paid == pytest.approx(1)


def test_a_position_that_is_opened_at_a_close_pays_from_then_on():
    same_close = replace(FUNDED, fill_time=FillTime.SAME_CLOSE)
    (trade,) = run(make_candles([100.0] * 4), Scripted(buy_at=(0,), sell_at=(2,)), same_close).trades
    assert trade.funding_paid == pytest.approx(2)


def test_an_open_position_has_paid_by_the_last_close():
    result = run(make_candles([100.0] * 3), Scripted(buy_at=(0,)), FUNDED)
    (trade,) = result.trades
    assert (trade.open, trade.funding_paid) == (True, pytest.approx(2))
    assert trade.profit == pytest.approx(-2)
    assert result.metrics.funding_paid == pytest.approx(2)


def test_a_negative_rate_pays_the_holder():
    paid = replace(FREE, funding_rate=-YEAR_H / 1_000)
    (trade,) = run(make_candles([100.0] * 3), Scripted(buy_at=(0,), sell_at=(1,)), paid).trades
    assert (trade.funding_paid, trade.profit) == (pytest.approx(-1), pytest.approx(1))


def test_a_short_position_pays_no_funding_and_a_long_one_no_borrowing():
    both = replace(FUNDED, direction=Direction.LONG_SHORT, borrow_rate=2 * YEAR_H / 1_000)
    result = run(make_candles([100.0] * 4), Scripted(buy_at=(0,), sell_at=(1,)), both)
    long, short = result.trades
    assert (long.funding_paid, long.borrow_paid) == (pytest.approx(1), 0)
    # 999 are left, two candles long.
    assert (short.funding_paid, short.borrow_paid) == (0, pytest.approx(2 * 2 * 0.999))
    assert result.metrics.funding_paid == pytest.approx(1)
    assert result.metrics.borrow_paid == pytest.approx(2 * 2 * 0.999)


def test_an_execution_without_funding_has_paid_none():
    result = run(make_candles([100.0] * 3), Scripted(buy_at=(0,)), FREE)
    assert result.trades[0].funding_paid == 0
    assert result.metrics.funding_paid == 0


# Liquidation


def test_funding_can_eat_everything():
    result = run(make_candles([100.0] * 100), Scripted(buy_at=(0,)), RUINOUS)
    (trade,) = result.trades
    # After 88 hours: 1000 / (1000 * 100 / 8760) = 87.6.
    assert trade.exit_reason is ExitReason.LIQUIDATION
    assert (trade.exit_time_s - trade.entry_time_s) // HOUR_S == 87
    assert trade.profit == pytest.approx(-1_000)
    assert trade.return_fraction == pytest.approx(-1)
    assert result.metrics.final_equity == 0
    assert min(result.equity_curve.equity) == 0


def test_funding_across_a_gap_can_eat_everything():
    candles = make_candles([100.0] * 4, at=[0, 1, 200, 201])
    result = run(candles, Scripted(buy_at=(0,)), RUINOUS)
    (trade,) = result.trades
    assert trade.exit_reason is ExitReason.LIQUIDATION
    assert trade.exit_time_s == MONDAY_S + 200 * HOUR_S
    assert result.equity_curve.equity.tolist() == [1_000, pytest.approx(1_000 - 100_000 / YEAR_H), 0, 0]


def test_a_price_that_falls_to_what_is_owed_liquidates_within_the_candle():
    # Ten units, and an hour's funding of a thousandth of their value: 400 after 400 candles.
    rows = [(100, 100, 100, 100)] * 401 + [(100, 101, 39, 90), (90, 90, 90, 90)]
    result = run(candles_of(*rows), Scripted(buy_at=(0, 401)), FUNDED)
    (trade,) = result.trades
    assert trade.exit_reason is ExitReason.LIQUIDATION
    assert trade.exit_price == pytest.approx(40)
    assert trade.exit_time_s == MONDAY_S + 401 * HOUR_S
    assert trade.profit == pytest.approx(-1_000)
    assert result.equity_curve.equity[-2:].tolist() == [0, 0]


def test_a_stop_above_what_is_owed_comes_first():
    rows = [(100, 100, 100, 100)] * 401 + [(100, 101, 39, 90)]
    stopped = replace(FUNDED, stop_loss=Distance(fraction=0.5))
    (trade,) = run(candles_of(*rows), Scripted(buy_at=(0,)), stopped).trades
    assert (trade.exit_reason, trade.exit_price) == (ExitReason.STOP_LOSS, 50)


def test_costs_bring_the_liquidation_nearer():
    costly = replace(FUNDED, fee_rate=0.1, slippage_bps=1_000)
    rows = [(100, 100, 100, 100)] * 401 + [(100, 101, 30, 90)]
    (trade,) = run(candles_of(*rows), Scripted(buy_at=(0,)), costly).trades
    # 1000 / (110 * 1.1) units owe 400 hours of a thousandth of 100 each, and bring 0.9 * 0.9 of the price.
    assert trade.exit_reason is ExitReason.LIQUIDATION
    assert trade.exit_price == pytest.approx(40 / 0.81 * 0.9)
