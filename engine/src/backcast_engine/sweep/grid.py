"""The combinations of a strategy's parameters, and of settings of its execution."""

import asyncio
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice, product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backcast_engine.errors import InvalidInput, Violation
from backcast_engine.execution import Execution
from backcast_engine.interval import Interval
from backcast_engine.near_names import did_you_mean
from backcast_engine.parameters import Choices, Parameter, fault_of, parameters_of, range_violations
from backcast_engine.rules import Rules
from backcast_engine.rules.placeholders import labels_of, numbers_of_several, refused_values
from backcast_engine.strategies import Strategy
from backcast_engine.strategies.custom_rules import CustomRules
from backcast_engine.sweep.positions import Positions
from backcast_engine.sweep.settings import SettingValues, setting_violations, with_settings

MAX_VALUES = 10_000
MAX_COMBINATIONS = 1_000_000
# Of which a search backtests some: positions are int64.
MAX_SEARCHED = 10**18
# Most violations that are reported for a range.
_VIOLATIONS_SHOWN = 10
# A twentieth of a second's work: a call that is cancelled stops there.
_SLICE = 10_000


@dataclass(frozen=True, slots=True)
class ParameterValues:
    """A parameter and the values that it takes, as a client gave them: numbers, or names of choices.

    Of rules, the parameters are the placeholders.
    """

    name: str
    values: Sequence[float | str]


@dataclass(frozen=True, slots=True)
class Grid(Positions):
    """Every combination of the values of some of a strategy's parameters; the others are those of `base`.

    The settings of the execution are dimensions like the parameters, after these, and so are intervals where
    there are several, before them. Positions count all combinations from 0 in the order of itertools.product:
    the last dimension changes first. Combinations in which parameters conflict have a position too, and are
    not `possible`.
    """

    base: Strategy
    names: tuple[str, ...]
    values: tuple[tuple[Any, ...], ...]
    settings: tuple[SettingValues, ...] = ()
    intervals: tuple[Interval, ...] = ()

    @property
    def dimensions(self) -> tuple[Sequence[Any], ...]:
        """The values of each dimension, in order."""
        intervals = (self.intervals,) if self.intervals else ()
        return (*intervals, *self.values, *(setting.values for setting in self.settings))

    @property
    def _executions(self) -> int:
        return math.prod(len(setting.values) for setting in self.settings)

    @property
    def scales(self) -> tuple[Sequence[Any], ...]:
        """The values of each dimension as a search compares them: numbers and distances have an order."""
        intervals = ([interval.seconds for interval in self.intervals],) if self.intervals else ()
        return (*intervals, *self.values, *(setting.scale for setting in self.settings))

    def is_possible(self, position: int) -> bool:
        """Return whether the parameters at a position do not conflict."""
        return not self.strategy(position).conflicts("")

    def strategy(self, position: int) -> Strategy:
        """Return the strategy at a position."""
        indexes = self.indexes(position)[1 if self.intervals else 0 :]
        chosen = zip(self.names, self.values, indexes, strict=False)
        return self.base.with_values({name: values[index] for name, values, index in chosen})

    def execution(self, position: int, base: Execution) -> Execution:
        """Return the execution at a position, which is `base` in what is no setting of the grid."""
        if not self.settings:
            return base
        return with_settings(base, self.settings, self.indexes(position)[-len(self.settings) :])

    def interval(self, position: int, base: Interval) -> Interval:
        """Return the interval at a position, which is `base` where there are not several."""
        return self.intervals[self.indexes(position)[0]] if self.intervals else base

    @property
    def of_one_interval(self) -> "Grid":
        """The same grid without its intervals."""
        return replace(self, intervals=())

    def possible(self, start: int = 0, stop: int | None = None) -> NDArray[np.int64]:
        """Return the positions from `start` to before `stop` whose parameters do not conflict, ascending."""
        stop = self.size if stop is None else min(stop, self.size)
        if type(self.base).conflicts is Strategy.conflicts:
            return np.arange(start, stop)
        kind, each = type(self.base), self._executions
        given = {parameter.name: getattr(self.base, parameter.name) for parameter in parameters_of(kind)}
        found = []
        strategies = start // each, -(-stop // each)
        dimensions = (range(max(len(self.intervals), 1)), *self.values)
        for number, (_, *chosen) in enumerate(islice(product(*dimensions), *strategies), strategies[0]):
            given.update(zip(self.names, chosen, strict=True))
            if not kind(**given).conflicts(""):
                found.append(number)
        positions = (np.array(found, np.int64)[:, None] * each + np.arange(each)).ravel()
        return positions[(positions >= start) & (positions < stop)]


