"""A short history gives the result of the whole one, bit by bit, or asks for it."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from backcast_engine import Backtest, Detail, Execution, Window, backtest_series, run_backtest
from backcast_engine.errors import BackcastError, ErrorReason, NotFound, Refused
from backcast_engine.history import History, HistoryTooShort
from backcast_engine.interval import Interval
from backcast_engine.strategies.buy_and_hold import BuyAndHold
from backcast_engine.strategies.ma_cross import MaCross
from backcast_engine.strategies.rsi import Rsi
from backcast_engine.times import EARLIEST_S
from tests.candle_making import random_candles

from .random_inputs import broken_histories, executions, trading_strategies, windows

CANDLES = random_candles(3, 1500)
INTERVAL = Interval.HOUR_1


def since(history: History, since_s: int) -> History:
    """Return the candles of a history that open from a time on."""
    first = int(np.searchsorted(history.candles.open_time_s, since_s))
    return replace(history, candles=history.candles[first:], since_s=since_s)


def outcome(history: History, backtest: Backtest) -> tuple[object, ...]:
    """Return all of a result by its bits, or its error in words."""
    try:
        result = run_backtest(history, backtest)
        series = backtest_series(history, backtest)
    except BackcastError as error:
        return type(error), str(error)
    curve = result.equity_curve
    assert curve is not None
    return (
        repr(replace(result, equity_curve=None)),
        *(column.tobytes() for column in (curve.open_time_s, curve.equity, curve.drawdown)),
        series.open_time_s.tobytes(),
        series.values.tobytes(),
    )


@pytest.mark.slow
@settings(max_examples=400)
@given(st.data())
def test_a_short_history_gives_the_result_of_the_whole_one_or_asks_for_it(data: st.DataObject) -> None:
    interval = data.draw(st.sampled_from([Interval.HOUR_1, Interval.HOUR_4, Interval.WEEK_1]))
    history = data.draw(broken_histories(interval))
    backtest = Backtest(
        data.draw(trading_strategies()),
        interval,
        data.draw(windows(history.candles, interval)),
        data.draw(executions()),
        Detail.EQUITY,
    )
    since_s = interval.opening(backtest.window.start_s) - data.draw(st.integers(-1, 200)) * interval.seconds
    try:
        found = outcome(since(history, since_s), backtest)
    except HistoryTooShort:
        event("asked for the whole history")
        return
    event("error" if isinstance(found[0], type) else "result")
    assert found == outcome(history, backtest)


@pytest.mark.parametrize("strategy", [Rsi(), MaCross(20, 100)])
def test_a_history_with_few_gaps_is_never_too_short(strategy: Rsi | MaCross) -> None:
    end_s = int(CANDLES.open_time_s[-1]) + 3600
    backtest = Backtest(strategy, INTERVAL, Window(end_s - 3600 * 50, end_s), Execution())
    there = np.ones(len(CANDLES), np.bool_)
    there[-600:-100] = False
    whole = History(CANDLES.at(there))
    assert int(CANDLES.open_time_s[0]) < backtest.since_s
    assert repr(run_backtest(since(whole, backtest.since_s), backtest)) == repr(run_backtest(whole, backtest))


def test_a_history_that_begins_with_the_warmup_is_long_enough() -> None:
    start_s = int(CANDLES.open_time_s[1000])
    backtest = Backtest(MaCross(20, 100), INTERVAL, Window(start_s, start_s + 3600 * 50), Execution())
    warmup_s = 3600 * 128
    whole = run_backtest(History(CANDLES), backtest)
    assert whole.warmup_candles == 128
    assert repr(run_backtest(since(History(CANDLES), start_s - warmup_s), backtest)) == repr(whole)
    for late_s in (3600, warmup_s, warmup_s + 3600):
        with pytest.raises(HistoryTooShort):
            run_backtest(since(History(CANDLES), start_s - warmup_s + late_s), backtest)


def test_a_history_that_begins_within_the_window_is_too_short_even_without_a_warmup() -> None:
    start_s = int(CANDLES.open_time_s[1000])
    backtest = Backtest(BuyAndHold(), INTERVAL, Window(start_s, start_s + 3600 * 50), Execution())
    whole = run_backtest(History(CANDLES), backtest)
    assert whole.warmup_candles == 0
    assert repr(run_backtest(since(History(CANDLES), start_s), backtest)) == repr(whole)
    with pytest.raises(HistoryTooShort):
        run_backtest(since(History(CANDLES), start_s + 3600), backtest)


@pytest.mark.parametrize(
    ("start", "hours", "reason"),
    [(1500, 5, ErrorReason.NO_CANDLES_IN_WINDOW), (0, 2, ErrorReason.TOO_FEW_CANDLES)],
    ids=["a window after the data", "a window at its beginning"],
)
def test_only_the_whole_history_shows_that_there_are_too_few_candles(
    start: int, hours: int, reason: ErrorReason
) -> None:
    start_s = int(CANDLES.open_time_s[0]) + 3600 * start
    backtest = Backtest(Rsi(), INTERVAL, Window(start_s, start_s + 3600 * hours), Execution())
    with pytest.raises(HistoryTooShort):
        run_backtest(since(History(CANDLES), backtest.since_s), backtest)
    with pytest.raises((NotFound, Refused)) as raised:
        run_backtest(History(CANDLES), backtest)
    assert raised.value.reason is reason


def test_a_window_at_the_beginning_of_time_reads_all_there_is() -> None:
    window = Window(EARLIEST_S + 3600, EARLIEST_S + 7200)
    assert Backtest(Rsi(), INTERVAL, window, Execution()).since_s == EARLIEST_S
