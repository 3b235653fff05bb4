"""The equity curve, its drawdown, fewer points of both, and the months, by hand and against naive loops."""

from datetime import UTC, datetime
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backcast_engine import MonthlyReturn
from backcast_engine.curves import FEWEST_POINTS, equity_curve, monthly_returns

from .inputs import HOUR_S, MONDAY_S
from .reference import figures

DAY_S = 24 * HOUR_S


def hours(n):
    return MONDAY_S + HOUR_S * np.arange(n, dtype=np.int64)


def days(*dates):
    return np.array([int(datetime(*date).replace(tzinfo=UTC).timestamp()) for date in dates], np.int64)


def equities():
    """Draw some equity: whole numbers, so that extremes come more than once, and from time to time zero."""
    return st.lists(st.integers(0, 60).map(float), min_size=1, max_size=120).map(np.array)


def test_a_drawdown_is_from_the_highest_equity_until_then():
    curve = equity_curve(hours(6), np.array([900.0, 1_200, 600, 1_200, 1_500, 1_350]), 1_000.0)
    # The capital is the first peak.
    assert curve.drawdown.tolist() == pytest.approx([0.1, 0, 0.5, 0, 0, 0.1])
    assert curve.open_time_s.tolist() == hours(6).tolist()


@given(equity=equities(), capital=st.integers(1, 50).map(float))
def test_drawdowns_are_those_of_a_naive_loop(equity, capital):
    found = equity_curve(hours(len(equity)), equity, capital).drawdown
    assert found.tolist() == figures.drawdowns_of(equity.tolist(), capital)


@given(equity=equities(), most=st.integers(FEWEST_POINTS, 60), capital=st.integers(1, 50).map(float))
def test_fewer_points_keep_the_ends_and_every_extreme(equity, most, capital):
    n = len(equity)
    whole = equity_curve(hours(n), equity, capital)
    few = equity_curve(hours(n), equity, capital, most)
    assert len(few.equity) <= min(most, n)
    if n <= most:
        assert few.equity.tolist() == whole.equity.tolist()
    # Points of the whole curve, in its order.
    places = ((few.open_time_s - MONDAY_S) // HOUR_S).tolist()
    assert all(earlier < later for earlier, later in pairwise(places))
    assert few.equity.tolist() == whole.equity[places].tolist()
    assert few.drawdown.tolist() == whole.drawdown[places].tolist()
    assert (places[0], places[-1]) == (0, n - 1)
    assert few.equity.max() == whole.equity.max()
    assert few.equity.min() == whole.equity.min()
    assert few.drawdown.max() == whole.drawdown.max()


def test_each_stretch_keeps_its_lowest_its_highest_and_its_deepest():
    # Ten stretches, each above the last, which dip to 1, rise to 80 and fall back to 40: the lowest equity
    # is not where the drawdown is deepest. 32 points have room for all of them.
    levels = 1_000.0 * np.arange(1, 11)
    stretch = np.full(100, 50.0)
    stretch[:10], stretch[10], stretch[20], stretch[30] = 5, 1, 80, 40
    equity = (levels[:, None] + stretch).ravel()
    found = equity_curve(hours(1_000), equity, 1_000.0, 32)
    assert set(found.equity) >= {level + value for level in levels for value in (1, 80, 40)}


def test_points_are_spread_over_the_whole_time():
    equity = 100.0 + np.arange(100_000) % 977
    found = equity_curve(hours(100_000), equity, 100.0, 500)
    assert 300 < len(found.equity) <= 500
    assert np.diff(found.open_time_s).max() <= 2 * 100_000 / 166 * HOUR_S


def test_the_curve_owns_what_it_shows():
    equity, times = np.array([1.0, 2, 3]), hours(3)
    curve = equity_curve(times, equity, 1.0)
    curve.equity[:], curve.open_time_s[:] = 0, 0
    assert equity.tolist() == [1, 2, 3]
    assert times[0] == MONDAY_S


def test_months_have_the_returns_between_their_last_closes():
    times = days((2023, 12, 30), (2023, 12, 31, 23), (2024, 1, 1), (2024, 1, 31, 23), (2024, 3, 5))
    equity = np.array([1_100.0, 1_200, 1_500, 900, 1_800])
    # February has no candles; March is from January's last close.
    assert monthly_returns(times, equity, 1_000.0) == (
        MonthlyReturn(2023, 12, pytest.approx(0.2)),
        MonthlyReturn(2024, 1, pytest.approx(-0.25)),
        MonthlyReturn(2024, 3, pytest.approx(1.0)),
    )


def test_a_month_after_ruin_has_no_return():
    times = days((1969, 12, 31), (1970, 1, 1), (1970, 2, 1))
    assert monthly_returns(times, np.array([500.0, 0, 0]), 1_000.0) == (
        MonthlyReturn(1969, 12, -0.5),
        MonthlyReturn(1970, 1, -1.0),
        MonthlyReturn(1970, 2, None),
    )


@given(equity=equities(), start=st.integers(-(10**9), 4 * 10**9), step=st.integers(1, 70))
def test_months_are_those_of_a_naive_loop(equity, start, step):
    times = start + DAY_S * step * np.arange(len(equity), dtype=np.int64)
    found = [(m.year, m.month, m.return_fraction) for m in monthly_returns(times, equity, 7.0)]
    assert found == figures.months_of(times.tolist(), equity.tolist(), 7.0)
    growth = np.prod([1 + (fraction or 0.0) for *_, fraction in found])
    assert 7.0 * growth == pytest.approx(equity[-1]) or 0 in equity
