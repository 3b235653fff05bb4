"""Figures of equity curves of any length, at the edges of the compiled blocks too, and how exact they are."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backcast_engine import metrics_of
from backcast_engine.interval import Interval
from backcast_engine.metrics import measure
from backcast_engine.simulation import Simulation
from backcast_engine.terms import TRADE

from .inputs import make_candles
from .reference import figures

EDGES = [1, 2, 31, 32, 33, 64, 1_023, 1_024, 1_025, 1_026, 2_048, 2_049, 2_050, 3_000]


def figures_of(equity, capital, interval=Interval.HOUR_1):
    """Return the figures of an equity without trades, by name."""
    candles = make_candles(np.full(len(equity), 10.0), interval=interval)
    idle = Simulation(np.array(equity), np.empty(0, TRADE), held=0, cash=capital)
    return metrics_of(measure(candles, idle, capital, interval, holding=1.0))


def assert_same(equity, capital, interval=Interval.HOUR_1):
    times = [interval.seconds * i for i in range(len(equity))]
    expected = figures.metrics_of(times, 0.0, equity, [], capital, interval.seconds)
    found = figures_of(equity, capital, interval)
    for name, value in expected.items():
        if value is None:
            assert getattr(found, name) is None, name
        else:
            assert getattr(found, name) == pytest.approx(value, rel=1e-9, abs=1e-12), name


@settings(max_examples=100)
@given(
    n=st.one_of(st.sampled_from(EDGES), st.integers(1, 2_500)),
    seed=st.integers(0, 2**32),
    size=st.sampled_from([0.001, 0.1, 1e-6]),
    still=st.sampled_from([0.0, 0.5, 0.99]),
    drift=st.sampled_from([0.0, 1.0, -1.0]),
    interval=st.sampled_from(Interval),
)
def test_metrics_of_random_curves_are_exact(n, seed, size, still, drift, interval):
    rng = np.random.default_rng(seed)
    steps = size * (rng.normal(size=n) + drift) * (rng.random(n) >= still)
    assert_same((1_000 * np.exp(np.cumsum(steps))).tolist(), 1_000.0, interval)


@settings(max_examples=100)
@given(n=st.sampled_from(EDGES), place=st.integers(0, 2_999), equity=st.sampled_from([0.0, 1.0, 999.0, 1e6]))
def test_metrics_of_a_curve_with_one_jump_anywhere_are_exact(n, place, equity):
    """A single return, fall or ruin, at the edges of blocks too."""
    place %= n
    assert_same([1_000.0] * place + [equity] * (n - place), 1_000.0)


@settings(max_examples=100)
@given(n=st.sampled_from(EDGES), places=st.tuples(*[st.integers(0, 2_999)] * 3))
def test_the_drawdown_between_a_peak_and_a_trough_anywhere_is_exact(n, places):
    equity = [1_000.0] * n
    for place, value in zip(places, (2_000.0, 500.0, 1_500.0), strict=True):
        equity[place % n] = value
    assert_same(equity, 1_000.0)


def test_a_million_candles_lose_no_digits():
    # Small returns around a mean that is large beside them: a plain sum of squares would lose it all.
    rng = np.random.default_rng(4)
    equity = 1_000 * np.cumprod(1 + 1e-5 + 1e-9 * rng.normal(size=1_000_000))
    returns = np.diff(equity, prepend=1_000) / np.concatenate(([1_000], equity[:-1]))
    mean = math.fsum(returns) / len(returns)
    std = math.sqrt(math.fsum((returns - mean) ** 2) / (len(returns) - 1))
    found = figures_of(equity, 1_000.0)
    assert found.annual_volatility == pytest.approx(std * math.sqrt(8_760), rel=1e-9)
    assert found.sharpe_ratio == pytest.approx(mean / std * math.sqrt(8_760), rel=1e-9)
