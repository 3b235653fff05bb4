"""The future changes nothing: not the signals, not the trades, not the equity, not by one bit."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from services.compute.engine import Detail, Execution, run_backtest
from services.compute.engine.indicators import bollinger_bands, ema, rsi, sma
from services.compute.engine.strategies.bollinger import Bollinger
from services.compute.engine.strategies.ma_cross import MaCross, MovingAverageKind
from services.compute.engine.strategies.rsi import Rsi
from services.shared.candles import Candles
from services.shared.interval import Interval

from .inputs import executions, histories, periods, real_candles, trading_strategies, windows

HOUR = Interval.HOUR_1


def bits(column):
    return column.tobytes()


def lower_band(close, period):
    return bollinger_bands(close, period, 2.0)[0]


def upper_band(close, period):
    return bollinger_bands(close, period, 2.0)[2]


def assert_signals_agree(strategy, candles, other, length):
    """Compare the signals of two histories whose first `length` candles are the same."""
    ours, theirs = strategy.signals(candles), strategy.signals(other)
    assert bits(ours.buy[:length]) == bits(theirs.buy[:length])
    assert bits(ours.sell[:length]) == bits(theirs.sell[:length])


def known_at(result, time_s):
    """Return the equity and the trades as far as they were known at the candle that opened at `time_s`."""
    curve = result.equity_curve
    trades = []
    for trade in result.trades:
        if trade.entry_time_s > time_s:
            break
        if trade.open or trade.exit_time_s > time_s:
            trades.append((trade.entry_time_s, trade.entry_price, trade.units))
        else:
            trades.append(trade)
    return bits(curve.equity[curve.open_time_s <= time_s]), trades


def assert_backtests_agree(strategy, candles, other, window, execution, last_s):
    ours = run_backtest(candles, strategy, HOUR, window, execution, Detail.EQUITY)
    theirs = run_backtest(other, strategy, HOUR, window, execution, Detail.EQUITY)
    assert ours.warmup_candles == theirs.warmup_candles
    assert known_at(ours, last_s) == known_at(theirs, last_s)


@st.composite
def cut_histories(draw):
    """Draw a history, a window in it, and how many candles are kept, at least one of the window."""
    candles = draw(histories(HOUR))
    window = draw(windows(candles, HOUR))
    first = int(np.searchsorted(candles.open_time_s, window.start_s))
    assume(first < len(candles) and candles.open_time_s[first] < window.end_s)
    return candles, window, draw(st.integers(first + 1, len(candles)))


@settings(deadline=None, max_examples=200)
@given(candles=histories(HOUR), period=periods(2), data=st.data())
def test_indicators_of_the_beginning_alone(candles, period, data):
    length = data.draw(st.integers(1, len(candles)))
    for indicator in (rsi, sma, ema, lower_band, upper_band):
        whole, beginning = indicator(candles.close, period), indicator(candles.close[:length], period)
        assert bits(whole[:length]) == bits(beginning)


@settings(deadline=None, max_examples=200)
@given(cut=cut_histories(), strategy=trading_strategies(), execution=executions())
def test_the_beginning_alone_gives_the_beginning(cut, strategy, execution):
    candles, window, length = cut
    beginning = candles[:length]
    assert_signals_agree(strategy, candles, beginning, length)
    last_s = int(candles.open_time_s[length - 1])
    assert_backtests_agree(strategy, candles, beginning, window, execution, last_s)


@settings(deadline=None, max_examples=200)
@given(cut=cut_histories(), strategy=trading_strategies(), execution=executions(), seed=st.integers(0, 2**32))
def test_another_future_leaves_the_past_alone(cut, strategy, execution, seed):
    candles, window, length = cut
    other = Candles(*(column.copy() for column in candles.columns()))
    rng = np.random.default_rng(seed)
    for column in (other.open, other.high, other.low, other.close, other.volume):
        column[length:] *= rng.uniform(0.01, 100, len(candles) - length)
    assert_signals_agree(strategy, candles, other, length)
    last_s = int(candles.open_time_s[length - 1])
    assert_backtests_agree(strategy, candles, other, window, execution, last_s)


@pytest.mark.parametrize(
    "strategy", [Rsi(), MaCross(), MaCross(kind=MovingAverageKind.EMA), Bollinger()], ids=repr
)
def test_real_candles(strategy):
    candles = real_candles("BTCUSDT")[:6_000]
    for length in (1, 21, 4_999, 5_000, 5_019, 5_999):
        assert_signals_agree(strategy, candles, candles[:length], length)


@settings(deadline=None, max_examples=50)
@given(candles=histories(HOUR), data=st.data())
def test_the_history_before_the_warmup_has_no_say(candles, data):
    strategy = Bollinger(period=5)
    window = data.draw(windows(candles, HOUR))
    first = int(np.searchsorted(candles.open_time_s, window.start_s))
    assume(4 < first < len(candles) and candles.open_time_s[first] < window.end_s)
    whole = run_backtest(candles, strategy, HOUR, window, Execution(), Detail.EQUITY)
    from_warmup = run_backtest(candles[first - 4 :], strategy, HOUR, window, Execution(), Detail.EQUITY)
    assert bits(whole.equity_curve.equity) == bits(from_warmup.equity_curve.equity)
    assert whole.warmup_candles == from_warmup.warmup_candles == 4
