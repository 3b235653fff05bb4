"""Grids: every possible combination once, in the order of the product, and errors that name their field."""

from dataclasses import replace
from itertools import pairwise, product
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backcast_engine import Direction, Distance, Execution, Strategy, VolatilityTarget
from backcast_engine.errors import InvalidInput
from backcast_engine.rules.nodes import Number, Placeholder, call
from backcast_engine.rules.parse import parse
from backcast_engine.strategies.buy_and_hold import BuyAndHold
from backcast_engine.strategies.custom_rules import CustomRules
from backcast_engine.strategies.ma_cross import MaCross, MovingAverageKind
from backcast_engine.strategies.rsi import Rsi
from backcast_engine.sweep import ParameterValues, SettingValues, make_grid

STOPS = SettingValues("stop_loss", (Execution(stop_loss=Distance(0.05)), Execution()))
SIDES = SettingValues(
    "direction", tuple(Execution(direction=side) for side in (Direction.LONG_ONLY, Direction.LONG_SHORT))
)


def rules_of(entry: str, exit_: str | None = None) -> CustomRules:
    return CustomRules(parse(entry, "entry"), parse(exit_, "exit") if exit_ else None)


def grid_of(base: Strategy, **ranges: Any):
    return make_grid(base, [ParameterValues(name, values) for name, values in ranges.items()])


@given(
    fast=st.lists(st.integers(1, 12), min_size=1, max_size=6, unique=True),
    slow=st.lists(st.integers(2, 12), min_size=1, max_size=6, unique=True),
    kind=st.lists(st.sampled_from(["SMA", "EMA"]), min_size=1, max_size=2, unique=True),
    cut=st.integers(0, 80),
)
@settings(max_examples=100)
def test_the_possible_combinations_are_those_of_the_loops(fast, slow, kind, cut) -> None:
    grid = grid_of(MaCross(), fast=fast, kind=kind, slow=slow)
    loops = [MaCross(f, s, MovingAverageKind(k)) for f, k, s in product(fast, kind, slow)]
    assert grid.size == len(loops)
    assert [grid.strategy(position) for position in range(grid.size)] == loops
    possible = grid.possible().tolist()
    assert possible == [position for position, strategy in enumerate(loops) if not strategy.violations()]
    assert [*grid.possible(0, cut), *grid.possible(cut)] == possible


def test_parameters_without_a_range_keep_their_values() -> None:
    grid = grid_of(Rsi(period=9, overbought=81.5), oversold=[20, 30.5])
    assert [grid.strategy(0), grid.strategy(1)] == [Rsi(9, 20.0, 81.5), Rsi(9, 30.5, 81.5)]
    assert isinstance(grid.strategy(0).oversold, float)  # type: ignore[attr-defined]


def test_whole_numbers_stay_whole() -> None:
    period = grid_of(Rsi(), period=[5.0]).strategy(0).period  # type: ignore[attr-defined]
    assert (period, type(period)) == (5, int)


def test_a_base_that_conflicts_only_in_what_is_swept_is_fine() -> None:
    assert grid_of(MaCross(fast=100), slow=[50, 120, 200]).possible().tolist() == [1, 2]


