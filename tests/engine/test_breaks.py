"""Breaks in a history: no position, no signal and no figure goes across one."""

from dataclasses import replace

import numpy as np
import pytest

from backcast_engine import (
    Backtest,
    BreakRule,
    Detail,
    Direction,
    Distance,
    Execution,
    ExitReason,
    FillTime,
    TradedWindow,
    VolatilityTarget,
    Window,
    metrics_of,
    run_backtest,
)
from backcast_engine.breaks import Break
from backcast_engine.errors import Refused
from backcast_engine.history import History
from backcast_engine.interval import Interval
from backcast_engine.strategies.buy_and_hold import BuyAndHold
from backcast_engine.strategies.donchian import Donchian
from backcast_engine.strategies.ma_cross import MaCross
from backcast_engine.strategies.rsi import Rsi

from .inputs import FREE, HOUR_S, MONDAY_S, Scripted, all_of, candles_of, make_candles

SPLIT, IGNORE = BreakRule.SPLIT, BreakRule.IGNORE


def break_of(before, after):
    """Return a break between two hours, counted from MONDAY_S."""
    return Break(MONDAY_S + before * HOUR_S, MONDAY_S + after * HOUR_S, 1.0, 1_000.0)


def run(candles, strategy, breaks, execution=FREE, window=None, interval=Interval.HOUR_1):
    window = window or all_of(candles, interval)
    history = History(candles, tuple(breaks))
    return run_backtest(history, Backtest(strategy, interval, window, execution, Detail.EQUITY))


# Hours 0 to 2, and after a gap hours 100 to 102, at 1,000 times the price.
RELISTED = make_candles(
    opens=[10, 10, 20, 20_000, 30_000, 30_000],
    closes=[10, 20, 25, 30_000, 30_000, 60_000],
    at=[0, 1, 2, 100, 101, 102],
)
RELISTING = break_of(2, 100)


def test_a_position_is_closed_at_the_last_close_before_a_break():
    execution = replace(FREE, fee_rate=0.1)
    result = run(RELISTED, Scripted(buy_at=(0,)), [RELISTING], execution)
    (trade,) = result.trades
    # 1000 / (10 * 1.1) = 90.909 units, sold at 25 with a fee of a tenth.
    assert trade.exit_reason is ExitReason.BREAK
    assert (trade.exit_time_s, trade.exit_price) == (MONDAY_S + 2 * HOUR_S, 25)
    units = 1_000 / 11
    assert trade.units == pytest.approx(units)
    assert trade.profit == pytest.approx(units * 25 * 0.9 - 1_000)
    # Held at the closes of hours 1 and 2, and the highest price of hour 2 was seen.
    assert trade.held_candles == 2
    assert trade.best_excursion == pytest.approx(1.5)
    # At the close itself it is marked as ever; what selling cost shows in the next candle.
    left = units * 25 * 0.9
    assert result.equity_curve.equity.tolist() == pytest.approx([1_000, units * 20, units * 25, *[left] * 3])
    assert result.metrics.exposure == pytest.approx(2 / 6)
    assert (result.metrics.trade_count, result.metrics.open_trade_count) == (1, 0)
    assert result.breaks == (RELISTING,)
    assert result.parts == ()


def test_slippage_is_paid_at_a_break_too():
    result = run(RELISTED, Scripted(buy_at=(0,)), [RELISTING], replace(FREE, slippage_bps=100.0))
    assert result.trades[0].exit_price == pytest.approx(25 * 0.99)


def test_a_short_position_is_bought_back_at_the_last_close():
    short = replace(FREE, direction=Direction.SHORT_ONLY)
    candles = make_candles(
        opens=[10, 10, 9, 9_000, 9_000], closes=[10, 9, 8, 9_000, 9_000], at=[0, 1, 2, 50, 51]
    )
    result = run(candles, Scripted(sell_at=(0,)), [break_of(2, 50)], short)
    (trade,) = result.trades
    # 100 units sold at 10 and bought back at 8, not at 9,000, which would have taken everything.
    assert (trade.exit_reason, trade.exit_price, trade.profit) == (ExitReason.BREAK, 8, 200)
    assert result.equity_curve.equity.tolist() == [1_000, 1_100, 1_200, 1_200, 1_200]


def test_nothing_is_traded_behind_a_break_where_the_equity_is_gone_before():
    short = replace(FREE, direction=Direction.LONG_SHORT)
    candles = make_candles(
        opens=[10, 10, 30, 5, 5, 6], closes=[10, 30, 30, 5, 5, 6], at=[0, 1, 2, 50, 51, 52]
    )
    result = run(candles, Scripted(buy_at=(50,), sell_at=(0,)), [break_of(2, 50)], short)
    assert [trade.exit_reason for trade in result.trades] == [ExitReason.LIQUIDATION]
    assert result.equity_curve.equity.tolist() == [1_000, 0, 0, 0, 0, 0]
    assert result.metrics.total_return == -1


