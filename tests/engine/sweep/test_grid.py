"""Grids: every possible combination once, in the order of the product, and errors that name their field."""

from itertools import product
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backcast_engine import Strategy
from backcast_engine.errors import InvalidInput
from backcast_engine.strategies.buy_and_hold import BuyAndHold
from backcast_engine.strategies.ma_cross import MaCross, MovingAverageKind
from backcast_engine.strategies.rsi import Rsi
from backcast_engine.sweep import ParameterValues, make_grid


def grid_of(base: Strategy, **ranges: Any):
    return make_grid(base, [ParameterValues(name, values) for name, values in ranges.items()])


@given(
    fast=st.lists(st.integers(1, 12), min_size=1, max_size=6, unique=True),
    slow=st.lists(st.integers(2, 12), min_size=1, max_size=6, unique=True),
    kind=st.lists(st.sampled_from(["SMA", "EMA"]), min_size=1, max_size=2, unique=True),
    cut=st.integers(0, 80),
)
@settings(max_examples=100)
def test_the_possible_combinations_are_those_of_the_loops(fast, slow, kind, cut) -> None:
    grid = grid_of(MaCross(), fast=fast, kind=kind, slow=slow)
    loops = [MaCross(f, s, MovingAverageKind(k)) for f, k, s in product(fast, kind, slow)]
    assert grid.size == len(loops)
    assert [grid.strategy(position) for position in range(grid.size)] == loops
    possible = grid.possible().tolist()
    assert possible == [position for position, strategy in enumerate(loops) if not strategy.violations()]
    assert [*grid.possible(0, cut), *grid.possible(cut)] == possible


def test_parameters_without_a_range_keep_their_values() -> None:
    grid = grid_of(Rsi(period=9, overbought=81.5), oversold=[20, 30.5])
    assert [grid.strategy(0), grid.strategy(1)] == [Rsi(9, 20.0, 81.5), Rsi(9, 30.5, 81.5)]
    assert isinstance(grid.strategy(0).oversold, float)  # type: ignore[attr-defined]


def test_whole_numbers_stay_whole() -> None:
    period = grid_of(Rsi(), period=[5.0]).strategy(0).period  # type: ignore[attr-defined]
    assert (period, type(period)) == (5, int)


def test_a_base_that_conflicts_only_in_what_is_swept_is_fine() -> None:
    assert grid_of(MaCross(fast=100), slow=[50, 120, 200]).possible().tolist() == [1, 2]


@pytest.mark.parametrize(
    ("base", "ranges", "field", "reason"),
    [
        (Rsi(), [], "ranges", "at least one"),
        (
            Rsi(),
            [("speed", [1])],
            "ranges[0].name",
            "no parameter 'speed': it has period, oversold, overbought",
        ),
        (BuyAndHold(), [("period", [1])], "ranges[0].name", "no parameters that can be swept"),
        (Rsi(), [("period", [5]), ("period", [6])], "ranges[1].name", "has a range already"),
        (Rsi(), [("period", [])], "ranges[0].values", "from 1 to 10,000 are needed, not 0"),
        (Rsi(), [("oversold", list(range(10_001)))], "ranges[0].values", "not 10,001"),
        (Rsi(), [("period", [5]), ("oversold", [20, 101])], "ranges[1].values[1]", "from 0 to 100, not 101"),
        (Rsi(), [("oversold", [float("nan")])], "ranges[0].values[0]", "not nan"),
        (Rsi(), [("period", [5, 5.5])], "ranges[0].values[1]", "a whole number, not 5.5"),
        (Rsi(), [("period", ["5"])], "ranges[0].values[0]", "a whole number, not '5'"),
        (Rsi(), [("oversold", ["a"])], "ranges[0].values[0]", "a number, not 'a'"),
        (Rsi(), [("period", [5, 6, 5])], "ranges[0].values[2]", "5 occurs twice"),
        (MaCross(), [("kind", ["SMA", "WMA"])], "ranges[0].values[1]", "one of SMA, EMA, not 'WMA'"),
        (MaCross(), [("kind", [1.0])], "ranges[0].values[0]", "one of SMA, EMA, not 1.0"),
        (Rsi(period=0), [("oversold", [20])], "strategy.rsi.period", "not 0"),
        (
            MaCross(),
            [("fast", list(range(1, 1002))), ("slow", list(range(2, 1002)))],
            "ranges",
            "1,001,000 combinations, and at most 1,000,000",
        ),
    ],
    ids=str,
)
def test_a_bad_range_names_its_field(base: Strategy, ranges: Any, field: str, reason: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        make_grid(base, [ParameterValues(*each) for each in ranges])
    (violation,) = caught.value.violations
    assert violation.field == field
    assert reason in violation.reason
