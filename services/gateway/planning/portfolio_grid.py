"""The combinations of a sweep over portfolios: of parameters, of the execution, and of the account."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backcast_engine import Strategy
from backcast_engine.errors import InvalidInput, Violation
from backcast_engine.interval import Interval
from backcast_engine.near_names import did_you_mean
from backcast_engine.portfolio import WeightedStrategy
from backcast_engine.rules import Expression
from backcast_engine.rules.nodes import call
from backcast_engine.strategies.custom_rules import CustomRules
from backcast_engine.sweep import Grid, ParameterValues, Positions, SettingValues, make_grid
from backcast_engine.sweep.grid import MAX_SEARCHED, MAX_VALUES, placeholders_without_range
from backcast_engine.sweep.settings import setting_violations, with_settings
from services.gateway.planning.portfolio_plan import PortfolioRequest

# An account takes some hundredths of a second: so many take minutes.
MAX_COMBINATIONS = 10_000
# The fields of a PortfolioRequest that can be swept.
OWN_SETTINGS = ("max_positions", "rank", "size", "rebalancing")


@dataclass(frozen=True, slots=True)
class OwnValues:
    """A setting of a portfolio, one of OWN_SETTINGS, and its values; None is what it is by default."""

    name: str
    values: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class PortfolioGrid(Positions):
    """Every combination of intervals, parameters, settings of the execution, and the portfolio's own.

    `names` and `values` are those of the parameters, as a client gave them: a name is that of all strategies
    that have it, and of the rank. `swept` has, of each strategy and last of the rank where there is one, the
    parameters that are its own, typed; the rank stands in rules.
    """

    base: PortfolioRequest
    names: tuple[str, ...]
    values: tuple[tuple[float | str, ...], ...]
    settings: tuple[SettingValues, ...]
    own: tuple[OwnValues, ...]
    swept: tuple[Grid, ...]
    intervals: tuple[Interval, ...] = ()

    @property
    def dimensions(self) -> tuple[Sequence[Any], ...]:
        """The values of each dimension, in order."""
        others = *(one.values for one in self.settings), *(one.values for one in self.own)
        return (*self._interval_values, *self.values, *others)

    @property
    def scales(self) -> tuple[Sequence[Any], ...]:
        """The values of each dimension as a search compares them: numbers and distances have an order."""
        intervals = ([interval.seconds for interval in each] for each in self._interval_values)
        others = *(one.scale for one in self.settings), *(one.values for one in self.own)
        return (*intervals, *self.values, *others)

    @property
    def _interval_values(self) -> tuple[Sequence[Interval], ...]:
        return (self.intervals,) if self.intervals else ()

    def request(self, position: int) -> PortfolioRequest:
        """Return the portfolio at a position."""
        indexes = self.indexes(position)
        by_name = self._by_name(indexes)
        strategies = tuple(
            WeightedStrategy(_with(grid, by_name), each.weight)
            for grid, each in zip(self.swept, self.base.strategies, strict=False)
        )
        account = replace(self._account(indexes), strategies=strategies)
        return (
            account
            if self.base.rank is None
            else replace(account, rank=_rank_of(_with(self.swept[-1], by_name)))
        )

    def is_possible(self, position: int) -> bool:
        """Return whether the values at a position do not conflict."""
        indexes = self.indexes(position)
        by_name = self._by_name(indexes)
        # Making a strategy takes time, and most have no parameters that can conflict.
        can_conflict = [one for one in self.swept if type(one.base).conflicts is not Strategy.conflicts]
        if any(_with(grid, by_name).conflicts("") for grid in can_conflict):
            return False
        return not self._account(indexes).account_conflicts()

    def possible(self) -> NDArray[np.int64]:
        """Return the positions whose values do not conflict, ascending."""
        return np.array([position for position in range(self.size) if self.is_possible(position)], np.int64)

    def interval(self, position: int) -> Interval:
        """Return the length of the candles at a position."""
        return self.intervals[self.indexes(position)[0]] if self.intervals else self.base.run.interval

    def _by_name(self, indexes: Sequence[int]) -> dict[str, int]:
        """Return the indexes of the values of parameters, by name."""
        return dict(zip(self.names, indexes[len(self._interval_values) :], strict=False))

    def _account(self, indexes: Sequence[int]) -> PortfolioRequest:
        """Return the portfolio at these indexes, but without the values of parameters."""
        run = self.base.run
        interval = self.intervals[indexes[0]] if self.intervals else run.interval
        settings = len(self._interval_values) + len(self.names)
        own = settings + len(self.settings)
        execution = with_settings(run.execution, self.settings, indexes[settings:own])
        fields = {one.name: one.values[index] for one, index in zip(self.own, indexes[own:], strict=True)}
        return replace(self.base, run=replace(run, interval=interval, execution=execution), **fields)


def make_portfolio_grid(
    base: PortfolioRequest,
    ranges: Sequence[ParameterValues],
    settings: Sequence[SettingValues],
    own: Sequence[OwnValues],
    intervals: Sequence[Interval] = (),
    most: int = MAX_COMBINATIONS,
) -> PortfolioGrid:
    """Return the grid of ranges; raise InvalidInput, naming every bad field, if there can be none.

    Where there are `intervals`, that of the portfolio is the longest; `most` is the greatest number of
    combinations. Fields are `ranges[1].values[3]`,
    `execution_ranges[0].values[2]`, `portfolio_ranges[0].name`, and those of the portfolio for what has no
    range.
    """
    swept = [each.strategy for each in base.strategies]
    paths = [f"strategies[{index}]." for index in range(len(swept))]
    if base.rank is not None and not any(one.name == "rank" for one in own):
        swept.append(_as_rules(base.rank))
        paths.append("")
    violations = [
        Violation(f"intervals[{index}]", f"{interval.value} occurs twice")
        for index, interval in enumerate(intervals)
        if interval in intervals[:index]
    ]
    if not (ranges or settings or own or len(intervals) > 1):
        violations.append(Violation("ranges", "at least one range is needed"))
    violations += _name_violations(swept, ranges)
    grids = []
    for strategy, path in zip(swept, paths, strict=True):
        grid, found = _grid_of(strategy, ranges)
        grids.append(grid)
        found = found or strategy.interval_violations(base.run.interval)
        violations += [_located(each, path) for each in found]
    violations += setting_violations(base.run.execution, settings, MAX_VALUES)
    violations += _own_violations(base, own)
    violations += _base_violations(base, own)
    size = max(len(intervals), 1) * math.prod(len(one.values) for one in ranges)
    size *= math.prod(len(one.values) for one in settings) * math.prod(len(one.values) for one in own)
    if size > most:
        reason = f"the ranges have {size:,} combinations, and at most {most:,} are allowed"
        reason += ", unless a search chooses some" if most < MAX_SEARCHED else ""
        violations.insert(0, Violation("ranges", reason))
    if violations:
        raise InvalidInput(*violations)
    return PortfolioGrid(
        base=base if len(swept) > len(base.strategies) else replace(base, rank=None),
        names=tuple(one.name for one in ranges),
        values=tuple(tuple(one.values) for one in ranges),
        settings=tuple(settings),
        own=tuple(own),
        swept=tuple(grids),
        intervals=tuple(intervals),
    )


def _with(grid: Grid, indexes: Mapping[str, int]) -> Strategy:
    """Return the strategy of a grid with the values that have these indexes in their ranges."""
    chosen = zip(grid.names, grid.values, strict=True)
    return grid.base.with_values({name: values[indexes[name]] for name, values in chosen})


def _as_rules(rank: Expression) -> CustomRules:
    """Return rules that have the rank's placeholders and its warm-up."""
    return CustomRules(call("greater", rank, 0))


