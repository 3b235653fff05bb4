"""The files that contradict each other are those that a comparison of all pairs finds."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backcast_engine.candles import Candles
from services.ingest.file_comparison import file_conflicts

_files = st.lists(st.dictionaries(st.integers(0, 12), st.sampled_from([1.0, 2.0, 3.0])), max_size=5)


def _candles(prices: dict[int, float]) -> Candles:
    hours = np.array(sorted(prices), np.int64)
    column = np.array([prices[hour] for hour in hours.tolist()], np.float64)
    return Candles(hours * 3600, column, column, column, column, np.ones(len(hours)))


@given(_files)
def test_each_file_is_named_with_its_first_other_value(files: list[dict[int, float]]) -> None:
    conflicts = file_conflicts([_candles(prices) for prices in files])
    for place, prices in enumerate(files):
        others = {
            hour: {other for other in range(len(files)) if files[other].get(hour, price) != price}
            for hour, price in sorted(prices.items())
        }
        hours = [hour for hour, those in others.items() if those]
        assert (place in conflicts) == bool(hours)
        if hours:
            conflict = conflicts[place]
            at_hour = hours[0]
            assert (conflict.first_s, conflict.hours) == (at_hour * 3600, len(hours))
            assert conflict.other in others[at_hour]
            assert (conflict.field, conflict.value, conflict.other_value) == (
                "open",
                prices[at_hour],
                files[conflict.other][at_hour],
            )


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ((5, 6, 4, 5, 2), ("volume", 1, 2)),
        ((5, 9, 4, 5, 2), ("high", 6, 9)),
        # The low differs by a larger factor.
        ((5, 9, 2, 5, 1), ("low", 4, 2)),
        ((5, 6, 4, 4.5, 1), ("close", 5, 4.5)),
    ],
)
def test_the_value_that_differs_most_is_reported(
    values: tuple[float, ...], expected: tuple[str, float, float]
) -> None:
    here, there = (
        Candles(np.array([3600]), *(np.array([value], np.float64) for value in each))
        for each in ((5, 6, 4, 5, 1), values)
    )
    conflict = file_conflicts([here, there])[0]
    assert (conflict.field, conflict.value, conflict.other_value) == expected
