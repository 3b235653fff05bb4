"""How long things take."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True, slots=True)
class Timing:
    """How long something took, in seconds: in total, and until the first of its results."""

    total_s: float
    first_s: float | None = None


@dataclass(frozen=True, slots=True)
class Spread:
    """Least, median and greatest of many samples, in seconds."""

    least: float
    median: float
    greatest: float

    @classmethod
    def of(cls, samples: list[float]) -> "Spread":
        """Return the spread of at least one sample."""
        return cls(min(samples), median(samples), max(samples))


Measure = Callable[[int], Awaitable[Timing]]
"""Measures something once; it gets the number of the round, of which 0 warms up and does not count."""
