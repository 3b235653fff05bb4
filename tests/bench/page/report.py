"""What was measured of the page, as tables, and whether the goals were reached."""

from statistics import median

from rich import box
from rich.table import Table

from services.local.sample_market import CRYPTO_COUNT
from tests.bench.page.drawing import CANDLES, ROWS, Drawing
from tests.bench.page.holding import Held
from tests.bench.page.runs import RunRound
from tests.bench.page.stand_ins import SIDE
from tests.bench.timing import Spread, Timing

FIRST_CACHED_GOAL_S, FIRST_COMPUTED_GOAL_S, FLOORS_GOAL = 0.1, 0.15, 1.5
FRAMES_GOAL, MAP_GOAL_S = 30, 0.15


def runs_table(rounds: list[RunRound]) -> Table:
    """Return a row for the first row and for all rows of each kind of run, beside its floor."""
    table = _table(
        f"{CRYPTO_COUNT} cryptos, from the click to what is painted, {len(rounds)} rounds; milliseconds",
        ("min", "median", "max", "empty page", "ratio"),
    )
    for name, ours, floors in _kinds(rounds):
        for part, times, floor in (
            ("first row", _firsts(ours), _firsts(floors)),
            (f"{CRYPTO_COUNT} rows", _totals(ours), _totals(floors)),
        ):
            ratio = f"{_ratio(times, floor):.2f}"
            table.add_row(
                f"{name}: {part}", *_cells(times, 1000, ".1f"), f"{1000 * median(floor):.1f}", ratio
            )
    return table


def drawing_table(drawn: list[Drawing]) -> Table:
    """Return a row for each thing that was drawn."""
    table = _table(f"drawing, {len(drawn)} rounds", ("min", "median", "max", "unit"))
    chart = f"{CANDLES:,} candles, {drawn[0].trades:,} trades"
    for name, values, scale, unit in (
        (f"{ROWS:,} rows scroll", [each.scroll_fps for each in drawn], 1, "frames/s"),
        (f"{chart}: data to chart", [each.chart_s for each in drawn], 1000, "ms"),
        (f"{chart}: all pan, by keys", [each.pan_all_fps for each in drawn], 1, "frames/s"),
        (f"{chart}: all pan, dragged", [each.drag_all_fps for each in drawn], 1, "frames/s"),
        (f"{chart}: a part pans, by keys", [each.pan_part_fps for each in drawn], 1, "frames/s"),
        (f"{chart}: a part pans, dragged", [each.drag_part_fps for each in drawn], 1, "frames/s"),
        (f"sweep of {SIDE * SIDE:,} cells: click to map", [each.sweep_s for each in drawn], 1000, "ms"),
        (f"heat map of {SIDE * SIDE:,} cells", [each.map_s for each in drawn], 1000, "ms"),
    ):
        table.add_row(name, *_cells(values, scale, ".0f"), unit)
    return table


def goal_lines(rounds: list[RunRound], drawn: list[Drawing]) -> list[str]:
    """Return a line for each goal: whether its median reaches it."""
    lines = []
    for (name, ours, floors), goal_s in zip(
        _kinds(rounds), (FIRST_CACHED_GOAL_S, FIRST_COMPUTED_GOAL_S), strict=True
    ):
        first_s, ratio = median(_firsts(ours)), _ratio(_totals(ours), _totals(floors))
        lines += [
            f"{name}, first row under {1000 * goal_s:g} ms: {_met(first_s < goal_s)}, "
            f"{1000 * first_s:.0f} ms",
            f"{name}, {CRYPTO_COUNT} rows at most {FLOORS_GOAL:g} x the empty page: "
            f"{_met(ratio <= FLOORS_GOAL)}, {ratio:.2f}",
        ]
    pans = [(each.pan_all_fps, each.drag_all_fps, each.pan_part_fps, each.drag_part_fps) for each in drawn]
    slowest = min(median(column) for column in zip(*pans, strict=True))
    for name, frames in ((f"{ROWS:,} rows", median(each.scroll_fps for each in drawn)), ("chart", slowest)):
        lines.append(
            f"{name}, {FRAMES_GOAL} frames/s: {_met(frames >= FRAMES_GOAL)}, {frames:.0f} at the least"
        )
    map_s = median(each.map_s for each in drawn)
    return [
        *lines,
        f"heat map under {1000 * MAP_GOAL_S:g} ms: {_met(map_s < MAP_GOAL_S)}, {1000 * map_s:.0f} ms",
    ]


def held_lines(start: Held, end: Held, runs: int) -> list[str]:
    """Return what the page held before and after running again and again."""
    return [
        f"{runs} runs one after the other: heap {start.heap_bytes / 1e6:.2f} MB at the start, "
        f"{end.heap_bytes / 1e6:.2f} MB at the end; nodes {start.nodes:,}, {end.nodes:,}; "
        f"listeners {start.listeners:,}, {end.listeners:,}; "
        f"open streams {start.open_streams}, {end.open_streams}"
    ]


def _kinds(rounds: list[RunRound]) -> tuple[tuple[str, list[Timing], list[Timing]], ...]:
    return (
        ("cached", [each.cached for each in rounds], [each.cached_floor for each in rounds]),
        ("computed", [each.computed for each in rounds], [each.computed_floor for each in rounds]),
    )


def _firsts(timings: list[Timing]) -> list[float]:
    return [timing.first_s for timing in timings if timing.first_s is not None]


def _totals(timings: list[Timing]) -> list[float]:
    return [timing.total_s for timing in timings]


def _ratio(ours: list[float], floors: list[float]) -> float:
    return median(ours) / median(floors)


def _met(met: bool) -> str:
    return "met" if met else "missed"


def _cells(values: list[float], scale: float, form: str) -> tuple[str, str, str]:
    spread = Spread.of(values)
    least, middle, most = (
        format(scale * each, form) for each in (spread.least, spread.median, spread.greatest)
    )
    return least, f"[bold]{middle}[/bold]", most


def _table(title: str, headings: tuple[str, ...]) -> Table:
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("")
    for heading in headings:
        table.add_column(heading, justify="right")
    return table