def test_no_signal_fills_across_a_break():
    result = run(RELISTED, Scripted(buy_at=(2,)), [RELISTING])
    assert result.trades == ()
    # The next part's own signals do.
    (trade,) = run(RELISTED, Scripted(buy_at=(2, 100)), [RELISTING]).trades
    assert (trade.entry_time_s, trade.entry_price) == (MONDAY_S + 101 * HOUR_S, 30_000)


def test_at_the_last_close_itself_a_signal_fills_and_is_closed_again():
    execution = replace(FREE, fee_rate=0.1, fill_time=FillTime.SAME_CLOSE)
    strategy = Scripted(buy_at=(2,))
    result = run(RELISTED, strategy, [RELISTING], execution)
    (trade,) = result.trades
    assert trade.entry_time_s == trade.exit_time_s == MONDAY_S + 2 * HOUR_S
    assert (trade.exit_reason, trade.held_candles) == (ExitReason.BREAK, 1)
    assert result.equity_curve.equity.tolist() == pytest.approx([1_000] * 2 + [1_000 / 1.1] + [900 / 1.1] * 3)
    # Who does not know of the break sees the same until then.
    shorter = run(RELISTED[:3], strategy, [], execution)
    assert shorter.equity_curve.equity.tolist() == result.equity_curve.equity[:3].tolist()
    assert shorter.trades[0].open


def test_the_next_part_begins_with_what_the_one_before_it_left():
    result = run(RELISTED, BuyAndHold(), [RELISTING])
    assert [trade.entry_price for trade in result.trades] == [10, 30_000]
    # 100 units from 10 to 25, and then 2500 / 30,000 units from 30,000 to 60,000.
    assert result.metrics.final_equity == pytest.approx(5_000)
    assert (
        result.metrics.total_return == pytest.approx(result.metrics.buy_and_hold_return) == pytest.approx(4)
    )


def test_of_several_breaks_each_closes_what_is_open():
    candles = make_candles(opens=[10] * 9)
    result = run(candles, BuyAndHold(), [break_of(2, 3), break_of(5, 6)])
    assert [(trade.held_candles, trade.exit_reason) for trade in result.trades] == [
        (2, ExitReason.BREAK),
        (2, ExitReason.BREAK),
        (2, ExitReason.NOT_CLOSED),
    ]


# Indicators


def test_indicators_begin_anew_behind_a_break():
    # The average of two closes falls across the break and rises within both parts.
    candles = make_candles(opens=[1, 2, 3, 40, 41, 42, 43], at=[0, 1, 2, 50, 51, 52, 53])
    strategy = MaCross(fast=1, slow=2)
    entries = [trade.entry_time_s for trade in run(candles, strategy, [break_of(2, 50)]).trades]
    # Above at hours 1 and 51, filled at the next open.
    assert entries == [MONDAY_S + 2 * HOUR_S, MONDAY_S + 52 * HOUR_S]


@pytest.mark.parametrize(
    "execution",
    [
        replace(FREE, stop_loss=Distance(atr_multiple=2.0), atr_period=3),
        replace(FREE, volatility_target=VolatilityTarget(0.5, period=3)),
    ],
    ids=["average true range", "volatility"],
)
def test_what_an_execution_measures_begins_anew_too(execution):
    closes = [10 + 0.1 * (i % 3) for i in range(10)] + [1_000 + i % 3 for i in range(10)]
    candles = make_candles(closes)
    result = run(candles, BuyAndHold(), [break_of(9, 10)], execution)
    whole, behind = result.trades[-1], run(candles[10:], BuyAndHold(), [], execution).trades[-1]
    # Three candles have to be seen first, which makes the fourth or fifth of the part the first to buy at.
    assert whole.entry_time_s == behind.entry_time_s > MONDAY_S + 12 * HOUR_S
    assert whole.units / behind.units == pytest.approx(result.equity_curve.equity[10] / 1_000)


def test_a_break_before_the_window_limits_the_warmup_only():
    candles = make_candles([10.0 + i % 5 for i in range(60)])
    window = Window(MONDAY_S + 30 * HOUR_S, MONDAY_S + 60 * HOUR_S)
    result = run(candles, Rsi(4), [break_of(9, 10), break_of(19, 20)], window=window)
    assert result.warmup_candles == 10
    assert result.breaks == ()
    alone = run(candles[20:], Rsi(4), [], window=window)
    assert alone.equity_curve.equity.tobytes() == result.equity_curve.equity.tobytes()
    assert alone.trades == result.trades
    # Right at the window's beginning, it leaves no warm-up.
    assert run(candles, Rsi(4), [break_of(29, 30)], window=window).warmup_candles == 0


