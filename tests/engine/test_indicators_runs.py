"""What holds for every indicator: where it begins, runs of defined values, no look-ahead, no infinity."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backcast_engine import indicators
from backcast_engine.interval import Interval

from .indicator_cases import CASES, HOSTILE, bollinger_bands, walk
from .inputs import make_candles
from .random_inputs import histories, periods

HOUR = Interval.HOUR_1
LENGTH = 120


def bits(columns):
    return [column.tobytes() for column in columns]


def begins(column):
    """Return the index of the first value; the length if there is none."""
    return int(np.flatnonzero(~np.isnan([*column, 0.0]))[0])


def columns_with_holes(case, seed, holes):
    """Return the case's columns of a random history, with NaN or infinite in a share of the candles."""
    rng = np.random.default_rng(seed)
    close = walk(seed, LENGTH)
    candles = make_candles(np.concatenate((close[:1], close[:-1])), close)
    columns = [getattr(candles, name) for name in case.columns]
    for column in columns:
        column[rng.random(LENGTH) < holes] = rng.choice([np.nan, np.inf, -np.inf])
    return columns


# What lies between the two makes no difference to them.
OF_TWO_VALUES = ("shift", "momentum", "roc")


def runs_of(columns):
    """Return the maximal slices in which all columns are finite."""
    edges = np.diff(np.concatenate(([0], np.isfinite(columns).all(axis=0), [0])).astype(int))
    return [slice(a, b) for a, b in zip(np.flatnonzero(edges == 1), np.flatnonzero(edges == -1), strict=True)]


@pytest.mark.parametrize("name", CASES)
def test_the_first_value_is_as_early_as_it_can_be(name):
    close = walk(1, LENGTH)
    candles = make_candles(np.concatenate((close[:1], close[:-1])), close)
    for period in (2, 9):
        results = CASES[name].of(candles, period)
        assert tuple(map(begins, results)) == CASES[name].first(period)
        assert all(not np.isnan(column[begins(column) :]).any() for column in results)


@pytest.mark.parametrize("name", [name for name in CASES if name != "true_range"])
def test_a_period_longer_than_the_series_gives_no_value(name):
    for length in (0, 1, 13):
        results = CASES[name].of(make_candles(walk(2, length)), 14)
        assert all(column.shape == (length,) and np.isnan(column).all() for column in results)


