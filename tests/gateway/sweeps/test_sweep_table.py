"""The table of a sweep: medians and means as a loop has them, and means over the folds."""

from statistics import fmean, median

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from backcast_engine import METRIC_NAMES
from services.gateway.runs.statistics import summarize_rows
from services.gateway.sweeps.selection_bias import best_combination
from services.gateway.sweeps.table import FoldWindow, SweepTable

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
            part = figures[crypto, first : first + 2]
            table.put(first, crypto, part, np.empty((len(part), 0), np.float32))
    return table


def test_train_and_test_are_means_over_the_folds() -> None:
    figures = np.random.default_rng(3).normal(size=(4, 5, 6, METRICS))
    figures[1, 2, 4] = NAN
    table = table_of(figures, parts=2)
    for part in FoldWindow:
        means = figures[:, :, part::2].mean(axis=2)
        for crypto in range(4):
            for combination in range(5):
                np.testing.assert_array_equal(
                    table.trial(combination, crypto, part), means[crypto, combination]
                )
        across = table.across_cryptos(1, 5, part)
        np.testing.assert_allclose(across.median, np.nanmedian(means[:, 1:], axis=0), rtol=1e-15)
    # Undefined in one fold, it is undefined over all of them.
    assert table.across_cryptos(0, 5, FoldWindow.TRAIN).count[2, 0] == 3
    assert table.across_cryptos(0, 5, FoldWindow.TEST).count[2, 0] == 4


def test_a_window_that_is_not_cut_is_as_it_was_computed() -> None:
    figures = np.random.default_rng(4).normal(size=(2, 3, 1, METRICS))
    table = table_of(figures, parts=1)
    assert table.trial(2, 1, FoldWindow.TRAIN).tobytes() == figures[1, 2, 0].tobytes()
    np.testing.assert_array_equal(
        table.counted_in_window("cagr", 0), figures[:, :, 0, METRIC_NAMES.index("cagr")].T
    )


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
    trades = np.ones_like(np.array(values))
    found = best_combination(np.array(values), trades, min_trades=1, smallest_is_best=smallest)
    assert found == best


@pytest.mark.parametrize(("min_trades", "best"), [(0, 0), (1, 1), (2, 2), (3, 2), (4, None)])
def test_combinations_with_fewer_trades_are_not_chosen(min_trades: int, best: int | None) -> None:
    values = np.array([[0.9, 0.9, 0.9], [0.5, 0.5, 0.5], [0.1, 0.1, 0.1], [0.8, NAN, NAN]])
    # Medians of 0, 1 and 3 trades; the last one failed on two cryptos.
    trades = np.array([[0, 0, 9], [0, 1, 9], [3, 3, 3], [9, NAN, NAN]])
    assert best_combination(values, trades, min_trades=min_trades, smallest_is_best=False) == best


TRADES, OPEN, SHARPE = (
    METRIC_NAMES.index(name) for name in ("trade_count", "open_trade_count", "sharpe_ratio")
)


def idle_table() -> SweepTable:
    """Make a table of two combinations on three cryptos, two folds: trades and Sharpe ratios."""
    # By crypto, combination, window: train, test, train, test.
    trades = np.array(
        [
            [[5, 0, 1, 2], [2, 2, 2, 2]],
            [[0, 0, 4, 0], [3, 3, 3, 3]],
            [[7, 7, 7, 0], [NAN, 4, 4, 4]],
        ]
    )
    figures = np.full((3, 2, 4, METRICS), NAN)
    figures[..., TRADES], figures[..., OPEN] = trades, np.where(np.isnan(trades), NAN, 0)
    figures[..., SHARPE] = np.where(trades > 0, trades / 2, NAN)
    return table_of(figures, parts=2)


def test_a_trial_without_a_trade_counts_in_means_over_folds_and_cryptos() -> None:
    table = idle_table()
    assert table.trial(0, 1, FoldWindow.TRAIN)[SHARPE] == 1  # of 0 and 2
    # By the folds 2.5 and 0.5, 0 and 2, 3.5 and 3.5; below 1 and 1, 1.5 and 1.5.
    assert table.across_cryptos(0, 2, FoldWindow.TRAIN).median[0, SHARPE] == 1.5
    # Of 0 and 1, 0 and 0, 3.5 and 0: without the idle ones there would be none.
    np.testing.assert_equal(table.across_cryptos(0, 2, FoldWindow.TEST).median[0, SHARPE], 0.5)
    np.testing.assert_equal(table.means_across_cryptos("sharpe_ratio", FoldWindow.TRAIN), [2, 1.25])
    # What failed is no trade: combination 1 has figures on two cryptos in the first fold.
    assert table.across_cryptos(0, 2, FoldWindow.TRAIN).count[1, SHARPE] == 2
    assert table.medians_in_window(0, 1)[SHARPE] == 0
    np.testing.assert_equal(table.counted_in_window("sharpe_ratio", 0), [[2.5, 0, 3.5], [1, 1.5, NAN]])


def test_a_score_is_the_median_in_one_window_of_combinations_that_trade_enough() -> None:
    table = idle_table()
    np.testing.assert_equal(table.scores([1, 0], 0, "sharpe_ratio", 0), [1.25, 2.5])
    np.testing.assert_equal(table.scores([1, 0], 0, "sharpe_ratio", 5), [NAN, 2.5])
    # Medians of 1, 4 and 7 trades, and of 2, 3 and 4.
    np.testing.assert_equal(table.scores([0, 1], 2, "sharpe_ratio", 4), [2, NAN])


def test_how_many_traded_is_counted_in_every_fold() -> None:
    table = idle_table()
    assert table.cryptos_traded(0, 2, FoldWindow.TRAIN).tolist() == [2, 2]
    assert table.cryptos_traded(0, 2, FoldWindow.TEST).tolist() == [0, 3]
    # Medians of 5, 0, 7 and of 1, 4, 7; of 2, 3 and of 2, 3, 4.
    assert table.median_trades(0, 2).tolist() == [4, 2.5]
    np.testing.assert_equal(table.trades_in_window(2), [[1, 4, 7], [2, 3, 4]])


def test_a_trial_of_one_fold_stays_as_it_is_by_itself() -> None:
    figures = np.full((1, 1, 2, METRICS), NAN)
    figures[..., TRADES] = figures[..., OPEN] = 0
    table = table_of(figures, parts=2)
    assert np.isnan(table.trial(0, 0, FoldWindow.TEST)[SHARPE])
    assert table.across_cryptos(0, 1, FoldWindow.TEST).mean[0, SHARPE] == 0


def test_block_returns_are_means_over_the_cryptos_that_did_not_fail() -> None:
    table = SweepTable(3, 1, 2, 1, blocks=4)
    figures = np.zeros((2, 1, METRICS))
    table.put(0, 0, figures, np.array([[1, 2, 3, 4], [NAN] * 4], np.float32))
    table.put(0, 1, figures, np.array([[2, 2, 2, 2], [5, 6, 7, 8]], np.float32))
    np.testing.assert_equal(table.mean_block_returns(), [[1.5, 2, 2.5, 3], [5, 6, 7, 8], [NAN] * 4])
