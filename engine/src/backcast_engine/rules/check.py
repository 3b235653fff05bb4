"""Validates expressions, and finds the columns, lookback and warm-up that they need."""

from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import islice

from backcast_engine.candles import VALUE_COLUMNS
from backcast_engine.errors import Violation
from backcast_engine.interval import Interval
from backcast_engine.rules.functions import FUNCTIONS
from backcast_engine.rules.nodes import (
    Call,
    Column,
    Expression,
    Number,
    On,
    OtherCandles,
    Placeholder,
    Rules,
    on_other_candles,
    walk,
)
from backcast_engine.rules.signature import Constant, Function, Input, ValueKind

MAX_NODES = 200
MAX_DEPTH = 32
# Of different cryptos, or of different lengths.
MAX_OTHER_CANDLES = 8
# Largest number: sums over a period stay far from overflowing.
MAX_NUMBER = 1e300


def rules_violations(rules: Rules, prefix: str) -> list[Violation]:
    """Return a violation for each invalid part of `rules`; fields are `prefix`.entry and so on."""
    violations = condition_violations(rules.entry, f"{prefix}.entry")
    if rules.exit is not None:
        violations += condition_violations(rules.exit, f"{prefix}.exit")
        both = {node.candles for one in rules.conditions() for node in on_other_candles(one)}
        if not violations and (fault := other_candles_fault(both)):
            violations = [Violation(f"{prefix}.exit", f"together with the entry, it {fault}")]
    return violations


def condition_violations(expression: Expression, field: str) -> list[Violation]:
    """Return the violations of an expression that must be a condition; fields are named from `field`."""
    return _expression_violations(expression, ValueKind.CONDITION, field)


def series_violations(expression: Expression, field: str) -> list[Violation]:
    """Return the violations of an expression that must be a series; fields are named from `field`."""
    return _expression_violations(expression, ValueKind.SERIES, field)


def _expression_violations(expression: Expression, wanted: ValueKind, field: str) -> list[Violation]:
    depth = _depth(expression)
    if depth > MAX_DEPTH:
        return [Violation(field, f"is nested {depth} deep, at most {MAX_DEPTH} are allowed")]
    # Counting stops early, because one node can be an argument many times.
    size = sum(not isinstance(node, On) for node in islice(walk(expression), 100 * MAX_NODES))
    if size > MAX_NODES:
        return [Violation(field, f"has {size} parts, at most {MAX_NODES} are allowed")]
    if fault := other_candles_fault({node.candles for node in on_other_candles(expression)}):
        return [Violation(field, fault)]
    return _violations(expression, wanted, field)


def _depth(expression: Expression) -> int:
    deepest, level = 0, [expression]
    while level:
        deepest += 1
        parts = (node.part if isinstance(node, On) else node for node in level)
        level = [child for node in parts if isinstance(node, Call) for child in node.arguments]
        if deepest > 10 * MAX_DEPTH or len(level) > MAX_NODES:
            break
    return deepest


def _violations(node: Expression, wanted: ValueKind, field: str) -> list[Violation]:
    if isinstance(node, On):
        fault = part_fault(node.part)
        return [Violation(field, fault)] if fault else _violations(node.part, wanted, field)
    gives, fault = ValueKind.SERIES, None
    if isinstance(node, Number):
        fault = number_fault(node.value)
    elif isinstance(node, Column | Placeholder):
        fault = _name_fault(node)
    elif node.function not in FUNCTIONS:
        fault = f"there is no function {node.function!r}"
    else:
        function = FUNCTIONS[node.function]
        gives = function.gives
        if violations := _argument_violations(function, node, field):
            return violations
    if not fault and gives is not wanted:
        fault = f"must be {wanted.value}, not {gives.value}"
    return [Violation(field, fault)] if fault else []


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
            violations += _violations(labels[0], ValueKind.SERIES, place)
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


def part_fault(part: Expression) -> str | None:
    """Return why a part of an expression cannot be on other candles; None if it can."""
    if next(on_other_candles(part), None):
        return "a part on other candles cannot have further parts on other candles: write each by itself"
    return None if varies(part) else "what is the same at every candle cannot be on other candles"


def other_candles_fault(others: set[OtherCandles]) -> str | None:
    """Return why an expression cannot look at so many other candles; None if it can."""
    if len(others) <= MAX_OTHER_CANDLES:
        return None
    return f"looks at {len(others)} series of other candles, at most {MAX_OTHER_CANDLES} are allowed"


def interval_fault(candles: OtherCandles, run: Interval) -> str | None:
    """Return why other candles cannot be looked at on candles of length `run`; None if they can."""
    interval = candles.interval
    if interval is None or interval.seconds > run.seconds:
        return None
    length = "as long as" if interval is run else "shorter than"
    instead = f"leave @{interval.value} out" if interval is run else "only longer ones can be looked at"
    return f"candles of {interval.value} are {length} those of the run, which are of {run.value}: {instead}"


def located_other_candles(expression: Expression, field: str) -> Iterator[tuple[str, OtherCandles]]:
    """Yield the other candles that an expression looks at, and the path of each part that does."""
    if isinstance(expression, On):
        yield field, expression.candles
    elif isinstance(expression, Call):
        for index, argument in enumerate(expression.arguments):
            yield from located_other_candles(argument, f"{field}.arguments[{index}]")


def interval_violations(located: Iterable[tuple[str, OtherCandles]], run: Interval) -> list[Violation]:
    """Return a violation for each path whose other candles cannot be looked at on candles of length `run`."""
    return [
        Violation(f"{field}.interval", fault)
        for field, candles in located
        if (fault := interval_fault(candles, run))
    ]


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
    # Only the functions of time have no arguments.
    return any(
        isinstance(node, Column) or (isinstance(node, Call) and not node.arguments)
        for node in walk(expression)
    )


def columns_of_expression(expression: Expression) -> set[str]:
    """Return the names of the columns that an expression reads, of the run's candles and of others."""
    return {node.name for node in walk(expression) if isinstance(node, Column)}


def lookback(expression: Expression) -> int:
    """Return the number of candles before the first one at which the expression can have a value.

    Parts on other candles count none of these: theirs are candles of their own.
    """
    return _candles_before(expression, False)


def warmup(expression: Expression) -> int:
    """Return the number of candles before a window after which earlier ones have no influence.

    As of `lookback`, parts on other candles count none.
    """
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
