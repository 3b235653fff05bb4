"""The blocks of time for which a sweep computes returns."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backcast_engine import Window
from backcast_engine.interval import Interval
from backcast_engine.sweep import Fold, make_blocks, split_window, walk_forward
from backcast_engine.sweep.blocks import stretch_ends_s, stretch_returns
from tests.candle_making import START_S

HOUR = Interval.HOUR_1
YEAR = Window(START_S, START_S + 365 * 86_400)


def test_a_window_that_is_not_cut_has_16_blocks() -> None:
    blocks = make_blocks([Fold(YEAR, None)], HOUR, 100, is_walk=False)
    assert (blocks.per_window, blocks.count) == ((16,), 16)
    assert make_blocks([split_window(YEAR, HOUR, 0.7)], HOUR, 100, is_walk=False).per_window == (16, 0)


@pytest.mark.parametrize(
    ("combinations", "count"), [(10_101, 16), (10_102, 14), (37_878, 14), (37_879, 12), (1_000_000, 8)]
)
def test_many_combinations_have_fewer_blocks(combinations: int, count: int) -> None:
    assert make_blocks([Fold(YEAR, None)], HOUR, combinations, is_walk=False).count == count


@pytest.mark.parametrize(("candles", "count"), [(3, 0), (4, 4), (5, 4), (15, 14), (16, 16)])
def test_few_candles_have_fewer_blocks(candles: int, count: int) -> None:
    window = Window(START_S, START_S + 3600 * candles)
    assert make_blocks([Fold(window, None)], HOUR, 10, is_walk=False).count == count


@pytest.mark.parametrize(
    ("folds", "per_window", "count", "together"),
    [
        (1, (8, 8), 16, 1),
        # 15 in three parts: the oldest is dropped.
        (2, (5, 5, 0, 5), 14, 1),
        (3, (4, 4, 0, 4, 0, 4), 16, 1),
        (15, (1, 1, *(0, 1) * 14), 16, 1),
        # 17 parts: two of them are a block, and the oldest is in none.
        (16, (1, 1, *(0, 1) * 15), 8, 2),
        (100, (1, 1, *(0, 1) * 99), 14, 7),
    ],
)
def test_parts_of_a_walk_forward_are_blocks_once(
    folds: int, per_window: tuple[int, ...], count: int, together: int
) -> None:
    blocks = make_blocks(walk_forward(YEAR, HOUR, folds), HOUR, 100, is_walk=True)
    assert blocks.per_window == per_window
    assert (blocks.count, blocks.stretches_in_block) == (count, together)


def test_stretches_that_are_one_block_are_compounded() -> None:
    blocks = make_blocks(walk_forward(YEAR, HOUR, 16), HOUR, 100, is_walk=True)
    returns = np.random.default_rng(1).uniform(-0.5, 1, size=(3, 17))
    expected = [[(1 + a) * (1 + b) - 1 for a, b in zip(row[1::2], row[2::2], strict=True)] for row in returns]
    np.testing.assert_allclose(blocks.joined(returns), expected, rtol=1e-12)


def test_the_oldest_of_an_odd_number_is_dropped() -> None:
    blocks = make_blocks(walk_forward(YEAR, HOUR, 2), HOUR, 100, is_walk=True)
    returns = np.arange(30.0).reshape(2, 15)
    np.testing.assert_array_equal(blocks.joined(returns), returns[:, 1:])


@given(hours=st.integers(1, 5_000), stretches=st.integers(1, 40))
def test_stretches_are_of_equal_time(hours: int, stretches: int) -> None:
    window = Window(START_S, START_S + 3600 * hours)
    lengths = np.diff([window.start_s, *stretch_ends_s(window, stretches)])
    assert lengths.sum() == 3600 * hours
    assert lengths.max() - lengths.min() <= 1


def test_returns_are_those_from_close_to_close() -> None:
    equity = np.array([[100.0, 150.0, 0.0, 0.0], [200.0, 100.0, 100.0, 50.0], [np.nan] * 4])
    expected = np.array([[0.0, 0.5, -1.0, 0.0], [1.0, -0.5, 0.0, -0.5], [np.nan] * 4], np.float32)
    np.testing.assert_array_equal(stretch_returns(equity, 100.0), expected)
