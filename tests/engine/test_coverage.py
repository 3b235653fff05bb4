"""Coverage: which candles of the window the data has."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backcast_engine import Backtest, Window, run_backtest
from backcast_engine.candles import Candles
from backcast_engine.errors import NotFound
from backcast_engine.history import History, PartialCandles
from backcast_engine.interval import Interval
from services.domain.aggregation import aggregate

from .inputs import FREE, MONDAY_S, Scripted, make_candles

DAY_S = 86_400


def coverage(at, start, end, interval=Interval.HOUR_1):
    """Return expected, missing and longest gap for candles at grid positions and a window between two."""
    candles = make_candles([10.0] * len(at), interval=interval, at=at)
    window = Window(
        round(MONDAY_S + start * interval.seconds),
        round(MONDAY_S + end * interval.seconds),
    )
    found = run_backtest(History(candles), Backtest(Scripted(), interval, window, FREE)).coverage
    assert found.missing_hours == found.missing_candles * interval.seconds // 3_600
    return found.expected_candles, found.missing_candles, found.longest_gap_candles


@pytest.mark.parametrize("interval", Interval)
@pytest.mark.parametrize(
    ("at", "start", "end", "expected"),
    [
        ([0, 1, 2, 3], 0, 4, (4, 0, 0)),
        ([0, 1, 3], 0, 4, (4, 1, 1)),
        ([0, 4, 6], 0, 7, (7, 4, 3)),
        # The edges count.
        ([3, 4, 6], 0, 7, (7, 4, 3)),
        ([0, 2, 3], 0, 9, (9, 6, 5)),
        ([5], 0, 10, (10, 9, 5)),
        ([0], 0, 1, (1, 0, 0)),
        # Candles outside of the window do not.
        ([0, 1, 2, 3, 9], 1, 4, (3, 0, 0)),
        ([0, 1, 9], 1, 5, (4, 3, 3)),
        # Off the grid: the first expected candle is the first that opens in the window.
        ([0, 1, 2, 3], 0.5, 3, (2, 0, 0)),
        ([0, 1, 2, 3], 1, 3.5, (3, 0, 0)),
        ([0, 1, 2, 3], 0.25, 1.25, (1, 0, 0)),
    ],
)
def test_coverage_counts_expected_and_missing_candles_and_the_longest_gap(interval, at, start, end, expected):
    assert coverage(at, start, end, interval) == expected


def test_coverage_contains_the_first_and_the_last_candle():
    candles = make_candles([10.0] * 4, at=[0, 2, 5, 9])
    window = Window(MONDAY_S + 3_600, MONDAY_S + 9 * 3_600)
    found = run_backtest(History(candles), Backtest(Scripted(), Interval.HOUR_1, window, FREE)).coverage
    assert (found.first_candle_s, found.last_candle_s) == (MONDAY_S + 2 * 3_600, MONDAY_S + 5 * 3_600)


def test_weeks_begin_on_mondays():
    candles = make_candles([10.0] * 3, interval=Interval.WEEK_1)
    # From Sunday to the Tuesday two weeks later: the Mondays at 0, 7 and 14 days.
    window = Window(MONDAY_S - DAY_S, MONDAY_S + 15 * DAY_S)
    found = run_backtest(History(candles), Backtest(Scripted(), Interval.WEEK_1, window, FREE)).coverage
    assert (found.expected_candles, found.missing_candles) == (3, 0)


@pytest.mark.parametrize(
    ("start", "end"),
    [(-5, 0), (10, 20), (4, 6), (2, 2), (2.25, 2.75), (3, 1)],
    ids=["before", "after", "in a gap", "empty", "between two", "backwards"],
)
def test_a_window_without_candles_is_refused(start, end):
    with pytest.raises(NotFound):
        coverage([0, 1, 2, 3, 6], start, end)


@pytest.mark.parametrize(
    ("at", "partial", "start", "end", "expected"),
    [
        ([0, 1, 2], [], 0, 3, 0),
        ([0, 2], [], 0, 3, 24),
        # A day that was made of two hours misses 22, in the window only.
        ([0, 1, 2], [(1, 2)], 0, 3, 22),
        ([0, 1, 2], [(0, 2), (2, 23)], 0, 3, 22 + 1),
        ([0, 1, 2], [(0, 2), (1, 23)], 1, 3, 1),
        ([0, 1, 2], [(0, 2), (2, 5)], 0, 2, 22),
        # The days at the edges that have no candle miss all of their hours.
        ([1], [(1, 20)], 0, 4, 3 * 24 + 4),
        # From the first day that opens in the window to the end of the last one.
        ([0, 1, 2], [(0, 2), (1, 3)], 0.5, 2.5, 21),
        ([0, 1, 2], [(2, 3)], 0.5, 2.5, 21),
    ],
)
def test_days_count_the_hours_that_they_miss(at, partial, start, end, expected):
    candles = make_candles([10.0] * len(at), interval=Interval.DAY_1, at=at)
    times = np.array([MONDAY_S + day * DAY_S for day, _ in partial], np.int64)
    made_of = PartialCandles(times, np.array([hours for _, hours in partial], np.int64))
    window = Window(round(MONDAY_S + start * DAY_S), round(MONDAY_S + end * DAY_S))
    history = History(candles, partial=made_of)
    found = run_backtest(history, Backtest(Scripted(), Interval.DAY_1, window, FREE)).coverage
    assert found.missing_hours == expected


@given(hours=st.sets(st.integers(0, 300), min_size=1), interval=st.sampled_from(Interval))
def test_missing_hours_are_those_without_an_hourly_candle(hours, interval):
    hourly = make_candles([10.0] * len(hours), at=sorted(hours))
    candles, made_of = aggregate(hourly, interval)
    few = made_of < interval.seconds // 3_600
    history = History(candles, partial=PartialCandles(candles.open_time_s[few], made_of[few]))
    end_s = interval.next_opening(MONDAY_S + 301 * 3_600)
    found = run_backtest(history, Backtest(Scripted(), interval, Window(MONDAY_S, end_s), FREE)).coverage
    assert found.missing_hours == (end_s - MONDAY_S) // 3_600 - len(hours)


def test_a_history_without_candles_is_refused():
    with pytest.raises(NotFound):
        run_backtest(
            History(Candles.empty()), Backtest(Scripted(), Interval.HOUR_1, Window(0, 10 * DAY_S), FREE)
        )
