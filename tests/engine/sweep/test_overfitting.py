"""The probability of backtest overfitting, against a second implementation from the paper's definition."""

import math
from itertools import combinations
from statistics import fmean, stdev

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import rankdata

from backcast_engine.sweep.overfitting import count_overfitted, probability_of_overfitting, steps


def sharpe_ratio(returns: list[float]) -> float:
    # To nine decimals, so that what is equal on paper is equal.
    deviation = stdev(returns)
    return round(fmean(returns) / deviation, 9) if deviation > 0 else 0.0


def by_the_paper(returns: np.ndarray) -> float:
    """Return the share of the choices whose best has a logit of at most 0 in the other blocks."""
    count, blocks = returns.shape
    logits = []
    for chosen in combinations(range(blocks), blocks // 2):
        others = [block for block in range(blocks) if block not in chosen]
        inside = [sharpe_ratio([float(row[block]) for block in chosen]) for row in returns]
        outside = [sharpe_ratio([float(row[block]) for block in others]) for row in returns]
        best = inside.index(max(inside))
        rank = rankdata(outside)[best] / (count + 1)
        logits.append(math.log(rank / (1 - rank)))
    return sum(logit <= 1e-12 for logit in logits) / len(logits)


# Quarters, so that combinations tie and series do not vary.
@given(
    st.tuples(st.integers(1, 7), st.sampled_from([4, 6])).flatmap(
        lambda shape: arrays(np.float64, shape, elements=st.sampled_from([-0.5, -0.25, 0.0, 0.25, 1.0]))
    )
)
@settings(max_examples=60)
def test_the_probability_of_overfitting_is_the_papers(returns: np.ndarray) -> None:
    assert probability_of_overfitting(returns) == by_the_paper(returns)


@pytest.mark.parametrize("seed", range(3))
def test_the_probability_of_overfitting_of_noise_is_the_papers(seed: int) -> None:
    returns = np.random.default_rng(seed).normal(size=(11, 8)).astype(np.float32).astype(np.float64)
    assert probability_of_overfitting(returns) == by_the_paper(returns)


def test_pure_noise_is_a_coin() -> None:
    random = np.random.default_rng(7)
    found = [probability_of_overfitting(random.normal(size=(60, 10))) for _ in range(60)]
    # Its deviation is about 0.2: that of a mean of 60, 0.026.
    assert fmean(found) == pytest.approx(0.5, abs=0.08)


def test_a_combination_that_is_always_the_best_is_not_overfitted() -> None:
    returns = np.random.default_rng(8).normal(size=(40, 16))
    returns[17] += 100
    assert probability_of_overfitting(returns) == 0


def test_what_is_good_in_one_half_only_is_overfitted() -> None:
    # Every combination shines in one block, where it is chosen for it, and has nothing else.
    noise = np.random.default_rng(9).normal(0, 0.001, size=(16, 16))
    assert probability_of_overfitting(noise - 0.01 + np.eye(16)) == 1


def test_where_nobody_differs_nobody_is_above_the_median() -> None:
    assert probability_of_overfitting(np.zeros((12, 6))) == 1
    # What is the same in every block has no variance, whatever rounding makes of it.
    assert probability_of_overfitting(np.full((12, 6), 0.1)) == 1


def test_equals_are_equals_whatever_stands_beside_them() -> None:
    # Thirteen copies: none is above the median of the others.
    row = np.random.default_rng(10).normal(size=16)
    assert probability_of_overfitting(np.tile(row, (13, 1))) == 1


def test_the_probability_of_overfitting_is_the_same_step_by_step() -> None:
    returns = np.random.default_rng(11).normal(size=(5000, 16))
    parts = list(steps(*returns.shape))
    assert len(parts) > 5
    assert [part.start for part in parts[1:]] == [part.stop for part in parts[:-1]]
    assert (parts[0].start, parts[-1].stop) == (0, 6435)
    few = returns[:20]
    assert sum(count_overfitted(few, slice(n, n + 99)) for n in range(0, 6435, 99)) / 12_870 == (
        probability_of_overfitting(few)
    )


def test_equals_on_paper_are_equals() -> None:
    # With one block that is not 0, a Sharpe ratio does not depend on how far from 0 the block is.
    random = np.random.default_rng(3)
    signs = np.zeros((24, 8))
    signs[np.arange(24), random.integers(0, 8, 24)] = random.choice([-1.0, 1.0], 24)
    expected = probability_of_overfitting(signs)
    for _ in range(20):
        sizes = random.uniform(0.001, 0.1, (24, 1))
        assert probability_of_overfitting(signs * sizes) == expected
