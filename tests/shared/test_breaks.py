"""A break is a long gap and another magnitude: neither alone is one."""

import numpy as np
import pytest

from services.shared.breaks import Break, find_breaks
from services.shared.candles import Candles
from services.shared.interval import Interval

HOUR_S = 3600


def _candles(hours: list[int], open_: list[float], close: list[float]) -> Candles:
    none = np.empty(0)
    return Candles(np.array(hours) * HOUR_S, np.array(open_), none, none, np.array(close), none)


@pytest.mark.parametrize(
    ("hours", "before", "after", "is_break"),
    [
        (25, 2.5, 25.0, True),
        (25, 25.0, 2.5, True),
        (24, 2.5, 25.0, False),
        (1, 2.5, 25.0, False),
        (25, 2.5, 24.9, False),
        (25, 25.0, 2.6, False),
        (9000, 1e-300, 1e300, True),
        (9000, 1e300, 1e-300, True),
    ],
)
def test_what_is_a_break(hours: int, before: float, after: float, is_break: bool) -> None:
    candles = _candles([10, 10 + hours], [7.0, after], [before, 7.0])
    expected = [Break(10 * HOUR_S, (10 + hours) * HOUR_S, before, after)] if is_break else []
    assert find_breaks(candles, Interval.HOUR_1) == expected


def test_breaks_are_in_order_of_time() -> None:
    candles = _candles([0, 100, 101, 200], [1, 10, 10, 1], [1, 10, 10, 1])
    assert [each.after_s // HOUR_S for each in find_breaks(candles, Interval.HOUR_1)] == [100, 200]


def test_the_shortest_histories_have_none() -> None:
    for count in (0, 1):
        assert find_breaks(_candles([5] * count, [1] * count, [1] * count), Interval.HOUR_1) == []
