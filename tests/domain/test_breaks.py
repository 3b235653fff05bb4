"""A break is another magnitude that stays or follows a long gap; a crash and a wrong price are none."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backcast_engine.breaks import Break, find_breaks
from backcast_engine.candles import Candles

HOUR_S = 3600
NONE = np.empty(0)


def _candles(hours: list[int], open_: list[float], close: list[float]) -> Candles:
    return Candles(np.array(hours, np.int64) * HOUR_S, np.array(open_), NONE, NONE, np.array(close), NONE)


def _flat(prices: list[float]) -> Candles:
    """Hour after hour, each candle at one price."""
    return _candles(list(range(len(prices))), prices, prices)


def _after_hours(candles: Candles) -> list[int]:
    return [each.after_s // HOUR_S for each in find_breaks(candles)]


@pytest.mark.parametrize(
    ("hours", "before", "after", "is_break"),
    [
        (25, 2.5, 25.0, True),
        (25, 25.0, 2.5, True),
        (24, 2.5, 25.0, True),
        (1, 2.5, 25.0, True),
        (1, 2500.0, 2.5, True),
        (1, 2.5, 24.9, False),
        (25, 2.5, 24.9, False),
        (25, 25.0, 2.6, False),
        (24 * 14 + 1, 2.5, 250_000.0, True),
        (9000, 1e-300, 1e300, True),
        (1, 1e300, 1e-300, True),
    ],
)
def test_a_jump_of_price_is_a_break_by_its_size_and_the_gap(
    hours: int, before: float, after: float, is_break: bool
) -> None:
    candles = _candles([10, 10 + hours], [before, after], [before, after])
    expected = [Break(10 * HOUR_S, (10 + hours) * HOUR_S, before, after)] if is_break else []
    assert find_breaks(candles) == expected


def test_breaks_are_in_order_of_time() -> None:
    candles = _candles([0, 100, 101, 200], [1, 10, 10, 1], [1, 10, 10, 1])
    assert _after_hours(candles) == [100, 200]


def test_the_shortest_histories_have_none() -> None:
    for count in (0, 1):
        assert find_breaks(_candles([5] * count, [1] * count, [1] * count)) == []


@pytest.mark.parametrize("factor", [1000, 1 / 1000])
def test_a_split_between_two_candles_is_one(factor: float) -> None:
    assert _after_hours(_flat([7.0] * 50 + [7.0 * factor] * 50)) == [50]


@pytest.mark.parametrize("factor", [1000, 1 / 1000])
@pytest.mark.parametrize("length", [1, 2, 3, 4, 5, 23, 24, 25])
def test_a_price_that_comes_back_within_a_day_was_wrong(factor: float, length: int) -> None:
    candles = _flat([7.0] * 50 + [7.0 * factor] * length + [7.1] * 50)
    # The close that came back belongs to a candle that opens `length` hours after the jump.
    assert _after_hours(candles) == ([] if length < 24 else [50, 50 + length])


def test_a_wrong_open_alone_is_none() -> None:
    assert find_breaks(_candles([0, 1, 2], [7, 7000, 7], [7, 7, 7])) == []


def test_prices_that_jump_about_in_a_wrong_stretch_are_none() -> None:
    assert find_breaks(_flat([100.0] * 5 + [0.1, 0.001, 1.2, 1.2, 0.1] + [100.0] * 30)) == []
    # It opens on its way back and closes at the price before.
    assert find_breaks(_candles([0, 1, 2, 3], [100, 0.1, 1.2, 100], [100, 0.1, 100, 100])) == []


def test_a_break_shortly_after_a_wrong_price_is_one() -> None:
    assert _after_hours(_flat([100.0] * 5 + [0.1] + [100.0] * 4 + [0.05] * 50)) == [10]


def test_a_wrong_price_before_a_break_does_not_hide_it() -> None:
    assert _after_hours(_flat([100.0] * 5 + [0.1] + [1e6] * 50)) == [6]


def test_a_break_at_the_end_of_the_data_is_one_so_far() -> None:
    prices = [100.0] * 5 + [0.1] * 3
    assert _after_hours(_flat(prices)) == [5]
    assert _after_hours(_flat([*prices, 100.0])) == []


def test_a_long_gap_needs_no_staying() -> None:
    hours = [0, 30, 31]
    assert _after_hours(_candles(hours, [1, 12, 12], [1, 12, 2])) == [30]


def _crash(seed: int) -> Candles:
    """A coin that loses 99.99 % in five days, single hours 90 %; every open is the close before."""
    random = np.random.default_rng(seed)
    hourly = np.concatenate((random.normal(0, 0.01, 500), np.full(120, np.log(1e-4) / 120)))
    worst = 500 + random.choice(120, 3, replace=False)
    hourly += np.concatenate((np.zeros(500), random.normal(0, 0.2, 120)))
    hourly[worst] = np.log(0.1)
    close = 80 * np.exp(np.cumsum(np.concatenate((hourly, random.normal(0, 0.3, 300)))))
    open_ = np.concatenate(([80.0], close[:-1]))
    return Candles(np.arange(len(close)) * HOUR_S, open_, NONE, NONE, close, NONE)


@pytest.mark.parametrize("seed", range(20))
def test_a_crash_has_none_and_the_relist_after_it_is_one(seed: int) -> None:
    crash = _crash(seed)
    assert crash.close[500:].min() < 0.02
    assert find_breaks(crash) == []
    relisted_s = int(crash.open_time_s[-1]) + 15 * 24 * HOUR_S
    price = float(crash.close[-1]) * 100_000
    relisted = _candles([relisted_s // HOUR_S + hour for hour in range(50)], [price] * 50, [price] * 50)
    both = Candles.concatenate([crash, relisted])
    assert find_breaks(both) == [Break(int(crash.open_time_s[-1]), relisted_s, float(crash.close[-1]), price)]


def _breaks_by_hand(rows: list[tuple[int, float, float]]) -> list[tuple[int, int]]:
    """The rule, candle by candle, with exact decimals: rows of hour, open and close."""
    found, position = [], 1
    inside: tuple[int, Fraction] | None = None
    for position in range(1, len(rows)):
        (hour_before, _, close), (hour, open_, this_close) = rows[position - 1], rows[position]
        before, after = Fraction(str(close)), Fraction(str(open_))
        if not (before >= 10 * after or after >= 10 * before):
            continue
        if inside:
            (until, left), settled = inside, Fraction(str(this_close))
            ends_near = left < 10 * settled and settled < 10 * left
            if hour < until or (hour == until and ends_near):
                continue
        back_hour = None
        for later_hour, _, later_close in rows[position:]:
            price = Fraction(str(later_close))
            is_nearer = price**2 > before * after if before > after else price**2 < before * after
            if later_hour < hour + 24 and is_nearer:
                back_hour = later_hour
                break
        if hour - hour_before - 1 < 24 and back_hour is not None:
            inside = back_hour, before
            continue
        found.append((hour_before, hour))
    return found


_prices = st.sampled_from([0.001, 0.01, 0.1, 1.0, 3.0, 5.0, 9.9, 30.0, 100.0, 1000.0])
_steps = st.one_of(st.just(1), st.integers(1, 5), st.sampled_from([20, 24, 25, 26, 400]))


@given(st.lists(st.tuples(_steps, st.one_of(st.none(), _prices), _prices), max_size=60))
def test_breaks_are_what_the_rule_says_candle_by_candle(drawn: list[tuple[int, float | None, float]]) -> None:
    rows: list[tuple[int, float, float]] = []
    for step, open_, close in drawn:
        hour, before = (rows[-1][0], rows[-1][2]) if rows else (0, close)
        # Most candles open at the close before, as real ones do.
        rows.append((hour + step, before if open_ is None else open_, close))
    candles = _candles(*map(list, zip(*rows, strict=True))) if rows else Candles.empty()
    assert [
        (each.before_s // HOUR_S, each.after_s // HOUR_S) for each in find_breaks(candles)
    ] == _breaks_by_hand(rows)
