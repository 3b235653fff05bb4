"""Proposes combinations of a sweep by the figures of others: Optuna's tree-structured Parzen estimator.

J. Bergstra, R. Bardenet, Y. Bengio and B. Kégl, Algorithms for Hyper-Parameter Optimization, NIPS 2011.
"""

import math
import warnings
from collections.abc import Sequence
from operator import itemgetter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backcast_engine.execution import Distance
from backcast_engine.sweep import Positions

# Proposals that are known already or conflict, for each new one: then a random combination takes its place.
_MOST_REPEATED = 4


class Optimizer:
    """A study of one grid: batches of new combinations, each learnt before the next is proposed."""

    def __init__(self, grid: Positions, others: Sequence[int], *, seed: int, smallest_is_best: bool) -> None:
        """`others` are possible combinations, at least as many as will be proposed."""
        import optuna
        from optuna.exceptions import ExperimentalWarning

        optuna.logging.set_verbosity(optuna.logging.WARNING)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)
            # With the liar, proposals of a batch keep away from each other.
            sampler = optuna.samplers.TPESampler(seed=seed, constant_liar=True)
        self._study = optuna.create_study(
            direction="minimize" if smallest_is_best else "maximize", sampler=sampler
        )
        self._grid = grid
        self._others = list(reversed(others))
        # Of a dimension with an order, the indexes of its values by it; of others None.
        self._orders = [_order(values) for values in grid.scales]
        self._distributions: dict[str, Any] = {
            str(place): optuna.distributions.IntDistribution(0, len(values) - 1)
            if order
            else optuna.distributions.CategoricalDistribution(range(len(values)))
            for place, (values, order) in enumerate(zip(grid.scales, self._orders, strict=True))
        }
        self._scores: dict[int, float] = {}
        self._batch: list[tuple[int, Any]] = []

    def proposed(self, count: int) -> NDArray[np.int64]:
        """Return the positions of `count` combinations that were not proposed before, ascending."""
        self._batch = []
        for _ in range(_MOST_REPEATED * count):
            if len(self._batch) == count:
                break
            trial = self._study.ask(self._distributions)
            position = self._position(trial.params)
            if position in self._scores:
                self._report(trial, self._scores[position])
            elif self._is_in_batch(position) or not self._grid.is_possible(position):
                self._report(trial, math.nan)
            else:
                self._batch.append((position, trial))
        while len(self._batch) < count:
            position = self._others.pop()
            if position not in self._scores and not self._is_in_batch(position):
                self._batch.append((position, None))
        self._batch.sort(key=itemgetter(0))
        return np.array([position for position, _ in self._batch], np.int64)

    def learn(self, scores: NDArray[np.float64]) -> None:
        """Take in the scores of the last batch, in its order; NaN where there is none."""
        for (position, trial), score in zip(self._batch, scores.tolist(), strict=True):
            self._scores[position] = score
            if trial is not None:
                self._report(trial, score)
            elif math.isfinite(score):
                self._add(position, score)

    def _is_in_batch(self, position: int) -> bool:
        return any(position == other for other, _ in self._batch)

    def _report(self, trial: Any, score: float) -> None:
        from optuna.trial import TrialState

        if math.isfinite(score):
            self._study.tell(trial, score)
        else:
            self._study.tell(trial, state=TrialState.FAIL)

    def _add(self, position: int, score: float) -> None:
        """Report a combination to the study that it has not proposed."""
        import optuna

        params = {}
        for place, (index, order) in enumerate(zip(self._grid.indexes(position), self._orders, strict=True)):
            params[str(place)] = order.index(index) if order else index
        self._study.add_trial(
            optuna.trial.create_trial(params=params, distributions=self._distributions, value=score)
        )

    def _position(self, params: dict[str, int]) -> int:
        indexes = []
        for place, order in enumerate(self._orders):
            chosen = params[str(place)]
            indexes.append(order[chosen] if order else chosen)
        return self._grid.position(indexes)


def _order(values: Sequence[Any]) -> list[int] | None:
    """Return the indexes of numbers, or of distances of one kind, in ascending order; None for all else."""
    sizes = [_size(value) for value in values]
    if len({kind for kind, _ in sizes}) > 1 or sizes[0][0] == "choice":
        return None
    return sorted(range(len(values)), key=lambda index: sizes[index][1])


def _size(value: Any) -> tuple[str, float]:
    """Return what kind of value it is, and its size where it has one."""
    if isinstance(value, Distance):
        if value.fraction is not None:
            return "fraction", value.fraction
        return "atr", value.atr_multiple or 0.0
    # Choices are enumerations, whose numbers say nothing.
    if type(value) in (int, float):
        return "number", value
    return "choice", 0.0
