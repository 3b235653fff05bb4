"""The deflated Sharpe ratio against the numbers of the paper's example, and against SciPy."""

import math

import numpy as np
import pytest
from scipy import stats

from backcast_engine.sweep.deflated_sharpe import (
    ReturnShape,
    deflated_sharpe_ratio,
    expected_maximum,
    shape_of,
)

# The paper's example: five years of 250 days, a Sharpe ratio of 2.5 a year, among trials of variance 1/2.
RATIO = 2.5 / math.sqrt(250)
VARIANCE = 0.5 / 250
FAT_TAILED = ReturnShape(count=1250, sharpe_ratio=RATIO, skewness=-3.0, kurtosis=10.0)
NORMAL = ReturnShape(count=1250, sharpe_ratio=RATIO, skewness=0.0, kurtosis=3.0)


def test_the_expected_maximum_of_the_papers_example() -> None:
    assert expected_maximum(100, VARIANCE) == pytest.approx(0.1132, abs=5e-5)


@pytest.mark.parametrize(
    ("shape", "trials", "expected"),
    [(FAT_TAILED, 100, 0.9004), (FAT_TAILED, 46, 0.9505), (NORMAL, 88, 0.9505)],
)
def test_the_ratios_of_the_papers_example(shape: ReturnShape, trials: int, expected: float) -> None:
    benchmark = expected_maximum(trials, VARIANCE)
    assert benchmark is not None
    assert deflated_sharpe_ratio(shape, benchmark) == pytest.approx(expected, abs=5e-5)


@pytest.mark.parametrize("trials", [10, 1000])
def test_the_expected_maximum_is_that_of_random_trials(trials: int) -> None:
    ratios = np.random.default_rng(1).normal(0, 0.3, (4000, trials))
    assert expected_maximum(trials, 0.3**2) == pytest.approx(ratios.max(axis=1).mean(), rel=0.03)


@pytest.mark.parametrize("trials", [0, 1])
def test_there_is_no_luck_in_a_single_trial(trials: int) -> None:
    assert expected_maximum(trials, 0.1) is None


def test_without_trials_that_differ_nothing_is_deflated() -> None:
    assert expected_maximum(50, 0.0) == 0.0


def test_the_shape_of_returns_is_scipys() -> None:
    returns = np.random.default_rng(2).standard_t(4, 500) * 0.01
    shape = shape_of(1000 * np.cumprod(1 + returns), 1000.0)
    assert shape is not None
    assert shape.count == 500
    assert shape.sharpe_ratio == pytest.approx(returns.mean() / returns.std(ddof=1), rel=1e-9)
    assert shape.skewness == pytest.approx(stats.skew(returns), rel=1e-9)
    assert shape.kurtosis == pytest.approx(stats.kurtosis(returns, fisher=False), rel=1e-9)


@pytest.mark.parametrize("equity", [[1000.0], [1000.0, 1000.0, 1000.0], [1010.0]])
def test_returns_that_do_not_vary_have_no_shape(equity: list[float]) -> None:
    assert shape_of(np.array(equity), 1000.0) is None


def test_equity_that_is_gone_does_not_change_any_more() -> None:
    shape = shape_of(np.array([900.0, 0.0, 0.0]), 1000.0)
    assert shape is not None
    assert shape.sharpe_ratio == pytest.approx(np.mean([-0.1, -1, 0]) / np.std([-0.1, -1, 0], ddof=1))
