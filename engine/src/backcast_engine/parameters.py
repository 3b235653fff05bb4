"""Parameters of strategies, declared once in the strategy, with defaults, ranges and help."""

import dataclasses
import math
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from backcast_engine.errors import Violation


@dataclass(frozen=True, slots=True)
class Range:
    """The allowed range of a number, both ends included, and one line of help."""

    minimum: float
    maximum: float
    help: str


@dataclass(frozen=True, slots=True)
class Choices:
    """The allowed values of a choice, and one line of help."""

    options: type[StrEnum]
    help: str


_KEY = "parameter"


def integer(default: int, minimum: int, maximum: int, help_text: str) -> Any:
    """Declare a whole number, as a field of a strategy's dataclass."""
    return field(default=default, metadata={_KEY: Range(minimum, maximum, help_text)})


def number(default: float, minimum: float, maximum: float, help_text: str) -> Any:
    """Declare a number, as a field of a strategy's dataclass."""
    return field(default=default, metadata={_KEY: Range(minimum, maximum, help_text)})


def choice(default: StrEnum, help_text: str) -> Any:
    """Declare a choice among an enumeration's members, as a field of a strategy's dataclass."""
    return field(default=default, metadata={_KEY: Choices(type(default), help_text)})


@dataclass(frozen=True, slots=True)
class Parameter:
    """A declared parameter; `type` is int, float or the StrEnum of its choices."""

    name: str
    type: type
    default: Any
    spec: Range | Choices


def parameters_of(strategy: type) -> list[Parameter]:
    """Return the parameters that a strategy's dataclass declares, in their order."""
    return [
        Parameter(
            name=declared.name,
            type=type(declared.default),
            default=declared.default,
            spec=declared.metadata[_KEY],
        )
        for declared in dataclasses.fields(strategy)
        if _KEY in declared.metadata
    ]


def range_violations(strategy: Any, prefix: str) -> list[Violation]:
    """Return a violation for each invalid parameter; fields are named `prefix`.name."""
    violations = []
    for parameter in parameters_of(type(strategy)):
        value = getattr(strategy, parameter.name)
        if reason := fault_of(parameter, value):
            violations.append(Violation(f"{prefix}.{parameter.name}", reason))
    return violations


def order_violation(strategy: Any, prefix: str, lower: str, upper: str) -> list[Violation]:
    """Return a violation if the parameter `lower` is not below the parameter `upper`."""
    below, above = getattr(strategy, lower), getattr(strategy, upper)
    if below < above:
        return []
    return [Violation(f"{prefix}.{lower}", f"must be below {upper} ({above:g}), not {below:g}")]


def fault_of(parameter: Parameter, value: Any) -> str | None:
    """Return why a parameter's value is invalid; None if it is valid."""
    spec = parameter.spec
    if isinstance(spec, Choices):
        known = isinstance(value, spec.options)
        return None if known else f"must be one of {', '.join(spec.options)}, not {value!r}"
    if parameter.type is int and not isinstance(value, int):
        return f"must be a whole number, not {value!r}"
    if isinstance(value, str):
        return f"must be a number, not {value!r}"
    if math.isfinite(value) and spec.minimum <= value <= spec.maximum:
        return None
    return f"must be from {spec.minimum:.15g} to {spec.maximum:.15g}, not {value:.15g}"
