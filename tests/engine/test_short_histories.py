"""A short history gives the result of the whole one, bit by bit, or asks for it."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from services.domain.errors import BackcastError, ErrorReason, NotFound, Refused
from services.domain.history import History, HistoryTooShort
from services.domain.interval import Interval
from services.domain.times import EARLIEST_S
from services.engine import Backtest, Detail, Execution, Window, backtest_series, run_backtest
from services.engine.strategies.ma_cross import MaCross
from services.engine.strategies.rsi import Rsi
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
    try:
        found = outcome(since(history, backtest.since_s), backtest)
    except HistoryTooShort:
        event("asked for the whole history")
        return
    event("error" if isinstance(found[0], type) else "result")
    assert found == outcome(history, backtest)


def test_a_history_without_gaps_is_never_too_short() -> None:
    first_s, end_s = int(CANDLES.open_time_s[0]), int(CANDLES.open_time_s[-1]) + 3600
    for strategy in (Rsi(), MaCross(20, 100)):
        backtest = Backtest(strategy, INTERVAL, Window(end_s - 3600 * 50, end_s), Execution())
        assert first_s < backtest.since_s < end_s - 3600 * 50
        short = since(History(CANDLES), backtest.since_s)
        assert repr(run_backtest(short, backtest)) == repr(run_backtest(History(CANDLES), backtest))
        with pytest.raises(HistoryTooShort):
            run_backtest(since(History(CANDLES), backtest.since_s + 3600), backtest)


@pytest.mark.parametrize(("hours", "error"), [(-5, NotFound), (2, Refused)])
def test_only_the_whole_history_tells_what_there_is_too_little_of(
    hours: int, error: type[BackcastError]
) -> None:
    """Of a window after the data, and of one that is shorter than an indicator after a long gap."""
    start_s = int(CANDLES.open_time_s[-1]) + 3600
    if error is Refused:
        start_s = int(CANDLES.open_time_s[0])
    window = Window(start_s, start_s + 3600 * abs(hours))
    backtest = Backtest(Rsi(), INTERVAL, window, Execution())
    with pytest.raises(HistoryTooShort):
        run_backtest(since(History(CANDLES), backtest.since_s), backtest)
    with pytest.raises(error) as raised:
        run_backtest(History(CANDLES), backtest)
    assert raised.value.reason in (ErrorReason.NO_CANDLES_IN_WINDOW, ErrorReason.TOO_FEW_CANDLES)


def test_a_window_at_the_beginning_of_time_reads_all_there_is() -> None:
    window = Window(EARLIEST_S + 3600, EARLIEST_S + 7200)
    assert Backtest(Rsi(), INTERVAL, window, Execution()).since_s == EARLIEST_S
