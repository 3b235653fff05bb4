"""The optimizer of sweeps: new possible combinations in each batch, and better ones in the end."""

import numpy as np
import pytest
from numpy.typing import NDArray

from backcast_engine import Direction, Distance, Execution
from backcast_engine.strategies.ma_cross import MaCross
from backcast_engine.sweep import Grid, ParameterValues, SettingValues, make_grid, sampled_positions
from services.gateway.sweeps.optimizer import Optimizer

GRID = make_grid(
    MaCross(),
    [ParameterValues("fast", range(1, 40)), ParameterValues("slow", [50, 5, 10, 20, 30, 40])],
    [
        SettingValues("stop_loss", tuple(Execution(stop_loss=Distance(stop / 100)) for stop in (3, 1, 2))),
        SettingValues("direction", (Execution(), Execution(direction=Direction.LONG_SHORT))),
    ],
)


def score(position: int) -> float:
    """Return how near a combination is to the best: fast 12, slow 30, a stop of 2 %, long only."""
    strategy, execution = GRID.strategy(position), GRID.execution(position, Execution())
    assert isinstance(strategy, MaCross)
    assert execution.stop_loss
    stop = execution.stop_loss.fraction or 0.0
    far = abs(strategy.fast - 12) / 10 + abs(strategy.slow - 30) / 10 + abs(stop - 0.02) * 100
    return -far - (execution.direction is not Direction.LONG_ONLY)


def searched(count: int, *, seed: int = 1, smallest: bool = False) -> list[int]:
    others = sampled_positions(GRID, count, seed).tolist()
    optimizer = Optimizer(GRID, others, seed=seed, smallest_is_best=smallest)
    found: list[int] = []
    for start in range(0, count, 16):
        batch = optimizer.proposed(min(16, count - start)).tolist()
        scores = np.array([score(position) for position in batch])
        optimizer.learn(-scores if smallest else scores)
        found += batch
    return found


def test_proposals_are_new_and_possible() -> None:
    found = searched(100)
    assert len(set(found)) == len(found) == 100
    assert not any(GRID.strategy(position).violations() for position in found)


@pytest.mark.parametrize("smallest", [False, True])
def test_later_proposals_are_better_than_a_random_sample(smallest: bool) -> None:
    found = [score(position) for position in searched(128, smallest=smallest)]
    chance = [score(position) for position in sampled_positions(GRID, 128, 1).tolist()]
    assert np.median(found[64:]) > np.median(chance) + 0.5
    assert max(found) > np.quantile(chance, 0.98)


def test_a_seed_proposes_the_same_again() -> None:
    assert searched(48) == searched(48)
    assert searched(48) != searched(48, seed=2)


def test_what_has_no_score_teaches_nothing_and_is_not_proposed_again() -> None:
    others = sampled_positions(GRID, 64, 1).tolist()
    optimizer = Optimizer(GRID, others, seed=1, smallest_is_best=False)
    found: list[int] = []
    for _ in range(4):
        found += optimizer.proposed(16).tolist()
        optimizer.learn(np.full(16, np.nan))
    assert len(set(found)) == 64


def small_grid() -> Grid:
    return make_grid(MaCross(), [ParameterValues("fast", range(1, 9)), ParameterValues("slow", [6, 7])])


def test_all_combinations_of_a_small_grid_are_proposed_in_the_end() -> None:
    grid = small_grid()
    possible: NDArray[np.int64] = sampled_positions(grid, 100, 0)
    optimizer = Optimizer(grid, possible.tolist(), seed=0, smallest_is_best=False)
    found = []
    for _ in range(len(possible)):
        (position,) = optimizer.proposed(1).tolist()
        optimizer.learn(np.array([float(position)]))
        found.append(position)
    assert sorted(found) == sorted(possible.tolist())
