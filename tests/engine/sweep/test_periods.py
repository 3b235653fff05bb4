"""Windows cut into train and test: together they are the window, and no candle is in two parts."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backcast_engine import Window
from backcast_engine.errors import InvalidInput
from backcast_engine.interval import Interval
from backcast_engine.sweep import Fold, split_window, walk_forward
from tests.engine.inputs import MONDAY_S

DAY_S = 86_400
WINDOWS = st.builds(
    lambda start, length: Window(start, start + length),
    st.integers(MONDAY_S - 10**6, MONDAY_S + 10**6),
    st.integers(1, 10**7),
)


def test_seventy_per_cent_of_ten_days_are_seven_days() -> None:
    window = Window(MONDAY_S, MONDAY_S + 10 * DAY_S)
    cut_s = MONDAY_S + 7 * DAY_S
    assert split_window(window, Interval.HOUR_1, 0.7) == Fold(
        Window(window.start_s, cut_s), Window(cut_s, window.end_s)
    )


def test_three_folds_of_forty_days_are_ten_days_each_and_roll() -> None:
    edges = [MONDAY_S + 10 * DAY_S * part for part in range(5)]
    window = Window(edges[0], edges[-1])
    assert walk_forward(window, Interval.DAY_1, 3) == [
        Fold(Window(edges[0], edges[1]), Window(edges[1], edges[2])),
        Fold(Window(edges[1], edges[2]), Window(edges[2], edges[3])),
        Fold(Window(edges[2], edges[3]), Window(edges[3], edges[4])),
    ]


@given(WINDOWS, st.sampled_from(Interval), st.floats(0.01, 0.99))
def test_a_split_is_on_the_grid_and_has_candles_on_both_sides(window, interval, fraction) -> None:
    try:
        fold = split_window(window, interval, fraction)
    except InvalidInput:
        # Refused only where the cut is next to an edge: within a candle of it.
        passed = (window.end_s - window.start_s) * min(fraction, 1 - fraction)
        assert passed <= 2 * interval.seconds
        return
    assert fold.test is not None
    assert (fold.train.start_s, fold.train.end_s) == (window.start_s, fold.test.start_s)
    assert fold.test.end_s == window.end_s
    assert interval.opening(fold.test.start_s) == fold.test.start_s
    for part in (fold.train, fold.test):
        assert interval.next_opening(part.start_s) < part.end_s


@given(WINDOWS, st.sampled_from(Interval), st.integers(1, 20))
def test_folds_follow_each_other_and_are_equally_long(window, interval, folds) -> None:
    try:
        made = walk_forward(window, interval, folds)
    except InvalidInput:
        assert (window.end_s - window.start_s) / (folds + 1) < 2 * interval.seconds
        return
    assert len(made) == folds
    parts = [made[0].train, *(fold.test for fold in made)]
    assert [fold.train for fold in made] == parts[:-1]
    assert (parts[0].start_s, parts[-1].end_s) == (window.start_s, window.end_s)
    for part, after in pairwise(parts):
        assert part.end_s == after.start_s == interval.opening(after.start_s)
    counts = [
        (interval.next_opening(part.end_s) - interval.next_opening(part.start_s)) // interval.seconds
        for part in parts
    ]
    assert min(counts) >= 1
    assert max(counts) - min(counts) <= 2


@pytest.mark.parametrize("fraction", [0.0, 1.0, -0.5, float("nan"), float("inf")])
def test_a_split_is_a_fraction(fraction: float) -> None:
    with pytest.raises(InvalidInput, match="split: must be above 0 and below 1"):
        split_window(Window(MONDAY_S, MONDAY_S + DAY_S), Interval.HOUR_1, fraction)


@pytest.mark.parametrize("folds", [0, -1, 101])
def test_folds_are_one_to_a_hundred(folds: int) -> None:
    with pytest.raises(InvalidInput, match="fold_count: must be from 1 to 100"):
        walk_forward(Window(MONDAY_S, MONDAY_S + DAY_S), Interval.HOUR_1, folds)


def test_a_window_that_is_too_short_says_how_many_candles_it_has() -> None:
    window = Window(MONDAY_S, MONDAY_S + 5 * 3600)
    with pytest.raises(InvalidInput, match="fold_count: the window has room for 5 candles, which 6 parts"):
        walk_forward(window, Interval.HOUR_1, 5)
    with pytest.raises(InvalidInput, match="split: the window has room for 5 candles: one side"):
        split_window(window, Interval.HOUR_1, 0.99)
