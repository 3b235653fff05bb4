"""Other candles as an evaluation sees them: at each of its candles the last one that has closed by then."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from backcast_engine.candles import Candles, PriceColumn
from backcast_engine.rules.nodes import Expression
from backcast_engine.rules.ratios import Positions, Ratios, concatenated
from backcast_engine.rules.rounding import Accuracy, Bound

Flags = NDArray[np.bool_]


class Evaluated(Protocol):
    """What an Evaluation over other candles offers."""

    candles: Candles

    def series(self, expression: Expression, /) -> PriceColumn:
        """Return the values of a series."""

    def truth(self, node: Expression, /, *, holds: bool) -> Flags:
        """Return where a condition is true, or where it is false."""

    def accuracy(self, node: Expression, /) -> Accuracy:
        """Return the bounds of a series."""

    def ratios(self, node: Expression, at: Positions, /) -> Ratios:
        """Return the exact values of a series at some candles."""


class SeenPart(NamedTuple):
    """An evaluation over other candles without a break, of which the first `before` are its warm-up."""

    evaluation: Evaluated
    before: int


class SeenCandles:
    """Other candles, and which of them an evaluation sees at each of its n candles.

    `positions` are int64 of shape (n,), ascending where they are not -1: the candle that is seen, counted
    over those of all parts without their warm-up, or -1 where none is.
    """

    def __init__(self, parts: Sequence[SeenPart], positions: NDArray[np.int64]) -> None:
        self._parts = parts
        self._positions = positions
        self._is_seen = positions >= 0
        lengths = [len(part.evaluation.candles) - part.before for part in parts]
        # Where each part begins, and where the last one ends.
        self._starts = np.cumsum([0, *lengths])

    def series(self, node: Expression) -> PriceColumn:
        """Return the values of a series: float64 of shape (n,), NaN where it is undefined or not seen."""
        return self._aligned([part.evaluation.series(node)[part.before :] for part in self._parts])

    def truth(self, node: Expression, *, holds: bool) -> Flags:
        """Return where a condition is true (`holds`), or where it is false: bool of shape (n,)."""
        if not self._parts:
            return np.zeros(len(self._positions), np.bool_)
        found = [part.evaluation.truth(node, holds=holds)[part.before :] for part in self._parts]
        return np.concatenate(found)[self._positions] & self._is_seen

    def accuracy(self, node: Expression) -> Accuracy:
        """Return the bounds of a series that has exact values; see `rounding`."""
        found = [(part, part.evaluation.accuracy(node)) for part in self._parts]
        return Accuracy(
            self._bound([(part, accuracy.magnitude) for part, accuracy in found]),
            self._bound([(part, accuracy.error) for part, accuracy in found]),
        )

    def ratios(self, node: Expression, at: Positions) -> Ratios:
        """Return the exact values of a series at positions at which it is defined; see `exact`."""
        positions = self._positions[at]
        found = []
        for part, start, end in zip(self._parts, self._starts, self._starts[1:], strict=False):
            first, last = np.searchsorted(positions, (start, end))
            if first < last:
                # A candle is seen many times, and looked at once.
                looked_at, places = np.unique(positions[first:last], return_inverse=True)
                ratios = part.evaluation.ratios(node, looked_at - start + part.before)
                found.append(ratios.at(places))
        return concatenated(found)

    def _aligned(self, columns: Sequence[PriceColumn]) -> PriceColumn:
        if not columns:
            return np.full(len(self._positions), np.nan)
        return np.where(self._is_seen, np.concatenate(columns)[self._positions], np.nan)

    def _bound(self, bounds: Sequence[tuple[SeenPart, Bound]]) -> Bound:
        if not any(isinstance(bound, np.ndarray) for _, bound in bounds):
            return max((float(bound) for _, bound in bounds), default=0.0)
        return self._aligned(
            [np.broadcast_to(bound, len(part.evaluation.candles))[part.before :] for part, bound in bounds]
        )
