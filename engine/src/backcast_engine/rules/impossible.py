"""Conditions that can never hold, whatever the candles: they are refused with the reason."""

from collections.abc import Iterator
from itertools import combinations
from math import inf

from backcast_engine.rules.limits import SeriesLimits, limits_of
from backcast_engine.rules.nodes import CLOSE, HIGH, LOW, OPEN, Call, Expression, On, constant_value
from backcast_engine.rules.text import place_text, text

_PRICES = (OPEN, HIGH, LOW, CLOSE)
# A comparison that asks for a price above the highest, and one below the lowest.
_ABOVE = frozenset(("greater", "crosses_above"))
_BELOW = frozenset(("less", "crosses_below"))
# By comparison, what left may be beside right where it holds: below it (-1), equal (0), above it (1).
ORDERS = {
    "less": {-1},
    "less_equal": {-1, 0},
    "greater": {1},
    "greater_equal": {0, 1},
    "equal": {0},
    "not_equal": {-1, 1},
    "crosses_above": {1},
    "crosses_below": {-1},
}


def impossible(condition: Call) -> str | None:
    """Return why a condition can never hold, and what to write where that is clear; None if it may.

    It is about what a call says by itself: its parts have been looked at before.
    """
    if condition.function == "and":
        return _contradiction(condition)
    if condition.function in ORDERS:
        return _beyond_extreme(condition) or _beyond_limits(condition)
    return None


def _beyond_extreme(comparison: Call) -> str | None:
    """Return why a price is never above the highest high: this candle is among the highest of the last."""
    if comparison.function not in _ABOVE | _BELOW:
        return None
    left, right = comparison.arguments
    suffix = ""
    if isinstance(left, On) and isinstance(right, On) and left.candles == right.candles:
        suffix = place_text(left.candles)
        left, right = left.part, right.part
    for price, extreme, above in ((left, right, _ABOVE), (right, left, _BELOW)):
        name, widest = ("highest", HIGH) if comparison.function in above else ("lowest", LOW)
        if (
            price in _PRICES
            and isinstance(extreme, Call)
            and extreme.function == name
            and extreme.arguments[0] in (price, widest)
        ):
            return _advice(price, extreme, suffix)
    return None


def _advice(price: Expression, extreme: Call, suffix: str) -> str:
    written, side = text(extreme), "above" if extreme.function == "highest" else "below"
    return (
        f"{text(price)}{suffix} is never {side} {written}{suffix}, which includes this candle: compare with "
        f"{written}[1]{suffix}, which ends at the last one"
    )


def _beyond_limits(comparison: Call) -> str | None:
    """Return why the limits of two series do not allow what a comparison asks for."""
    left, right = comparison.arguments
    (low, high), (least, most) = limits_of(left), limits_of(right)
    possible = {
        order
        for order, is_possible in (
            (-1, low < most),
            (0, low <= most and least <= high),
            (1, high > least),
        )
        if is_possible
    }
    crosses = comparison.function.startswith("crosses")
    # A crossing also needs a candle before it at which it had not crossed yet.
    before = {-order for order in ORDERS[comparison.function]} | {0} if crosses else possible
    if ORDERS[comparison.function] & possible and before & possible:
        return None
    words = [words for series in (left, right) if (words := _limit_words(series))]
    verb = "never crosses" if crosses else "never holds"
    return f"this {verb}: {' and '.join(words)}" if words else f"this {verb}"


def _limit_words(series: Expression) -> str:
    """Return between which numbers a series is; empty for a number."""
    low, high = limits_of(series)
    if constant_value(series) is not None or (low, high) == (-inf, inf):
        return ""
    if high == inf:
        return f"{text(series)} is at least {low:g}"
    if low == -inf:
        return f"{text(series)} is at most {high:g}"
    return f"{text(series)} is from {low:g} to {high:g}"


def _contradiction(both: Call) -> str | None:
    """Return which two comparisons of an `and` never hold together."""
    comparisons = [*_comparisons(both)]
    for first, second in combinations(comparisons, 2):
        if _exclude_orders(first, second) or _exclude_numbers(first, second):
            return f"{text(first)} and {text(second)} never hold together"
    return None


def _comparisons(condition: Expression) -> Iterator[Call]:
    """Yield the comparisons that all have to hold."""
    if not isinstance(condition, Call):
        return
    if condition.function == "and":
        for part in condition.arguments:
            yield from _comparisons(part)
    elif condition.function in ORDERS:
        yield condition


def _exclude_orders(first: Call, second: Call) -> bool:
    """Return whether two comparisons of the same two series ask for different orders of them."""
    orders = ORDERS[second.function]
    if first.arguments == second.arguments:
        return not ORDERS[first.function] & orders
    if first.arguments == second.arguments[::-1]:
        return not ORDERS[first.function] & {-order for order in orders}
    return False


def _exclude_numbers(first: Call, second: Call) -> bool:
    """Return whether two comparisons with numbers ask the same series to be in places that do not meet."""
    asked, other = _asked(first), _asked(second)
    if not (asked and other) or asked[0] != other[0]:
        return False
    (_, one, is_one_open), (_, two, is_two_open) = asked, other
    low, high = max(one.low, two.low), min(one.high, two.high)
    # Where the two meet in one number only, both must contain it.
    return low > high or (low == high and (is_one_open or is_two_open))


def _asked(comparison: Call) -> tuple[Expression, SeriesLimits, bool] | None:
    """Return the series that is compared with a number, where it has to be, and if without the ends."""
    left, right = comparison.arguments
    orders, series, number = ORDERS[comparison.function], left, constant_value(right)
    if number is None:
        orders, series, number = {-order for order in orders}, right, constant_value(left)
    if number is None or orders == {-1, 1}:
        return None
    low = number if -1 not in orders else -inf
    high = number if 1 not in orders else inf
    return series, SeriesLimits(low, high), 0 not in orders
