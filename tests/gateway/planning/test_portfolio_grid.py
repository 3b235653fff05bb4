"""The grid of a sweep over portfolios: which portfolio is at a position, and what is wrong with ranges."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from backcast_engine import Distance, Execution
from backcast_engine.errors import InvalidInput
from backcast_engine.portfolio import PortfolioSize, Rebalancing, WeightedStrategy
from backcast_engine.rules.parse import parse
from backcast_engine.rules.signature import ValueKind
from backcast_engine.strategies.custom_rules import CustomRules
from backcast_engine.strategies.ma_cross import MaCross
from backcast_engine.strategies.rsi import Rsi
from backcast_engine.strategies.supertrend import Supertrend
from backcast_engine.sweep import ParameterValues, SettingValues
from services.domain.errors import TooLarge
from services.gateway.planning.portfolio_grid import (
    OwnValues,
    PortfolioGrid,
    make_portfolio_grid,
)
from services.gateway.planning.portfolio_sweep_plan import (
    PortfolioSweepPlan,
    PortfolioSweepRequest,
    make_portfolio_sweep_plan,
)
from tests.gateway.planning.test_portfolio_plan import DAY_S, END_S, REQUEST, known

STOPS = SettingValues("stop_loss", (Execution(stop_loss=Distance(fraction=0.1)), Execution()))


def grid_of(
    *strategies: Any, ranges: Any = (), settings: Any = (), own: Any = (), **fields: Any
) -> PortfolioGrid:
    weight = 1 / max(len(strategies), 1)
    base = replace(REQUEST, strategies=tuple(WeightedStrategy(each, weight) for each in strategies), **fields)
    named = [ParameterValues(name, values) for name, values in ranges]
    return make_portfolio_grid(base, named, settings, [OwnValues(name, values) for name, values in own])


def faults(*strategies: Any, **fields: Any) -> list[str]:
    with pytest.raises(InvalidInput) as caught:
        grid_of(*strategies, **fields)
    return [violation.field for violation in caught.value.violations]


def test_a_name_is_that_of_all_strategies_and_of_the_rank() -> None:
    rules = CustomRules(parse("rsi({period}) < {low}", "entry"))
    grid = grid_of(
        *(rules, Rsi(), MaCross()),
        rank=parse("roc({period} * 2)", "rank", ValueKind.SERIES),
        ranges=[("period", [5, 9]), ("low", [30.0])],
        settings=[STOPS],
        own=[("max_positions", (2, None)), ("rebalancing", (None, Rebalancing(24)))],
    )
    assert grid.size == 16
    # The last dimension changes first.
    assert [grid.indexes(position) for position in (0, 1, 2, 15)] == [
        *((0, 0, 0, 0, 0), (0, 0, 0, 0, 1), (0, 0, 0, 1, 0), (1, 0, 1, 1, 1)),
    ]
    first, last = grid.request(0), grid.request(15)
    assert last.strategies[0].strategy == CustomRules(parse("rsi(9) < 30", "entry"))
    assert [each.strategy for each in last.strategies[1:]] == [Rsi(9), MaCross()]
    assert last.rank == parse("roc(18)", "rank", ValueKind.SERIES)
    assert (first.max_positions, first.rebalancing, first.run.execution) == (2, None, STOPS.values[0])
    assert (last.max_positions, last.rebalancing, last.run.execution) == (None, Rebalancing(24), Execution())
    assert grid.possible().tolist() == list(range(16))


def test_a_rank_that_is_swept_takes_the_place_of_that_of_the_portfolio() -> None:
    ranks = tuple(parse(text, "rank", ValueKind.SERIES) for text in ("roc(5)", "rsi(7)"))
    grid = grid_of(Rsi(), rank=parse("close", "rank", ValueKind.SERIES), own=[("rank", (*ranks, None))])
    assert [grid.request(position).rank for position in range(3)] == [*ranks, None]


def test_combinations_that_conflict_are_not_possible() -> None:
    grid = grid_of(MaCross(), ranges=[("fast", [10, 20]), ("slow", [15, 30])])
    assert grid.possible().tolist() == [0, 1, 3]
    sizes = SettingValues("size", (Execution(), Execution(equity_fraction=0.5), Execution(quote_amount=9.0)))
    own = [("size", (None, PortfolioSize.EQUAL)), ("rebalancing", (None, Rebalancing(5)))]
    grid = grid_of(Rsi(), settings=[sizes], own=own)
    possible = [grid.indexes(position) for position in grid.possible().tolist()]
    # Equal shares are no other size, and an amount is no target.
    left = {(0, equal, every) for equal in (0, 1) for every in (0, 1)} | {(1, 0, 0), (1, 0, 1), (2, 0, 0)}
    assert set(possible) == left


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, ["ranges"]),
        ({"ranges": [("nope", [1])]}, ["ranges[0].name"]),
        ({"ranges": [("period", [5]), ("period", [6])]}, ["ranges[1].name"]),
        ({"ranges": [("oversold", [20]), ("period", [5, 1])]}, ["ranges[1].values[1]"]),
        ({"ranges": [("period", [])]}, ["ranges[0].values"]),
        ({"ranges": [("period", list(range(2, 300))), ("oversold", list(range(1, 100)))]}, ["ranges"]),
        ({"own": [("benchmark", ("A",))]}, ["portfolio_ranges[0].name"]),
        ({"own": [("size", (None,)), ("size", (None,))]}, ["portfolio_ranges[1].name"]),
        ({"own": [("max_positions", ())]}, ["portfolio_ranges[0].values"]),
        ({"own": [("max_positions", (3, 0))]}, ["portfolio_ranges[0].values[1].max_positions"]),
        (
            {"own": [("rebalancing", (Rebalancing(0), Rebalancing(1, 2.0)))]},
            [
                "portfolio_ranges[0].values[0].rebalancing.every",
                "portfolio_ranges[0].values[1].rebalancing.threshold",
            ],
        ),
        (
            {"own": [("rank", (parse("close > 3", "rank", ValueKind.CONDITION),))]},
            ["portfolio_ranges[0].values[0].rank"],
        ),
        ({"ranges": [("period", [5])], "max_positions": 0}, ["max_positions"]),
        # What has a range takes its values from there.
        (
            {"own": [("max_positions", (0,))], "max_positions": 0},
            ["portfolio_ranges[0].values[0].max_positions"],
        ),
    ],
)
def test_what_is_wrong_with_ranges_is_named(fields: dict[str, Any], expected: list[str]) -> None:
    assert faults(Rsi(), **fields) == expected


def test_what_is_wrong_with_one_of_several_strategies_is_named_by_its_number() -> None:
    rules = CustomRules(parse("rsi({n}) < {m}", "entry"))
    assert faults(Supertrend(), rules, ranges=[("n", [5])]) == ["strategies[1].strategy.rules.entry"]
    assert faults(rules, Rsi(1), ranges=[("n", [5, 0]), ("m", [1])]) == [
        *("ranges[0].values[1]", "strategies[1].strategy.rsi.period")
    ]


def planned(grid: PortfolioGrid, cryptos: int = 20, **fields: Any) -> PortfolioSweepPlan:
    asked = PortfolioSweepRequest(
        grid, **{"split": None, "metric": "", "best_count": 0, "min_trades": None} | fields
    )
    there = known(*(f"C{number:02}" for number in range(cryptos)))
    return make_portfolio_sweep_plan(asked, grid.possible(), there, END_S + DAY_S)


def test_compute_is_asked_for_as_many_portfolios_at_once_as_fit_into_memory() -> None:
    swept: dict[str, Any] = {"own": [("max_positions", (1, 2))]}
    assert planned(grid_of(Rsi(), **swept)).at_once == 32
    assert planned(grid_of(Rsi(), **swept), cryptos=1_000).at_once == 3
    assert planned(grid_of(Rsi(), Supertrend(), **swept), cryptos=1_000).at_once == 1
    with pytest.raises(TooLarge):
        planned(grid_of(Rsi(), **swept), cryptos=3_000)


def test_a_split_makes_two_portfolios_of_each_combination() -> None:
    plan = planned(grid_of(Rsi(), own=[("max_positions", (1, 2, 3))]), split=0.75)
    assert (plan.portfolios, plan.backtests) == (6, 6 * 20)
    train, test = plan.portfolio(1, 0), plan.portfolio(1, 1)
    assert train.max_positions == test.max_positions == 2
    assert train.window.end_s == test.window.start_s
    assert np.isclose((train.window.end_s - train.window.start_s) / (365 * DAY_S), 0.75, atol=0.001)


def test_more_places_than_cryptos_are_named_by_their_value() -> None:
    with pytest.raises(
        InvalidInput, match=r"portfolio_ranges\[0\]\.values\[1\]\.max_positions: must be from 1 to 3"
    ):
        planned(grid_of(Rsi(), own=[("max_positions", (3, 4))]), cryptos=3)