@pytest.mark.parametrize("name", [name for name in CASES if name not in OF_TWO_VALUES])
@settings(max_examples=25)
@given(seed=st.integers(0, 2**32), holes=st.sampled_from([0.01, 0.05, 0.3]), period=periods(1))
def test_each_run_is_a_series_of_its_own(name, seed, holes, period):
    case = CASES[name]
    columns = columns_with_holes(case, seed, holes)
    results = case.results(columns, period)
    expected = [np.full(LENGTH, np.nan) for _ in results]
    for run in runs_of(columns):
        for column, part in zip(
            expected, case.results([column[run] for column in columns], period), strict=True
        ):
            column[run] = part
    for ours, theirs in zip(results, expected, strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("name", CASES)
@settings(max_examples=25)
@given(candles=histories(HOUR), period=periods(1), data=st.data())
def test_the_beginning_alone_gives_the_beginning(name, candles, period, data):
    length = data.draw(st.integers(0, len(candles)))
    whole, beginning = CASES[name].of(candles, period), CASES[name].of(candles[:length], period)
    assert bits(column[:length] for column in whole) == bits(beginning)


@pytest.mark.parametrize("name", CASES)
@settings(max_examples=15)
@given(seed=st.integers(0, 2**32), period=periods(1), length=st.integers(0, LENGTH))
def test_the_beginning_of_a_series_with_holes_gives_the_beginning(name, seed, period, length):
    columns = columns_with_holes(CASES[name], seed, 0.03)
    whole = CASES[name].results(columns, period)
    beginning = CASES[name].results([column[:length] for column in columns], period)
    assert bits(column[:length] for column in whole) == bits(beginning)


@pytest.mark.parametrize("series", HOSTILE)
@pytest.mark.parametrize("name", CASES)
def test_the_beginning_of_a_hostile_series_gives_the_beginning(name, series):
    candles = make_candles(HOSTILE[series])
    for period in (1, 14):
        whole = CASES[name].of(candles, period)
        for length in (2, 100, 101, 137, 151, 299):
            assert bits(column[:length] for column in whole) == bits(CASES[name].of(candles[:length], period))


@pytest.mark.parametrize("name", CASES)
@settings(max_examples=25)
@given(seed=st.integers(0, 2**32), period=periods(1), signs=st.booleans())
def test_no_value_of_an_indicator_is_infinite(name, seed, period, signs):
    # Of any size, zeros included. A warning would fail the test.
    rng = np.random.default_rng(seed)
    columns = [10.0 ** rng.uniform(-330, 308, LENGTH) for _ in CASES[name].columns]
    if signs:
        columns = [column * rng.choice([-1, 1], LENGTH) for column in columns]
    huge = [np.resize([1.7e308, -1.7e308, 1.7e308], LENGTH) for _ in columns]
    for result in (*CASES[name].results(columns, period), *CASES[name].results(huge, period)):
        assert not np.isinf(result).any()


def test_bands_however_wide_are_not_infinite():
    close = walk(6, 30)
    for column in (
        indicators.supertrend(close, close, close, 3, 1e308),
        *indicators.keltner_channel(close, close, close, 3, 3, 1e308),
        *bollinger_bands(close, 3, 1e308),
    ):
        assert not np.isinf(column).any()


@pytest.mark.parametrize("name", CASES)
def test_columns_of_any_make_stay_untouched(name, tmp_path):
    close = walk(3, LENGTH)
    candles = make_candles(np.concatenate((close[:1], close[:-1])), close)
    columns = [getattr(candles, column) for column in CASES[name].columns]
    before, expected = bits(columns), bits(CASES[name].results(columns, 5))
    for column in columns:
        column.flags.writeable = False
    assert bits(CASES[name].results(columns, 5)) == expected
    mapped = []
    for i, column in enumerate(columns):
        column.tofile(tmp_path / str(i))
        mapped.append(np.memmap(tmp_path / str(i), np.float64, "r"))
    assert bits(CASES[name].results(mapped, 5)) == expected
    strided = [np.repeat(column, 2)[::2] for column in columns]
    assert bits(CASES[name].results(strided, 5)) == expected
    assert bits(columns) == before


def test_an_average_of_an_rsi_begins_where_the_rsi_begins():
    values = indicators.rsi(walk(4, 100), 14)
    average = indicators.ema(values, 5)
    assert begins(average) == 14 + 4
    assert average[14:].tobytes() == indicators.ema(values[14:], 5).tobytes()


def test_values_between_two_values_do_no_harm():
    values = np.array([1.0, np.nan, 4, np.inf, 2])
    np.testing.assert_array_equal(indicators.shift(values, 2), [np.nan, np.nan, 1, np.nan, 4])
    np.testing.assert_array_equal(indicators.momentum(values, 2), [np.nan, np.nan, 3, np.nan, -2])
    np.testing.assert_array_equal(indicators.roc(values, 2), [np.nan, np.nan, 300, np.nan, -50])


def test_a_quotient_by_zero_costs_a_warmup():
    rates = indicators.roc(np.array([1.0, 2, 0, 4, 5, 6, 9]), 1)
    np.testing.assert_allclose(rates, [np.nan, 100, -100, np.nan, 25, 20, 50], rtol=1e-15)
    np.testing.assert_allclose(indicators.sma(rates, 2), [np.nan, np.nan, 0, np.nan, np.nan, 22.5, 35])


def test_without_room_the_stochastic_is_neutral():
    flat = np.full(20, 0.1)
    k = indicators.stochastic_k(flat, flat, flat, 5, 3)
    assert k[6:].tolist() == [50.0] * 14
    assert indicators.sma(k, 3)[8:].tolist() == [50.0] * 12


@pytest.mark.parametrize("name", [name for name in CASES if name != "true_range"])
def test_periods_that_make_no_sense_are_refused(name):
    # The value of 0 candles ago is this one, of -1 ago the next: nobody knows it.
    for period in (-1,) if name in OF_TWO_VALUES else (0, -30):
        with pytest.raises(ValueError, match="period"):
            CASES[name].of(make_candles(walk(5, 30)), period)


def test_columns_of_different_lengths_are_refused():
    close = walk(5, 30)
    with pytest.raises(ValueError, match="lengths"):
        indicators.true_range(close, close[:-1], close)