def test_a_break_behind_the_window_changes_nothing():
    window = Window(MONDAY_S, MONDAY_S + 3 * HOUR_S)
    result = run(RELISTED, BuyAndHold(), [RELISTING], window=window)
    assert (result.breaks, result.trades[0].open) == ((), True)


def test_a_split_history_is_refused_only_where_no_part_is_long_enough():
    candles = make_candles([10.0 + i % 3 for i in range(30)])
    long_enough = run(candles, Rsi(14), [break_of(9, 10), break_of(25, 26)])
    assert long_enough.breaks == (break_of(9, 10), break_of(25, 26))
    message = r"^its indicators need 15 candles, and there are 14 .* without a break between them$"
    with pytest.raises(Refused, match=message):
        run(candles, Rsi(14), [break_of(13, 14), break_of(27, 28)])
    ignored = replace(FREE, break_rule=IGNORE)
    assert run(candles, Rsi(14), [break_of(13, 14), break_of(27, 28)], ignored).warmup_candles == 0


def test_a_part_that_is_too_short_has_the_signals_that_are_defined_in_it():
    # The exit would need 20 candles; the entry is above the highs of five.
    candles = make_candles([10.0 + i for i in range(40)])
    result = run(candles, Donchian(entry=5, exit=20), [break_of(29, 30)])
    assert [trade.entry_time_s for trade in result.trades] == [
        MONDAY_S + 6 * HOUR_S,
        MONDAY_S + 36 * HOUR_S,
    ]


# Longer candles


def test_a_candle_with_prices_of_both_sides_is_none():
    # The break is on the second of four days, at noon.
    days = make_candles(
        opens=[10, 10, 5_000, 5_000], closes=[10, 5_000, 5_000, 6_000], interval=Interval.DAY_1
    )
    noon = break_of(35, 36)
    result = run(days, BuyAndHold(), [noon], interval=Interval.DAY_1)
    assert result.equity_curve.open_time_s.tolist() == days.open_time_s[[0, 2, 3]].tolist()
    assert result.coverage.missing_candles == 1
    # Its hours exist: it is left out for its prices.
    assert result.coverage.missing_hours == 0
    assert result.breaks == (noon,)
    # The second part buys at the open of the fourth day.
    assert [trade.entry_price for trade in result.trades] == [5_000]
    assert result.metrics.total_return == pytest.approx(0.2)
    ignored = run(days, BuyAndHold(), [noon], replace(FREE, break_rule=IGNORE), interval=Interval.DAY_1)
    assert ignored.metrics.total_return == pytest.approx(599)
    # It is named all the same.
    assert (ignored.coverage.missing_candles, ignored.breaks) == (0, (noon,))


@pytest.mark.parametrize(
    ("before", "after", "kept"),
    [
        # Between two days.
        (23, 24, [0, 1, 2]),
        # A gap from within a day to the next one's first hour, or to one within it: both hold one side only.
        (20, 24, [0, 1, 2]),
        (20, 30, [0, 1, 2]),
        # From the first hour of a day to its last one, and to the next day.
        (24, 47, [0, 2]),
        (24, 48, [0, 1, 2]),
        # Two hours that follow each other within a day.
        (24, 25, [0, 2]),
        (46, 47, [0, 2]),
    ],
)
def test_which_days_hold_prices_of_both_sides(before, after, kept):
    days = make_candles([10.0] * 3, interval=Interval.DAY_1)
    result = run(days, Scripted(), [break_of(before, after)], interval=Interval.DAY_1)
    assert result.equity_curve.open_time_s.tolist() == days.open_time_s[kept].tolist()


def test_columns_that_are_not_read_may_be_empty():
    days = make_candles(opens=[10, 10, 5_000, 5_000], interval=Interval.DAY_1)
    few = replace(days, high=np.empty(0), low=np.empty(0), volume=np.empty(0))
    figures = [
        TradedWindow(
            History(candles, (break_of(30, 31),)), Interval.DAY_1, all_of(days, Interval.DAY_1), FREE
        )
        .metrics(BuyAndHold())
        .tobytes()
        for candles in (days, few)
    ]
    assert figures[0] == figures[1]


# Holding


def test_holding_is_compounded_over_the_parts():
    # From 10 to 25, and from 30,000 to 60,000.
    assert run(RELISTED, Scripted(), [RELISTING]).metrics.buy_and_hold_return == pytest.approx(2.5 * 2 - 1)
    at_close = replace(FREE, fill_time=FillTime.SAME_CLOSE)
    result = run(RELISTED, Scripted(), [RELISTING], at_close)
    assert result.metrics.buy_and_hold_return == pytest.approx(2.5 * 2 - 1)


