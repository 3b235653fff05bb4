"""The future changes nothing: not the signals, not the trades, not the equity, not by one bit."""

import random
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, event, given, settings
from hypothesis import strategies as st

from backcast_engine import (
    STRATEGIES,
    Backtest,
    Detail,
    Direction,
    Distance,
    Execution,
    ExitReason,
    FillTime,
    VolatilityTarget,
    run_backtest,
)
from backcast_engine.breaks import Break
from backcast_engine.candles import Candles
from backcast_engine.errors import NotFound, Refused
from backcast_engine.history import History, PartialCandles
from backcast_engine.interval import Interval
from backcast_engine.rules import Evaluation
from backcast_engine.rules.nodes import CLOSE, HIGH, call
from backcast_engine.strategies.bollinger import Bollinger
from backcast_engine.strategies.buy_and_hold import BuyAndHold
from backcast_engine.strategies.custom_rules import CustomRules
from backcast_engine.strategies.ma_cross import MaCross, MovingAverageKind
from services.domain.aggregation import aggregate

from .inputs import all_of, make_candles, real_candles
from .random_inputs import PARAMETERS, executions, histories, trading_strategies, windows
from .rules.random_rules import series

pytestmark = pytest.mark.slow

HOUR = Interval.HOUR_1


def bits(column):
    return column.tobytes()


def assert_signals_agree(strategy, candles, other, length):
    """Compare the signals of two histories whose first `length` candles are the same."""
    ours, theirs = strategy.signals(Evaluation(candles)), strategy.signals(Evaluation(other))
    assert bits(ours.buy[:length]) == bits(theirs.buy[:length])
    assert bits(ours.sell[:length]) == bits(theirs.sell[:length])


def known_at(result, time_s):
    """Return the equity and the trades as far as they were known at the candle that opened at `time_s`.

    What a break closes at that candle's close is still open, as far as was known.
    """
    curve = result.equity_curve
    seen = curve.open_time_s <= time_s
    trades = []
    for trade in result.trades:
        if trade.entry_time_s > time_s:
            break
        closed_by_break = trade.exit_reason is ExitReason.BREAK and trade.exit_time_s == time_s
        if trade.open or trade.exit_time_s > time_s or closed_by_break:
            trades.append((trade.entry_time_s, trade.entry_price, trade.units))
        else:
            trades.append(trade)
    return bits(curve.equity[seen]), bits(curve.drawdown[seen]), trades


def assert_backtests_agree(strategy, candles, other, window, execution, last_s):
    ours = run_backtest(History(candles), Backtest(strategy, HOUR, window, execution, Detail.EQUITY))
    try:
        theirs = run_backtest(History(other), Backtest(strategy, HOUR, window, execution, Detail.EQUITY))
    except Refused:
        # A beginning that is shorter than an indicator: there was nothing to know yet.
        assert len(other) < 1 + strategy.lookback_candles
        return
    assert ours.warmup_candles == theirs.warmup_candles
    assert known_at(ours, last_s) == known_at(theirs, last_s)


def another_future(candles, length, seed):
    """Return the candles with other ones from index `length` on."""
    rng = np.random.default_rng(seed)
    factor = rng.uniform(0.01, 100, len(candles) - length)
    other = Candles(*(column.copy() for column in candles.columns()))
    for column in (other.open, other.high, other.low, other.close):
        column[length:] *= factor
    other.high[length:] *= rng.uniform(1, 2, len(factor))
    other.volume[length:] *= rng.uniform(0, 100, len(factor))
    return other


@st.composite
def cut_histories(draw):
    """Draw a history, a window in it, and how many candles are kept, at least one of the window."""
    candles = draw(histories(HOUR))
    window = draw(windows(candles, HOUR))
    first = int(np.searchsorted(candles.open_time_s, window.start_s))
    assume(first < len(candles) and candles.open_time_s[first] < window.end_s)
    return candles, window, draw(st.integers(first + 1, len(candles)))


