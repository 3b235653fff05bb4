"""The table of a sweep: medians and means as a loop has them, and means over the folds."""

from statistics import fmean, median

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from services.compute.engine import METRIC_NAMES
from services.gateway.statistics import summarize_rows
from services.gateway.sweep_choice import best_combination
from services.gateway.sweep_table import Part, SweepTable

METRICS = len(METRIC_NAMES)
NAN = np.nan


@given(arrays(np.float64, (4, 7), elements=st.sampled_from([-1.5, 0.0, 0.25, 8.0, NAN])))
def test_rows_are_summarized_as_a_loop_does(values) -> None:
    summarized = summarize_rows(values)
    for row, middle, mean, count in zip(
        values, summarized.median, summarized.mean, summarized.count, strict=True
    ):
        defined = [value for value in row.tolist() if value == value]  # noqa: PLR0124  # not NaN
        assert count == len(defined)
        np.testing.assert_equal(middle, median(defined) if defined else NAN)
        np.testing.assert_allclose(mean, fmean(defined) if defined else NAN, rtol=1e-15)


def test_one_crypto_is_its_own_median() -> None:
    values = np.array([[3.0], [NAN]])
    np.testing.assert_equal(summarize_rows(values).median, [3.0, NAN])


def table_of(figures: np.ndarray, parts: int) -> SweepTable:
    """Make a table of figures of shape (cryptos, combinations, windows, metrics), put in as chunks of two."""
    cryptos, combinations, windows, _ = figures.shape
    table = SweepTable(combinations, windows, cryptos, parts)
    for crypto in reversed(range(cryptos)):
        for first in reversed(range(0, combinations, 2)):
            table.put(first, crypto, figures[crypto, first : first + 2])
    return table


def test_train_and_test_are_means_over_the_folds() -> None:
    figures = np.random.default_rng(3).normal(size=(4, 5, 6, METRICS))
    figures[1, 2, 4] = NAN
    table = table_of(figures, parts=2)
    for part in Part:
        means = figures[:, :, part::2].mean(axis=2)
        for crypto in range(4):
            for combination in range(5):
                np.testing.assert_array_equal(
                    table.trial(combination, crypto, part), means[crypto, combination]
                )
        across = table.across_cryptos(1, 5, part)
        np.testing.assert_allclose(across.median, np.nanmedian(means[:, 1:], axis=0), rtol=1e-15)
    # Undefined in one fold, it is undefined over all of them.
    assert table.across_cryptos(0, 5, Part.TRAIN).count[2, 0] == 3
    assert table.across_cryptos(0, 5, Part.TEST).count[2, 0] == 4


def test_a_window_that_is_not_cut_is_as_it_was_computed() -> None:
    figures = np.random.default_rng(4).normal(size=(2, 3, 1, METRICS))
    table = table_of(figures, parts=1)
    assert table.trial(2, 1, Part.TRAIN).tobytes() == figures[1, 2, 0].tobytes()
    np.testing.assert_array_equal(table.in_window("cagr", 0), figures[:, :, 0, METRIC_NAMES.index("cagr")].T)


@pytest.mark.parametrize(
    ("values", "smallest", "best"),
    [
        ([[1.0, 2.0], [5.0, 3.0], [4.0, 4.0]], False, 1),
        ([[1.0, 2.0], [5.0, 3.0], [0.0, 1.0]], True, 2),
        # Of four cryptos, one says too little, two say enough.
        ([[9.0, NAN, NAN, NAN], [1.0, 1.0, 1.0, 1.0], [2.0, 2.0, NAN, NAN]], False, 2),
        # A crypto without any figures does not count.
        ([[9.0, NAN, NAN], [1.0, 1.0, NAN]], False, 0),
        ([[NAN, NAN]], False, None),
    ],
)
def test_the_best_combination_is_that_of_the_best_median(values, smallest, best) -> None:
    assert best_combination(np.array(values), smallest_is_best=smallest) == best
