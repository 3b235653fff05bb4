"""The rounds as a table, with each run next to its floor, and whether the goals were reached."""

from rich import box
from rich.table import Table

from services.local.sample_market import CRYPTO_COUNT, HOURS
from tests.bench.processor_time import ProcessorTime
from tests.bench.rounds import Round
from tests.bench.timing import Spread, Timing

# In seconds, on two cores.
_COLD_GOAL_S = 0.3
_FIRST_GOAL_S, _ONE_BY_ONE_GOAL_S = 0.015, 0.06
_CACHED_GOAL_S, _CACHED_ONE_BY_ONE_GOAL_S = 0.01, 0.03
_PROCESSOR_GOAL_S = 0.075
# A computed run against the engine alone on two cores, and a run after an import against one before.
_MOST_FLOORS, _MOST_OF_APPENDED = 4, 1.5


def table_of(rounds: list[Round], workers: int) -> Table:
    """Return a row for each thing that was measured; ratios are of minima and of medians."""
    ideal = _ideal(rounds, workers)
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
    add("    one result an event", [round.computed_one_by_one for round in rounds], ideal)
    add("    results saved in the cache", [round.computed_and_saved for round in rounds], ideal)
    add("    after an import of an hour of each", [round.appended for round in rounds], ideal)
    add("    the engine alone, one core", [round.engine for round in rounds])
    add(f"    floor: that on {workers} cores at once", ideal)
    add("(c) cached run", [round.cached for round in rounds], moved)
    add("    one result an event", [round.cached_one_by_one for round in rounds], moved)
    add("    a bare MGET of the same results", [round.mget for round in rounds])
    add("    a bare stream of the same results", [round.stream for round in rounds])
    add("    floor: one after the other", moved)
    return table


def goal_lines(rounds: list[Round], workers: int) -> list[str]:
    """Return a line for each goal: whether its median reaches it."""
    computed, ideal = [round.computed for round in rounds], _ideal(rounds, workers)
    return [
        _goal("(a)", [round.cold for round in rounds], _COLD_GOAL_S),
        _ratio_goal("(b), × the engine alone on as many cores", computed, ideal, _MOST_FLOORS),
        _goal("(b), its first result", [_first_of(timing) for timing in computed], _FIRST_GOAL_S),
        _goal("(b), one by one", [round.computed_one_by_one for round in rounds], _ONE_BY_ONE_GOAL_S),
        _ratio_goal(
            "(b) after an import, × (b)", [round.appended for round in rounds], computed, _MOST_OF_APPENDED
        ),
        _goal("(c)", [round.cached for round in rounds], _CACHED_GOAL_S),
        _goal("(c), one by one", [round.cached_one_by_one for round in rounds], _CACHED_ONE_BY_ONE_GOAL_S),
    ]


def processor_line(spent: ProcessorTime) -> str:
    """Return the processor time of a computed run, and whether it reaches its goal."""
    services_s = spent.services_s()
    met = "met" if services_s < _PROCESSOR_GOAL_S else "missed"
    goal = f"(b), processor time of the services under {_PROCESSOR_GOAL_S:g} s"
    return f"{goal}: {met}, {services_s:.3f} s ({spent.line()})"


def _ideal(rounds: list[Round], workers: int) -> list[Timing]:
    """Return how long the engine alone would take on as many cores as there are workers."""
    return [Timing(round.engine.total_s / workers) for round in rounds]


def _first_of(timing: Timing) -> Timing:
    """Return the time until the first result as the time of something by itself."""
    if timing.first_s is None:
        raise RuntimeError("there was no result")
    return Timing(timing.first_s)


def _goal(name: str, timings: list[Timing], goal_s: float) -> str:
    took_s = _total(timings).median
    return f"{name} under {goal_s:g} s on 2 cores: {'met' if took_s < goal_s else 'missed'}, {took_s:.4f} s"


def _ratio_goal(name: str, timings: list[Timing], floor: list[Timing], most: float) -> str:
    ratio = _total(timings).median / _total(floor).median
    return f"{name}, at most {most:g}: {'met' if ratio <= most else 'missed'}, {ratio:.2f}"


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