def test_a_part_of_one_candle_has_nothing_to_hold():
    single = break_of(100, 101)
    result = run(RELISTED, Scripted(), [RELISTING, single])
    assert result.metrics.buy_and_hold_return == pytest.approx(2.5 * (60_000 / 30_000) - 1)
    every = [break_of(0, 1), break_of(1, 2)]
    assert run(make_candles([1.0, 2, 3]), Scripted(), every).metrics.buy_and_hold_return is None


# Parts apart


def test_split_reports_each_part_as_a_backtest_of_its_own():
    rng = np.random.default_rng(4)
    closes = 100 * np.exp(np.cumsum(rng.normal(0, 0.02, 300)))
    closes[120:] *= 1e5
    candles = make_candles(closes)
    execution = Execution(direction=Direction.LONG_SHORT, break_rule=SPLIT)
    window = Window(MONDAY_S + 40 * HOUR_S, MONDAY_S + 280 * HOUR_S)
    breaks = [break_of(119, 120), break_of(199, 200)]
    result = run(candles, Rsi(5), breaks, execution, window)
    closed = run(candles, Rsi(5), breaks, replace(execution, break_rule=BreakRule.CLOSE), window)
    assert (result.metrics, result.trades) == (closed.metrics, closed.trades)
    edges = [40, 120, 200, 280]
    assert len(result.parts) == 3
    for part, first, end in zip(result.parts, edges, edges[1:], strict=False):
        alone = Window(MONDAY_S + first * HOUR_S, MONDAY_S + end * HOUR_S)
        assert part.metrics == run(candles, Rsi(5), breaks, execution, alone).metrics
        assert (part.first_candle_s, part.last_candle_s) == (alone.start_s, alone.end_s - HOUR_S)


def test_a_window_without_a_break_has_no_parts():
    assert run(RELISTED, BuyAndHold(), [], replace(FREE, break_rule=SPLIT)).parts == ()


# What was seen


def luna_like():
    """Return a crash hour by hour, and after two weeks a new coin at 100,000 times the price."""
    crash = [80.0 * 0.9**hour for hour in range(100)]
    relisted = [crash[-1] * 1e5 * (1 - 0.001 * hour) for hour in range(100)]
    rows = [(price, price, price * 0.9, price * 0.9) for price in crash]
    rows += [(price, price, price * 0.999, price * 0.999) for price in relisted]
    return candles_of(*rows, at=[*range(100), *range(436, 536)]), crash, relisted


def test_a_relisted_coin_gives_no_gain():
    candles, crash, relisted = luna_like()
    result = run(candles, BuyAndHold(), [break_of(99, 436)])
    expected = (crash[-1] * 0.9 / crash[1]) * (relisted[-1] * 0.999 / relisted[1])
    assert expected < 1e-4
    assert result.metrics.total_return == pytest.approx(expected - 1)
    assert result.metrics.buy_and_hold_return == pytest.approx(expected - 1)
    assert max(result.equity_curve.equity) == 1_000


def test_ignored_a_relisting_gives_the_gain_that_nobody_had():
    candles, crash, relisted = luna_like()
    ignored = run(candles, BuyAndHold(), [break_of(99, 436)], replace(FREE, break_rule=IGNORE))
    assert ignored.metrics.total_return == pytest.approx(relisted[-1] * 0.999 / crash[1] - 1)
    assert ignored.metrics.total_return > 1.9
    unbroken = run(candles, BuyAndHold(), [])
    assert ignored.metrics == unbroken.metrics
    assert ignored.trades == unbroken.trades


def test_a_crash_is_no_break_to_a_backtest():
    candles, crash, _ = luna_like()
    result = run(candles[:100], BuyAndHold(), [])
    assert (result.breaks, result.trades[0].open) == ((), True)
    assert result.metrics.total_return == pytest.approx(crash[-1] * 0.9 / crash[1] - 1)


def test_many_strategies_on_a_broken_window_are_their_single_backtests():
    rng = np.random.default_rng(5)
    candles = make_candles(100 * np.exp(np.cumsum(rng.normal(0, 0.02, 300))))
    history = History(candles, (break_of(99, 100), break_of(150, 151)))
    window = Window(MONDAY_S + 20 * HOUR_S, MONDAY_S + 290 * HOUR_S)
    together = TradedWindow(history, Interval.HOUR_1, window, Execution())
    for strategy in (Rsi(3), Rsi(9), Rsi(3), MaCross(2, 9)):
        alone = run_backtest(history, Backtest(strategy, Interval.HOUR_1, window, Execution()))
        assert metrics_of(together.metrics(strategy)) == alone.metrics