@settings(max_examples=150)
@given(candles=histories(HOUR), expression=series(2), data=st.data())
def test_series_of_the_beginning_alone_are_the_beginning_of_the_series(candles, expression, data):
    length = data.draw(st.integers(1, len(candles)))
    whole, beginning = (Evaluation(part).series(expression) for part in (candles, candles[:length]))
    assert bits(whole[:length]) == bits(beginning)


@pytest.mark.parametrize("name", PARAMETERS)
@settings(max_examples=60)
@given(cut=cut_histories(), execution=executions(), data=st.data(), seed=st.integers(0, 2**32))
def test_trades_of_the_beginning_do_not_depend_on_the_future(name, cut, execution, data, seed):
    strategy = data.draw(PARAMETERS[name])
    candles, window, length = cut
    assume(len(candles) > strategy.lookback_candles)
    last_s = int(candles.open_time_s[length - 1])
    for other in (candles[:length], another_future(candles, length, seed)):
        assert_signals_agree(strategy, candles, other, length)
        try:
            assert_backtests_agree(strategy, candles, other, window, execution, last_s)
        except Refused:
            # The whole history is too short for the indicators; then every part of it is.
            with pytest.raises(Refused):
                run_backtest(History(other), Backtest(strategy, HOUR, window, execution))


@st.composite
def broken_hours(draw, repeats):
    """Draw hourly candles, `repeats` times after each other, and breaks between any, mostly with a gap."""
    drawn = draw(histories(HOUR))
    rng = random.Random(draw(st.integers(0, 2**32)))
    span = int(drawn.open_time_s[-1] - drawn.open_time_s[0]) + 3_600
    hours = Candles.concatenate(
        [replace(drawn, open_time_s=drawn.open_time_s + turn * span) for turn in range(repeats)]
    )
    count = min(draw(st.sampled_from([1, 2, 3, 0])), len(hours) - 1)
    behind = sorted(rng.sample(range(1, len(hours)), count))
    gaps = np.zeros(len(hours), np.int64)
    gaps[behind] = [3_600 * rng.choice([0, 5, 30, 300]) for _ in behind]
    times = hours.open_time_s + np.cumsum(gaps)
    breaks = tuple(
        Break(int(times[at - 1]), int(times[at]), float(hours.close[at - 1]), float(hours.open[at]))
        for at in behind
    )
    return replace(hours, open_time_s=times), breaks


def served(hours, breaks, interval):
    """Return the history that the hours make, of what the data service has when there are no others."""
    end_s = int(hours.open_time_s[-1]) + 3_600
    candles, made_of = aggregate(hours, interval)
    over = candles.open_time_s + interval.seconds <= end_s
    candles, made_of = candles.at(over), made_of[over]
    few = made_of < interval.seconds // 3_600
    return History(
        candles,
        tuple(each for each in breaks if each.after_s < end_s),
        PartialCandles(candles.open_time_s[few], made_of[few]),
    )


@pytest.mark.parametrize(
    ("interval", "repeats"), [(Interval.HOUR_1, 1), (Interval.HOUR_4, 2), (Interval.DAY_1, 10)]
)
@settings(max_examples=150)
@given(strategy=trading_strategies(), execution=executions(), data=st.data())
def test_hours_that_come_later_change_nothing(interval, repeats, strategy, execution, data):
    hours, breaks = data.draw(broken_hours(repeats))
    whole = served(hours, breaks, interval)
    part = served(hours[: data.draw(st.integers(1, len(hours)))], breaks, interval)
    assume(len(part.candles))
    window = data.draw(st.one_of(st.just(all_of(whole.candles, interval)), windows(whole.candles, interval)))
    # Ends within a candle, too.
    window = replace(window, end_s=window.end_s + data.draw(st.integers(0, interval.seconds)))
    last_s = int(part.candles.open_time_s[-1])
    try:
        theirs = run_backtest(part, Backtest(strategy, interval, window, execution, Detail.EQUITY))
        ours = run_backtest(whole, Backtest(strategy, interval, window, execution, Detail.EQUITY))
    except (NotFound, Refused):
        # There was nothing to know yet.
        return
    event(f"{len(ours.breaks)} breaks, of which {len(theirs.breaks)} were known")
    assert ours.warmup_candles == theirs.warmup_candles
    assert theirs.equity_curve.open_time_s[-1] <= last_s
    last_s = int(theirs.equity_curve.open_time_s[-1])
    assert known_at(ours, last_s) == known_at(theirs, last_s)
    assert ours.breaks[: len(theirs.breaks)] == theirs.breaks