def _rank_of(rules: Strategy) -> Expression:
    (rank, _) = rules.rules().entry.arguments  # type: ignore[union-attr]  # a call
    return rank


def _located(violation: Violation, path: str) -> Violation:
    """Return a violation of a strategy by its path in the portfolio; that of the rank is empty."""
    field = violation.field
    if not field.startswith("strategy."):
        return violation
    if path:
        return Violation(path + field, violation.reason)
    field = field.removeprefix("strategy.rules.entry").removeprefix(".arguments[0]")
    return Violation("rank" + field, violation.reason)


def _name_violations(swept: Sequence[Strategy], ranges: Sequence[ParameterValues]) -> list[Violation]:
    declared = {parameter.name for strategy in swept for parameter in strategy.swept_parameters()}
    found, taken = [], set()
    for index, given in enumerate(ranges):
        field = f"ranges[{index}]"
        if given.name not in declared:
            there = f"there are {', '.join(sorted(declared))}" if declared else "there are none"
            hint = did_you_mean(given.name[:40], declared, there)
            reason = f"no strategy has a parameter, and no rule a placeholder, {given.name[:40]!r}: {hint}"
            found.append(Violation(f"{field}.name", reason))
        elif given.name in taken:
            found.append(Violation(f"{field}.name", f"{given.name} has a range already"))
        elif not 0 < len(given.values) <= MAX_VALUES:
            reason = f"from 1 to {MAX_VALUES:,} are needed, not {len(given.values):,}"
            found.append(Violation(f"{field}.values", reason))
        taken.add(given.name)
    return found


