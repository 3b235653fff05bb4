"""Means and deviations from ticks: the float64 next to the exact one, and in the exact order."""

import math
from collections.abc import Sequence
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from backcast_engine import indicators
from backcast_engine.candles import Candles
from backcast_engine.rules import Evaluation
from backcast_engine.rules.nodes import CLOSE, OPEN, Call, Expression, call
from backcast_engine.rules.ticks import WindowedTicks, ticks_of


def candles_of(closes: list[float], opens: list[float] | None = None) -> Candles:
    close = np.array(closes)
    open_ = close if opens is None else np.array(opens)
    return Candles(3600 * np.arange(len(close)), open_, close, close, close, close)


def decimals(low: int, high: int, places: int) -> st.SearchStrategy[float]:
    """Return prices of `places` decimals, from `low` to `high` ticks."""
    return st.integers(low, high).map(lambda ticks: float(f"{ticks}e-{places}"))


def closes(most_ticks: int = 10**9) -> st.SearchStrategy[list[float]]:
    return st.integers(0, 10).flatmap(
        lambda places: st.lists(decimals(1, most_ticks, places), min_size=1, max_size=60)
    )


def exact_windows(values: list[float], period: int) -> list[list[Fraction]]:
    written = [Fraction(repr(value)) for value in values]
    return [written[end - period : end] for end in range(period, len(written) + 1)]


def weighted_mean(window: list[Fraction]) -> Fraction:
    weights = range(1, len(window) + 1)
    return sum((weight * value for weight, value in zip(weights, window, strict=True)), Fraction()) / sum(
        weights
    )


def mean(window: list[Fraction]) -> Fraction:
    return sum(window, Fraction()) / len(window)


MEANS = {"sma": mean, "wma": weighted_mean}


@settings(max_examples=300)
@given(closes(), st.integers(1, 70), st.sampled_from(sorted(MEANS)))
def test_a_mean_is_the_float64_next_to_the_exact_one(values: list[float], period: int, name: str) -> None:
    found = WindowedTicks(candles_of(values)).windowed(call(name, CLOSE, period))
    assert found is not None
    undefined = min(period - 1, len(values))
    assert np.isnan(found[:undefined]).all()
    assert found[undefined:].tolist() == [float(MEANS[name](each)) for each in exact_windows(values, period)]


@settings(max_examples=300)
@given(closes(most_ticks=10**7), st.integers(2, 70))
def test_a_deviation_is_exact_to_the_last_bits(values: list[float], period: int) -> None:
    found = WindowedTicks(candles_of(values)).windowed(call("stddev", CLOSE, period))
    assert found is not None
    for deviation, window in zip(found[period - 1 :], exact_windows(values, period), strict=True):
        centre = mean(window)
        variance = mean([(value - centre) ** 2 for value in window])
        # One rounding of the variance, of its root and of the quotient.
        assert deviation == pytest.approx(math.sqrt(variance), rel=4e-16, abs=0)


def test_running_sums_that_wrap_around_give_the_right_windows() -> None:
    # The squares of 2,000 such ticks add up to 2 * 10^21, and an int64 ends at 9 * 10^18.
    values = (10**9 + np.arange(2000) % 7).astype(float)
    ticks = WindowedTicks(candles_of(values.tolist()))
    found = ticks.windowed(call("stddev", CLOSE, 7))
    assert found is not None
    assert found[6:].tolist() == [2.0] * 1994


SERIES = st.one_of(
    st.sampled_from([CLOSE, OPEN]),
    st.builds(
        call,
        st.sampled_from(["sma", "wma", "shift", "highest", "lowest"]),
        st.sampled_from([CLOSE, OPEN]),
        st.integers(1, 6),
    ),
)


def exact_series(node: Expression, candles: Candles) -> Sequence[Fraction | None]:
    column = (
        candles.open if node == OPEN or (isinstance(node, Call) and OPEN in node.arguments) else candles.close
    )
    if not isinstance(node, Call):
        return [Fraction(repr(value)) for value in column.tolist()]
    of = {
        **MEANS,
        "shift": lambda window: window[0],
        "highest": max,
        "lowest": min,
    }[node.function]
    period = int(node.arguments[1].value) + (node.function == "shift")  # type: ignore[union-attr]  # a Number
    windows = exact_windows(column.tolist(), period)
    return [None] * (len(column) - len(windows)) + [of(window) for window in windows]


