"""Combinations of the values of several dimensions, counted from 0."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray


class Positions:
    """Every combination of the values of some dimensions, in the order of itertools.product.

    The last dimension changes first. Combinations whose values conflict have a position too, and are not
    `possible`.
    """

    __slots__ = ()

    @property
    def dimensions(self) -> tuple[Sequence[Any], ...]:
        """The values of each dimension, in order."""
        raise NotImplementedError

    @property
    def scales(self) -> tuple[Sequence[Any], ...]:
        """The values of each dimension as a search compares them: numbers and distances have an order."""
        raise NotImplementedError

    def is_possible(self, position: int) -> bool:
        """Return whether the values at a position do not conflict."""
        raise NotImplementedError

    def possible(self) -> NDArray[np.int64]:
        """Return the positions whose values do not conflict, ascending."""
        raise NotImplementedError

    @property
    def size(self) -> int:
        """The number of positions."""
        return math.prod(map(len, self.dimensions))

    def indexes(self, position: int) -> tuple[int, ...]:
        """Return the indexes of the values at a position, of each dimension."""
        chosen = []
        for values in reversed(self.dimensions):
            position, index = divmod(position, len(values))
            chosen.append(index)
        return tuple(reversed(chosen))

    def position(self, indexes: Sequence[int]) -> int:
        """Return the position of the values with these indexes."""
        position = 0
        for values, index in zip(self.dimensions, indexes, strict=True):
            position = position * len(values) + index
        return position
