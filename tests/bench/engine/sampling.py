"""Rounds: everything is measured once in each, so that what a busy machine does to one it does to all."""

import asyncio
from statistics import median

from rich.console import Console
from rich.progress import track

from tests.bench.timing import Measure, Timing

Samples = dict[str, list[Timing]]


async def sampled(measures: dict[str, Measure], rounds: int, doing: str, console: Console) -> Samples:
    """Measure everything in each of `rounds` rounds, after one that warms everything up."""
    samples: Samples = {name: [] for name in measures}
    numbers = [(number, name) for number in range(rounds + 1) for name in measures]
    for number, name in track(numbers, doing, console=console, transient=True):
        # Most measures keep the loop to themselves: this lets Ctrl-C in.
        await asyncio.sleep(0)
        timing = await measures[name](number)
        if number:
            samples[name].append(timing)
    return samples


def totals(timings: list[Timing]) -> list[float]:
    """Return how long each round took, in seconds."""
    return [timing.total_s for timing in timings]


def firsts(timings: list[Timing]) -> list[float]:
    """Return how long the first result of each round took, in seconds."""
    return [timing.first_s for timing in timings if timing.first_s is not None]


def ratio(samples: list[float], others: list[float]) -> float:
    """Return the median of the rounds' ratios: both of a round had the same machine."""
    return median(sample / other for sample, other in zip(samples, others, strict=True))