@settings(max_examples=400)
@given(st.data(), SERIES, SERIES)
def test_series_that_keep_the_exact_order_are_ordered_as_on_paper(
    data: st.DataObject, left: Expression, right: Expression
) -> None:
    # Few ticks, so that many are equal; or as many as a float64 has, so that rounding joins some.
    most, places = data.draw(st.sampled_from([(12, 8), (10**6, 2), (10**15, 0), (10**14, 6)]))
    columns = st.lists(decimals(max(1, most - 20), most, places), min_size=12, max_size=12)
    candles = candles_of(data.draw(columns), data.draw(columns))
    ticks = WindowedTicks(candles)
    if not ticks.keeps_exact_order(left, right):
        event("not distinguished")
        return
    event("distinguished")

    def column(node: Expression) -> np.ndarray:
        if not isinstance(node, Call):
            return candles.close if node == CLOSE else candles.open
        found = ticks.windowed(node)
        if found is None:
            of = candles.close if node.arguments[0] == CLOSE else candles.open
            found = getattr(indicators, node.function)(of, int(node.arguments[1].value))  # type: ignore[union-attr]
        return found

    for first, second, *exact in zip(
        column(left), column(right), exact_series(left, candles), exact_series(right, candles), strict=True
    ):
        if None not in exact:
            assert np.sign(first - second) == np.sign(float(exact[0] - exact[1]))


def test_means_that_are_rounded_to_the_same_float64_are_not_in_the_exact_order() -> None:
    # Above 10^15 - 10, which has no room for it: 3/7 on the average of seven, and 2/5 of five.
    candles = candles_of([1e15 - 10 + more for more in (1, 0, 0, 0, 0, 1, 1)])
    seven, five = call("sma", CLOSE, 7), call("sma", CLOSE, 5)
    ticks = WindowedTicks(candles)
    means = ticks.windowed(seven), ticks.windowed(five)
    assert means[0] is not None
    assert means[1] is not None
    assert means[0][-1] == means[1][-1]
    assert not ticks.keeps_exact_order(seven, five)
    assert Evaluation(candles).condition(seven > five).tolist() == [False] * 6 + [True]


@pytest.mark.parametrize(
    "values",
    [[1.0, np.nan, 2.0], [1.0, np.inf], [1e22, 1.0], [1 / 3, 0.5], [1e-30]],
    ids=["undefined", "infinite", "too large", "too many digits", "too small"],
)
def test_what_is_no_decimal_has_no_ticks(values: list[float]) -> None:
    assert ticks_of(np.array(values)) is None
    ticks = WindowedTicks(candles_of(values))
    assert ticks.windowed(call("sma", CLOSE, 1)) is None
    assert not ticks.keeps_exact_order(call("sma", CLOSE, 1), CLOSE)


def test_sums_that_a_float64_could_not_hold_are_not_made() -> None:
    ticks = WindowedTicks(candles_of([1e15, 1e15 - 1] * 50))
    assert ticks.windowed(call("sma", CLOSE, 9)) is not None
    assert ticks.windowed(call("sma", CLOSE, 10)) is None
    assert ticks.windowed(call("wma", CLOSE, 4)) is None
    assert ticks.windowed(call("sma", call("add", CLOSE, CLOSE), 2)) is None


@given(closes(), st.integers(0, 22))
def test_a_wrong_guess_of_decimals_gives_the_same_values(values: list[float], guess: int) -> None:
    guessed, found = ticks_of(np.array(values), guess), ticks_of(np.array(values))
    assert guessed is not None
    assert found is not None
    for ticks in (guessed, found):
        written = [Fraction(number, 10**ticks.decimals) for number in ticks.numbers.tolist()]
        assert written == [Fraction(repr(value)) for value in values]
        assert (ticks.least, ticks.greatest) == (ticks.numbers.min(), ticks.numbers.max())