@pytest.mark.parametrize(
    ("base", "ranges", "field", "reason"),
    [
        (Rsi(), [], "ranges", "at least one"),
        (
            Rsi(),
            [("speed", [1])],
            "ranges[0].name",
            "no parameter 'speed': it has period, oversold, overbought",
        ),
        (BuyAndHold(), [("period", [1])], "ranges[0].name", "no parameters that can be swept"),
        (Rsi(), [("period", [5]), ("period", [6])], "ranges[1].name", "has a range already"),
        (Rsi(), [("period", [])], "ranges[0].values", "from 1 to 10,000 are needed, not 0"),
        (Rsi(), [("oversold", list(range(10_001)))], "ranges[0].values", "not 10,001"),
        (Rsi(), [("period", [5]), ("oversold", [20, 101])], "ranges[1].values[1]", "from 0 to 100, not 101"),
        (Rsi(), [("oversold", [float("nan")])], "ranges[0].values[0]", "not nan"),
        (Rsi(), [("period", [5, 5.5])], "ranges[0].values[1]", "a whole number, not 5.5"),
        (Rsi(), [("period", ["5"])], "ranges[0].values[0]", "a whole number, not '5'"),
        (Rsi(), [("oversold", ["a"])], "ranges[0].values[0]", "a number, not 'a'"),
        (Rsi(), [("period", [5, 6, 5])], "ranges[0].values[2]", "5 occurs twice"),
        (MaCross(), [("kind", ["SMA", "WMA"])], "ranges[0].values[1]", "one of SMA, EMA, not 'WMA'"),
        (MaCross(), [("kind", [1.0])], "ranges[0].values[0]", "one of SMA, EMA, not 1.0"),
        (Rsi(period=0), [("oversold", [20])], "strategy.rsi.period", "not 0"),
        (
            MaCross(),
            [("fast", list(range(1, 1002))), ("slow", list(range(2, 1002)))],
            "ranges",
            "1,001,000 combinations, and at most 1,000,000",
        ),
    ],
    ids=str,
)
def test_a_bad_range_names_its_field(base: Strategy, ranges: Any, field: str, reason: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        make_grid(base, [ParameterValues(*each) for each in ranges])
    (violation,) = caught.value.violations
    assert violation.field == field
    assert reason in violation.reason


def test_placeholders_of_rules_are_dimensions() -> None:
    base = rules_of("rsi({n}) < {low}", "rsi({n}) > 70")
    grid = grid_of(base, low=[20, 30.5], n=[5, 6])
    assert [grid.strategy(position) for position in range(grid.size)] == [
        rules_of(f"rsi({n}) < {low}", f"rsi({n}) > 70") for low in (20, 30.5) for n in (5, 6)
    ]
    assert grid.possible().tolist() == [0, 1, 2, 3]


def test_settings_of_the_execution_are_dimensions_after_the_parameters() -> None:
    base = Execution(fee_rate=0.002, stop_loss=Distance(0.5))
    grid = make_grid(Rsi(), [ParameterValues("period", [5, 6])], [STOPS, SIDES], base)
    assert grid.size == 8
    found = [(grid.strategy(position), grid.execution(position, base)) for position in range(8)]
    assert found == [
        (Rsi(period), replace(base, stop_loss=stop, direction=side))
        for period in (5, 6)
        for stop in (Distance(0.05), None)
        for side in (Direction.LONG_ONLY, Direction.LONG_SHORT)
    ]
    assert [grid.indexes(position) for position in (0, 1, 7)] == [(0, 0, 0), (0, 0, 1), (1, 1, 1)]


def test_a_size_is_one_of_three() -> None:
    sizes = SettingValues(
        "size",
        (Execution(), Execution(quote_amount=500.0), Execution(volatility_target=VolatilityTarget(0.4))),
    )
    base = Execution(quote_amount=7.0)
    grid = make_grid(Rsi(), [], [sizes], base)
    assert [grid.execution(position, base) for position in range(3)] == list(sizes.values)


@given(
    fast=st.lists(st.integers(1, 9), min_size=1, max_size=4, unique=True),
    slow=st.lists(st.integers(2, 9), min_size=1, max_size=4, unique=True),
    cuts=st.lists(st.integers(0, 64), max_size=3),
)
@settings(max_examples=50)
def test_conflicts_leave_out_all_settings_of_a_combination(fast, slow, cuts) -> None:
    ranges = [ParameterValues("fast", fast), ParameterValues("slow", slow)]
    grid = make_grid(MaCross(), ranges, [STOPS, SIDES])
    edges = [0, *sorted(cuts), grid.size]
    expected = [place for place in range(grid.size) if not grid.strategy(place).violations()]
    assert [one for start, stop in pairwise(edges) for one in grid.possible(start, stop)] == expected


@pytest.mark.parametrize(
    ("entry", "ranges", "field", "reason"),
    [
        ("rsi({n}) < {low}", {"n": [5]}, "strategy.rules.entry", "{low} has no range"),
        ("rsi({n}) < {low}", {}, "ranges", "at least one"),
        ("rsi(14) < 30", {"n": [5]}, "ranges[0].name", "no placeholder {n}: write rsi({n})"),
        ("rsi({n}) < 30", {"n": [5], "m": [6]}, "ranges[1].name", "no placeholder {m}: there is {n}"),
        ("rsi({n}) < 30", {"n": [5, 1]}, "ranges[0].values[1]", "n = 1: period of rsi must be from 2 to"),
        ("rsi({n}) < 30", {"n": [5.5]}, "ranges[0].values[0]", "n = 5.5: period of rsi must be a whole"),
        ("rsi({n}) < 30", {"n": ["a"]}, "ranges[0].values[0]", "must be a number, not 'a'"),
        ("rsi({n}) < {low}", {"n": [5], "low": [1e301]}, "ranges[1].values[0]", "must be from -1e+300"),
        ("sma({a} - {b}) > 1", {"a": [5, 9], "b": [3, 6]}, "ranges", "a = 5, b = 6: period of sma must be"),
    ],
    ids=str,
)
def test_a_bad_placeholder_or_value_is_named(
    entry: str, ranges: dict[str, Any], field: str, reason: str
) -> None:
    with pytest.raises(InvalidInput) as caught:
        grid_of(rules_of(entry), **ranges)
    (violation,) = caught.value.violations
    assert violation.field == field
    assert reason in violation.reason


def test_rules_that_are_wrong_whatever_the_values_are_refused() -> None:
    wrong = CustomRules(call("less", call("rsi", Number(5), Placeholder("n")), 30))
    with pytest.raises(InvalidInput, match=r"strategy\.rules\.entry\.arguments\[0\].*must read a column"):
        grid_of(wrong, n=[5, 6])


@pytest.mark.parametrize(
    ("setting", "field", "reason"),
    [
        (
            SettingValues("capital", (Execution(),)),
            "execution_ranges[0].name",
            "cannot be swept: there are",
        ),
        (SettingValues("direction", ()), "execution_ranges[0].values", "from 1 to 10,000 are needed, not 0"),
        (
            SettingValues("stop_loss", (Execution(), Execution(stop_loss=Distance(1.5)))),
            "execution_ranges[0].values[1].stop_loss.fraction",
            "must be above 0 and at most 1, not 1.5",
        ),
        (
            SettingValues("fee_rate", (Execution(fee_rate=0.03),)),
            "execution_ranges[0].values[0].fee_rate",
            "unless execution.allow_high_costs is true",
        ),
        (
            SettingValues("fill_time", (Execution(), Execution())),
            "execution_ranges[0].values[1]",
            "occurs twice",
        ),
    ],
)
def test_a_bad_setting_is_named(setting: SettingValues, field: str, reason: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        make_grid(Rsi(), [], [setting])
    (violation,) = caught.value.violations
    assert violation.field == field
    assert reason in violation.reason


def test_high_costs_that_the_sweep_allows_are_allowed_in_a_range() -> None:
    fees = SettingValues("fee_rate", (Execution(fee_rate=0.03), Execution(fee_rate=0.0)))
    assert make_grid(Rsi(), [], [fees], Execution(allow_high_costs=True)).size == 2


def test_combinations_of_all_dimensions_count_for_the_limit() -> None:
    fees = SettingValues("fee_rate", tuple(Execution(fee_rate=number / 1e6) for number in range(1_001)))
    with pytest.raises(InvalidInput, match="ranges: the ranges have 1,001,000 combinations, and at most"):
        make_grid(Rsi(), [ParameterValues("oversold", [number / 50 for number in range(1_000)])], [fees])