def test_a_history_that_ends_right_before_a_break_trades_as_the_whole_one():
    candles = make_candles([10.0 + i % 7 for i in range(60)])
    breaks = (Break(int(candles.open_time_s[39]), int(candles.open_time_s[40]), 14.0, 15.0),)
    for execution in (Execution(), Execution(fill_time=FillTime.SAME_CLOSE)):
        whole, part = (
            run_backtest(history, Backtest(BuyAndHold(), HOUR, all_of(candles), execution, Detail.EQUITY))
            for history in (History(candles, breaks), History(candles[:40]))
        )
        last_s = int(candles.open_time_s[39])
        assert (whole.trades[0].exit_reason, part.trades[0].open) == (ExitReason.BREAK, True)
        assert known_at(whole, last_s) == known_at(part, last_s)


MIXED = Execution(
    slippage_bps=5.0,
    fill_time=FillTime.SAME_CLOSE,
    direction=Direction.LONG_SHORT,
    volatility_target=VolatilityTarget(0.8),
    stop_loss=Distance(fraction=0.05),
    take_profit=Distance(fraction=0.2),
    trailing_stop=Distance(atr_multiple=6.0),
    borrow_rate=0.1,
    funding_rate=0.2,
)


@pytest.mark.parametrize("execution", [Execution(), MIXED, replace(MIXED, fill_time=FillTime.NEXT_OPEN)])
@pytest.mark.parametrize(
    "strategy",
    [
        *(strategy() for name, strategy in STRATEGIES.items() if name != "rules"),
        MaCross(kind=MovingAverageKind.EMA),
        CustomRules(
            call("crosses_above", CLOSE, call("shift", call("highest", HIGH, 30), 1)),
            call("stddev", call("roc", CLOSE, 3), 40) > 2,
        ),
    ],
    ids=lambda strategy: strategy.name,
)
def test_results_of_real_candles_do_not_depend_on_later_ones(strategy, execution):
    candles = real_candles("BTCUSDT")[:6_000]
    window = all_of(candles)
    for length in (201, 4_999, 5_000, 5_019, 5_999):
        last_s = int(candles.open_time_s[length - 1])
        for other in (candles[:length], another_future(candles, length, length)):
            assert_signals_agree(strategy, candles, other, length)
            assert_backtests_agree(strategy, candles, other, window, execution, last_s)


@settings(max_examples=50)
@given(candles=histories(HOUR), execution=executions(), data=st.data())
def test_the_history_before_the_warmup_has_no_say(candles, execution, data):
    strategy = Bollinger(period=5)
    # Stops in average true ranges and volatilities have a warm-up of their own.
    execution = replace(
        execution, stop_loss=None, take_profit=None, trailing_stop=None, volatility_target=None
    )
    window = data.draw(windows(candles, HOUR))
    first = int(np.searchsorted(candles.open_time_s, window.start_s))
    assume(4 < first < len(candles) and candles.open_time_s[first] < window.end_s)
    whole = run_backtest(History(candles), Backtest(strategy, HOUR, window, execution, Detail.EQUITY))
    from_warmup = run_backtest(
        History(candles[first - 4 :]), Backtest(strategy, HOUR, window, execution, Detail.EQUITY)
    )
    assert bits(whole.equity_curve.equity) == bits(from_warmup.equity_curve.equity)
    assert whole.warmup_candles == from_warmup.warmup_candles == 4
