"""All cryptos together: what is undefined does not count, and what no float64 holds is undefined."""

import numpy as np

from services.gateway.statistics import mean_and_median

NAN = np.nan


def test_means_and_medians_of_what_is_defined() -> None:
    mean, median = mean_and_median(np.array([[1.0, NAN, 5.0], [3.0, NAN, NAN], [8.0, NAN, 6.0]]))
    assert mean == [4, None, 5.5]
    assert median == [3, None, 5.5]


def test_what_is_beyond_a_float64_is_undefined() -> None:
    mean, median = mean_and_median(np.array([[1.5e308, 1.0], [1.5e308, 2.0]]))
    assert mean == [None, 1.5]
    assert median[1] == 1.5
