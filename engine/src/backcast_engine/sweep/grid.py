"""The combinations of a strategy's parameters."""

import asyncio
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import islice, product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backcast_engine.errors import InvalidInput, Violation
from backcast_engine.near_names import did_you_mean
from backcast_engine.parameters import Choices, Parameter, fault_of, parameters_of, range_violations
from backcast_engine.strategies import Strategy

MAX_VALUES = 10_000
MAX_COMBINATIONS = 1_000_000
# Most violations that are reported for a range.
_VIOLATIONS_SHOWN = 10
# A twentieth of a second's work: a call that is cancelled stops there.
_SLICE = 10_000


@dataclass(frozen=True, slots=True)
class ParameterValues:
    """A parameter and the values that it takes, as a client gave them: numbers, or names of choices."""

    name: str
    values: Sequence[float | str]


@dataclass(frozen=True, slots=True)
class Grid:
    """Every combination of the values of some of a strategy's parameters; the others are those of `base`.

    Positions count all combinations from 0 in the order of itertools.product: the last parameter changes
    first. Combinations in which parameters conflict have a position too, and are not `possible`.
    """

    base: Strategy
    names: tuple[str, ...]
    values: tuple[tuple[Any, ...], ...]

    @property
    def size(self) -> int:
        """The number of positions."""
        return math.prod(map(len, self.values))

    def combination(self, position: int) -> tuple[Any, ...]:
        """Return the values at a position, in the order of `names`."""
        chosen = []
        for values in reversed(self.values):
            position, index = divmod(position, len(values))
            chosen.append(values[index])
        return tuple(reversed(chosen))

    def strategy(self, position: int) -> Strategy:
        """Return the strategy at a position."""
        return replace(self.base, **dict(zip(self.names, self.combination(position), strict=True)))

    def possible(self, start: int = 0, stop: int | None = None) -> NDArray[np.int64]:
        """Return the positions from `start` to before `stop` whose parameters do not conflict, ascending."""
        stop = self.size if stop is None else min(stop, self.size)
        if type(self.base).conflicts is Strategy.conflicts:
            return np.arange(start, stop)
        kind = type(self.base)
        given = {parameter.name: getattr(self.base, parameter.name) for parameter in parameters_of(kind)}
        found = []
        for position, chosen in enumerate(islice(product(*self.values), start, stop), start):
            given.update(zip(self.names, chosen, strict=True))
            if not kind(**given).conflicts(""):
                found.append(position)
        return np.array(found, np.int64)


def make_grid(base: Strategy, ranges: Sequence[ParameterValues]) -> Grid:
    """Return the grid of `ranges`; raise InvalidInput, naming the field, if there can be none.

    Fields are `ranges[1].name`, `ranges[1].values[3]`, and the strategy's own for what has no range.
    """
    if not ranges:
        raise InvalidInput.of("ranges", "at least one parameter with its values is needed")
    declared = {parameter.name: parameter for parameter in parameters_of(type(base))}
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
    size = math.prod(len(given.values) for given in ranges)
    if size > MAX_COMBINATIONS:
        reason = f"the ranges have {size:,} combinations, and at most {MAX_COMBINATIONS:,} are allowed"
        violations.insert(0, Violation("ranges", reason))
    if violations:
        raise InvalidInput(*violations[:_VIOLATIONS_SHOWN])
    return Grid(base, tuple(given.name for given in ranges), tuple(values))


def _no_such_parameter(base: Strategy, name: str, declared: dict[str, Parameter]) -> str:
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