def _grid_of(strategy: Strategy, ranges: Sequence[ParameterValues]) -> tuple[Grid, list[Violation]]:
    """Return the grid of those ranges that a strategy has, and what is wrong with it."""
    declared = {parameter.name for parameter in strategy.swept_parameters()}
    places = {
        given.name: index
        for index, given in reversed([*enumerate(ranges)])
        if given.name in declared and 0 < len(given.values) <= MAX_VALUES
    }
    alone = Grid(strategy, (), ())
    if not places:
        missing = placeholders_without_range(strategy, set()) if isinstance(strategy, CustomRules) else []
        return alone, missing or strategy.violations()
    indexes = sorted(places.values())
    try:
        return make_grid(strategy, [ranges[index] for index in indexes], most=MAX_SEARCHED), []
    except InvalidInput as error:
        renamed = []
        for each in error.violations:
            head, bracket, rest = each.field.partition("]")
            if bracket and head.startswith("ranges["):
                head = f"ranges[{indexes[int(head.removeprefix('ranges['))]}"
            renamed.append(Violation(head + bracket + rest, each.reason))
        return alone, renamed


def _own_violations(base: PortfolioRequest, own: Sequence[OwnValues]) -> list[Violation]:
    """Return what is wrong with the values of the portfolio's own settings, each by itself."""
    found, taken = [], set()
    # Whether values fit to each other, depends on the combination.
    alone = replace(base, max_positions=None, rank=None, size=None, rebalancing=None)
    for index, one in enumerate(own):
        field = f"portfolio_ranges[{index}]"
        if one.name not in OWN_SETTINGS:
            hint = did_you_mean(one.name[:40], OWN_SETTINGS, f"there are {', '.join(OWN_SETTINGS)}")
            found.append(Violation(f"{field}.name", f"cannot be swept: {hint}"))
        elif one.name in taken:
            found.append(Violation(f"{field}.name", f"{one.name} has a range already"))
        elif not 0 < len(one.values) <= MAX_VALUES:
            reason = f"from 1 to {MAX_VALUES:,} are needed, not {len(one.values):,}"
            found.append(Violation(f"{field}.values", reason))
        else:
            for place, value in enumerate(one.values):
                faults = replace(alone, **{one.name: value}).violations() if value is not None else []
                found += [
                    Violation(f"{field}.values[{place}].{fault.field}", fault.reason)
                    for fault in faults
                    if _root(fault.field) == one.name and not _is_conflict(fault)
                ]
                if value in one.values[:place]:
                    found.append(Violation(f"{field}.values[{place}]", "occurs twice"))
        taken.add(one.name)
    return found


def _is_conflict(fault: Violation) -> bool:
    """Return whether it is one of `PortfolioRequest.conflicts`, which only some combinations have."""
    return fault.field in ("size", "rebalancing")


def _base_violations(base: PortfolioRequest, own: Sequence[OwnValues]) -> list[Violation]:
    """Return what is wrong with the portfolio beside its strategies, its rank, and what has a range."""
    without: dict[str, Any] = dict.fromkeys(one.name for one in own if one.name in OWN_SETTINGS)
    given = replace(base, **{**without, "rank": None})
    return [
        fault
        for fault in given.violations()
        if not fault.field.startswith("strategies[") or fault.field.endswith("].weight")
    ]


def _root(field: str) -> str:
    return field.partition(".")[0].partition("[")[0]
