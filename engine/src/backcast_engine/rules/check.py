"""Validates expressions, and finds the columns, lookback and warm-up that they need."""

from functools import lru_cache
from itertools import islice

from backcast_engine.candles import VALUE_COLUMNS
from backcast_engine.errors import Violation
from backcast_engine.rules.functions import FUNCTIONS, Constant, Function, Input, Kind
from backcast_engine.rules.nodes import Call, Column, Expression, Number, Placeholder, Rules, walk

MAX_NODES = 200
MAX_DEPTH = 32
# Largest number: sums over a period stay far from overflowing.
MAX_NUMBER = 1e300


def rules_violations(rules: Rules, prefix: str) -> list[Violation]:
    """Return a violation for each invalid part of `rules`; fields are `prefix`.entry and so on."""
    violations = condition_violations(rules.entry, f"{prefix}.entry")
    if rules.exit is not None:
        violations += condition_violations(rules.exit, f"{prefix}.exit")
    return violations


def condition_violations(expression: Expression, field: str) -> list[Violation]:
    """Return the violations of an expression that must be a condition; fields are named from `field`."""
    return _expression_violations(expression, Kind.CONDITION, field)


def series_violations(expression: Expression, field: str) -> list[Violation]:
    """Return the violations of an expression that must be a series; fields are named from `field`."""
    return _expression_violations(expression, Kind.SERIES, field)


def _expression_violations(expression: Expression, wanted: Kind, field: str) -> list[Violation]:
    depth = _depth(expression)
    if depth > MAX_DEPTH:
        return [Violation(field, f"is nested {depth} deep, at most {MAX_DEPTH} are allowed")]
    # Counting stops early, because one node can be an argument many times.
    size = sum(1 for _ in islice(walk(expression), 100 * MAX_NODES))
    if size > MAX_NODES:
        return [Violation(field, f"has {size} parts, at most {MAX_NODES} are allowed")]
    return _violations(expression, wanted, field)


def _depth(expression: Expression) -> int:
    deepest, level = 0, [expression]
    while level:
        deepest += 1
        level = [child for node in level if isinstance(node, Call) for child in node.arguments]
        if deepest > 10 * MAX_DEPTH or len(level) > MAX_NODES:
            break
    return deepest


def _violations(node: Expression, wanted: Kind, field: str) -> list[Violation]:
    if isinstance(node, Number):
        gives = Kind.SERIES
        if fault := number_fault(node.value):
            return [Violation(field, fault)]
    elif isinstance(node, Column | Placeholder):
        gives = Kind.SERIES
        if fault := _name_fault(node):
            return [Violation(field, fault)]
    else:
        function = FUNCTIONS.get(node.function)
        if function is None:
            return [Violation(field, f"there is no function {node.function!r}")]
        gives = function.gives
        if violations := _argument_violations(function, node, field):
            return violations
    if gives is not wanted:
        return [Violation(field, f"must be {wanted.value}, not {gives.value}")]
    return []


def _name_fault(node: Column | Placeholder) -> str | None:
    if isinstance(node, Placeholder):
        return f"{{{node.label}}} is a placeholder, which only a sweep fills in"
    known = node.name in VALUE_COLUMNS
    return None if known else f"there is no column {node.name!r}: {', '.join(VALUE_COLUMNS)}"


def _argument_violations(function: Function, call: Call, field: str) -> list[Violation]:
    if len(call.arguments) != len(function.arguments):
        return [
            Violation(
                field, f"{function.name} takes {len(function.arguments)} arguments, not {len(call.arguments)}"
            )
        ]
    violations = []
    for index, (argument, node) in enumerate(zip(function.arguments, call.arguments, strict=True)):
        place = f"{field}.arguments[{index}]"
        if isinstance(argument, Input):
            wrong = _violations(node, argument.kind, place)
            if not wrong and (fault := input_fault(function, argument, node)):
                wrong = [Violation(place, fault)]
            violations += wrong
        elif labels := [each for each in walk(node) if isinstance(each, Placeholder)]:
            violations += _violations(labels[0], Kind.SERIES, place)
        elif fault := constant_fault(argument, node):
            violations.append(Violation(place, f"{argument.name} of {function.name} {fault}"))
    return violations


def number_fault(value: float) -> str | None:
    """Return why a number is invalid as a series; None if it is valid."""
    return None if abs(value) <= MAX_NUMBER else f"must be a number up to {MAX_NUMBER:g}, not {value:g}"


def input_fault(function: Function, given: Input, node: Expression) -> str | None:
    """Return why `node` is invalid as a series of a function: an indicator of a constant is a mistake.

    For example, `sma(10 + 10)` was meant as an average over 20 candles.
    """
    if not function.is_indicator or varies(node):
        return None
    return (
        f"{given.name} of {function.name} must read a column, and this is the same at every candle "
        "(a period is one written number)"
    )


def constant_fault(constant: Constant, node: Expression) -> str | None:
    """Return why `node` is invalid as a constant of a function; None if it is valid."""
    if not isinstance(node, Number):
        return "must be a number"
    if constant.whole and not float(node.value).is_integer():
        return f"must be a whole number, not {node.value:g}"
    if not constant.minimum <= node.value <= constant.maximum:
        return f"must be from {constant.minimum:g} to {constant.maximum:g}, not {node.value:g}"
    return None


def varies(expression: Expression) -> bool:
    """Return whether an expression reads a column or the time: all others are the same at every candle."""
    # What tells the time has no arguments.
    return any(
        isinstance(node, Column) or (isinstance(node, Call) and not node.arguments)
        for node in walk(expression)
    )


def columns_of_expression(expression: Expression) -> set[str]:
    """Return the names of the columns that an expression reads."""
    return {node.name for node in walk(expression) if isinstance(node, Column)}


def lookback(expression: Expression) -> int:
    """Return the number of candles before the first one at which the expression can have a value."""
    return _candles_before(expression, False)


def warmup(expression: Expression) -> int:
    """Return the number of candles before a window after which earlier ones have no influence."""
    return _candles_before(expression, True)


# Cached, because the many strategies of a sweep consist of the same few parts.
@lru_cache(maxsize=4096)
def _candles_before(node: Expression, warmup: bool) -> int:
    if not isinstance(node, Call):
        return 0
    function = FUNCTIONS[node.function]
    inputs = len(function.inputs)
    own = (function.warmup if warmup else None) or function.lookback
    before = max((_candles_before(child, warmup) for child in node.arguments[:inputs]), default=0)
    return before + own(*constants_of(node))


@lru_cache(maxsize=4096)
def constants_of(node: Call) -> tuple[int | float, ...]:
    """Return the constants of a checked call, whole numbers as int."""
    function = FUNCTIONS[node.function]
    written = node.arguments[len(function.inputs) :]
    return tuple(
        int(number.value) if constant.whole else number.value
        for constant, number in zip(function.constants, written, strict=True)
        if isinstance(number, Number)
    )
