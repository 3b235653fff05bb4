"""The rounds as a table, with each run next to its floor, and whether the goals were reached."""

from rich import box
from rich.table import Table

from services.local.sample_market import CRYPTO_COUNT, HOURS
from tests.bench.rounds import Round
from tests.bench.timing import Spread, Timing

# In seconds, on two cores.
COMPUTED_GOAL_S, CACHED_GOAL_S, FIRST_CACHED_GOAL_S = 0.5, 0.04, 0.015


def table_of(rounds: list[Round], workers: int) -> Table:
    """Return a row for each thing that was measured; ratios are of minima and of medians."""
    ideal = [Timing(round.engine.total_s / workers) for round in rounds]
    moved = [Timing(round.mget.total_s + round.stream.total_s) for round in rounds]
    table = Table(
        title=f"{CRYPTO_COUNT} cryptos × {HOURS:,} hourly candles, {len(rounds)} rounds; milliseconds",
        title_justify="left",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
    )
    table.add_column("", no_wrap=True)
    for heading in (
        "total: min",
        "median",
        "max",
        "to the first result: min",
        "median",
        "max",
        "× floor: min",
        "median",
    ):
        table.add_column(heading, justify="right")

    def add(name: str, timings: list[Timing], floor: list[Timing] | None = None) -> None:
        total = _total(timings)
        ratios = _ratios(total, _total(floor)) if floor else ()
        table.add_row(name, *_cells(total), *_cells(_first(timings)), *ratios)

    add("(a) cold run: candles come from the database", [round.cold for round in rounds], ideal)
    add("(b) first run, cache bypassed", [round.computed for round in rounds], ideal)
    add("(b) first run, results saved in the cache", [round.computed_and_saved for round in rounds], ideal)
    add("    the engine alone, one core", [round.engine for round in rounds])
    add(f"    floor: that on {workers} cores at once", ideal)
    add("(c) cached run", [round.cached for round in rounds], moved)
    add("    a bare MGET of the same results", [round.mget for round in rounds])
    add("    a bare stream of the same results", [round.stream for round in rounds])
    add("    floor: one after the other", moved)
    return table


def goal_lines(rounds: list[Round]) -> list[str]:
    """Return a line for each goal: whether its median reaches it."""
    return [
        _goal("(b)", [round.computed for round in rounds], COMPUTED_GOAL_S),
        _goal("(b), saved", [round.computed_and_saved for round in rounds], COMPUTED_GOAL_S),
        _goal("(c)", [round.cached for round in rounds], CACHED_GOAL_S),
        _goal("(c), its first result", [_first_of(round.cached) for round in rounds], FIRST_CACHED_GOAL_S),
    ]


def _first_of(timing: Timing) -> Timing:
    """Return the time until the first result as the time of something by itself."""
    if timing.first_s is None:
        raise RuntimeError("there was no result")
    return Timing(timing.first_s)


def _goal(name: str, timings: list[Timing], goal_s: float) -> str:
    took_s = _total(timings).median
    return f"{name} under {goal_s:g} s on 2 cores: {'met' if took_s < goal_s else 'missed'}, {took_s:.3f} s"


def _total(timings: list[Timing]) -> Spread:
    return Spread.of([timing.total_s for timing in timings])


def _first(timings: list[Timing]) -> Spread | None:
    times = [timing.first_s for timing in timings if timing.first_s is not None]
    return Spread.of(times) if times else None


def _ratios(spread: Spread, floor: Spread) -> tuple[str, str]:
    return f"{spread.least / floor.least:.1f}", f"[bold]{spread.median / floor.median:.1f}[/bold]"


def _cells(spread: Spread | None) -> tuple[str, str, str]:
    if spread is None:
        return "", "", ""
    least, median, greatest = (
        f"{1000 * time_s:.1f}" for time_s in (spread.least, spread.median, spread.greatest)
    )
    return least, f"[bold]{median}[/bold]", greatest