def make_grid(
    base: Strategy,
    ranges: Sequence[ParameterValues],
    settings: Sequence[SettingValues] = (),
    execution: Execution = Execution(),  # noqa: B008  # it is immutable
    intervals: Sequence[Interval] = (),
    most: int = MAX_COMBINATIONS,
) -> Grid:
    """Return the grid of `ranges` and `settings`; raise InvalidInput, naming the field, if there can be none.

    Fields are `ranges[1].name`, `ranges[1].values[3]`, `execution_ranges[0].values[2]`, and the strategy's
    own for what has no range. `execution` is that of the sweep, of which the settings are varied, and `most`
    the greatest number of combinations.
    """
    if not ranges and not settings and len(intervals) < 2:
        raise InvalidInput.of("ranges", "at least one parameter with its values is needed")
    declared = {parameter.name: parameter for parameter in base.swept_parameters()}
    violations = []
    taken: set[str] = set()
    values = []
    for index, given in enumerate(ranges):
        field = f"ranges[{index}]"
        if given.name not in declared:
            violations.append(Violation(f"{field}.name", _no_such_parameter(base, given.name, declared)))
        elif given.name in taken:
            violations.append(Violation(f"{field}.name", f"{given.name} has a range already"))
        elif not 0 < len(given.values) <= MAX_VALUES:
            reason = f"from 1 to {MAX_VALUES:,} are needed, not {len(given.values):,}"
            violations.append(Violation(f"{field}.values", reason))
        else:
            converted, faults = _converted(declared[given.name], given.values, field)
            violations += faults
            values.append(converted)
        taken.add(given.name)
    violations += [
        violation
        for violation in range_violations(base, f"strategy.{base.name}")
        if violation.field.rpartition(".")[2] not in taken
    ]
    violations += setting_violations(execution, settings, MAX_VALUES)
    if isinstance(base, CustomRules):
        violations += placeholders_without_range(base, taken)
    violations += [
        Violation(f"intervals[{index}]", f"{interval.value} occurs twice")
        for index, interval in enumerate(intervals)
        if interval in intervals[:index]
    ]
    size = math.prod(len(given.values) for given in ranges) * math.prod(len(one.values) for one in settings)
    size *= max(len(intervals), 1)
    if size > most:
        reason = f"the ranges have {size:,} combinations, and at most {most:,} are allowed"
        reason += ", unless a search chooses some" if most < MAX_SEARCHED else ""
        violations.insert(0, Violation("ranges", reason))
    grid = Grid(base, tuple(given.name for given in ranges), tuple(values), tuple(settings), tuple(intervals))
    if isinstance(base, CustomRules) and not violations:
        violations = list(islice(_refused(base, grid), _VIOLATIONS_SHOWN)) or grid.strategy(0).violations()
    if violations:
        raise InvalidInput(*violations[:_VIOLATIONS_SHOWN])
    return grid


def placeholders_without_range(base: CustomRules, taken: set[str]) -> list[Violation]:
    """Return a violation for each condition with placeholders that have no range."""
    violations = []
    for field, condition in (("entry", base.entry), ("exit", base.exit)):
        labels = labels_of(Rules(condition)) if condition else ()
        without = [f"{{{label}}}" for label in labels if label not in taken]
        if without:
            have = "have" if len(without) > 1 else "has"
            reason = f"{', '.join(without)} {have} no range: a placeholder needs a range of values"
            violations.append(Violation(f"strategy.{base.name}.{field}", reason))
    return violations


def _refused(base: CustomRules, grid: Grid) -> Iterator[Violation]:
    """Yield a violation for each value of a placeholder that a function refuses, with its combination."""
    by_name = dict(zip(grid.names, grid.values, strict=True))
    for labels in numbers_of_several(base.rules()):
        count = math.prod(len(by_name[label]) for label in labels)
        if count > MAX_COMBINATIONS:
            names = " and ".join(f"{{{label}}}" for label in labels)
            yield Violation(
                "ranges",
                f"{names} make one number of a function, and have {count:,} combinations: at most "
                f"{MAX_COMBINATIONS:,} are allowed",
            )
            return
    for given, reason in refused_values(base.rules(), by_name):
        field = "ranges"
        if len(given) == 1:
            ((name, value),) = given.items()
            field = f"ranges[{grid.names.index(name)}].values[{by_name[name].index(value)}]"
        combination = ", ".join(f"{name} = {value:g}" for name, value in given.items())
        yield Violation(field, f"{combination}: {reason}")


def _no_such_parameter(base: Strategy, name: str, declared: dict[str, Parameter]) -> str:
    if isinstance(base, CustomRules):
        there = ", ".join(f"{{{label}}}" for label in declared)
        instead = f"there {'are' if len(declared) > 1 else 'is'} {there}" if there else "write rsi({n})"
        return f"the rules have no placeholder {{{name[:40]}}}: {instead}"
    if not declared:
        return f"{base.name} has no parameters that can be swept"
    hint = did_you_mean(name[:40], declared, f"it has {', '.join(declared)}")
    return f"{base.name} has no parameter {name[:40]!r}: {hint}"


def _converted(
    parameter: Parameter, values: Sequence[float | str], field: str
) -> tuple[tuple[Any, ...], list[Violation]]:
    """Return the values in the parameter's type, and their violations."""
    converted = [_value(parameter, value) for value in values]
    violations = []
    seen = set()
    for index, value in enumerate(converted):
        reason = fault_of(parameter, value)
        if not reason and value in seen:
            reason = f"{value} occurs twice"
        if reason:
            violations.append(Violation(f"{field}.values[{index}]", reason))
        seen.add(value)
    return tuple(converted), violations


def _value(parameter: Parameter, value: float | str) -> Any:
    """Return a value in the parameter's type if it can be converted, or unchanged."""
    if isinstance(parameter.spec, Choices):
        return parameter.spec.options(value) if value in list(parameter.spec.options) else value
    if isinstance(value, str):
        return value
    if parameter.type is int:
        return int(value) if float(value).is_integer() else value
    return float(value)


async def possible_positions(grid: Grid) -> NDArray[np.int64]:
    """Return the positions in the grid whose parameters do not conflict, ascending; a thread finds them."""
    return np.concatenate(
        [
            await asyncio.to_thread(grid.possible, start, start + _SLICE)
            for start in range(0, grid.size, _SLICE)
        ]
    )
