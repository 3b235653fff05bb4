"""Samples of a grid: different possible combinations, the same ones for a seed, whatever the grid's size."""

import pytest

from backcast_engine.strategies.ma_cross import MaCross
from backcast_engine.strategies.rsi import Rsi
from backcast_engine.sweep import Grid, ParameterValues, make_grid, sampled_positions
from backcast_engine.sweep.grid import MAX_SEARCHED

SMALL = make_grid(MaCross(), [ParameterValues("fast", range(1, 20)), ParameterValues("slow", range(2, 20))])
LARGE = make_grid(
    MaCross(),
    [ParameterValues("fast", range(1, 2_000)), ParameterValues("slow", range(2, 2_000))],
    most=MAX_SEARCHED,
)


@pytest.mark.parametrize("grid", [SMALL, LARGE], ids=["shuffled", "drawn"])
def test_a_sample_has_different_possible_combinations(grid: Grid) -> None:
    sample = sampled_positions(grid, 150, seed=5).tolist()
    assert len(set(sample)) == len(sample) == 150
    assert not any(grid.strategy(position).violations() for position in sample)
    assert sample != sorted(sample)


@pytest.mark.parametrize("grid", [SMALL, LARGE], ids=["shuffled", "drawn"])
def test_a_larger_sample_begins_with_the_smaller_one_of_its_seed(grid: Grid) -> None:
    small, large = (sampled_positions(grid, count, seed=5).tolist() for count in (40, 150))
    assert large[:40] == small
    assert sampled_positions(grid, 40, seed=6).tolist() != small


def test_a_sample_of_more_than_there_are_has_all() -> None:
    assert sorted(sampled_positions(SMALL, 5_000, seed=0).tolist()) == SMALL.possible().tolist()


def test_values_of_a_sample_are_from_the_whole_range() -> None:
    levels = [number / 99 for number in range(9_000)]
    ranges = [ParameterValues("period", range(2, 9_000)), ParameterValues("oversold", levels)]
    grid = make_grid(Rsi(), ranges, most=MAX_SEARCHED)
    periods = [grid.strategy(position).period for position in sampled_positions(grid, 200, 1).tolist()]  # type: ignore[attr-defined]
    assert min(periods) < 1_000
    assert max(periods) > 8_000
