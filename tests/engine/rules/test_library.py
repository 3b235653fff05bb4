"""TA-Lib's functions as functions of rules: described as there, with its values, and without look-ahead."""

import subprocess
import sys

import numpy as np
import pytest
import talib
from hypothesis import given, settings
from hypothesis import strategies as st
from talib.abstract import Function as Abstract  # type: ignore[attr-defined]

from backcast_engine import Window
from backcast_engine.candles import VALUE_COLUMNS, Candles
from backcast_engine.indicators.library import Memory
from backcast_engine.interval import Interval
from backcast_engine.rules import Evaluation
from backcast_engine.rules.check import lookback, warmup
from backcast_engine.rules.functions import FUNCTIONS, LIBRARY
from backcast_engine.rules.library import described_functions
from backcast_engine.rules.nodes import CLOSE, OPEN, Call, Column, Number, call
from backcast_engine.rules.parse import parse
from backcast_engine.rules.signature import Constant
from backcast_engine.strategies.custom_rules import CustomRules
from tests.engine.inputs import real_candles, run
from tests.engine.random_inputs import histories
from tests.engine.rules.expressions import constants

# Rules have these under the same name, or under another one.
HAVE = {
    *(
        "ADD",
        "SUB",
        "MULT",
        "DIV",
        "SQRT",
        "EXP",
        "MAX",
        "MIN",
        "MINMAX",
        "MINMAXINDEX",
        "MOM",
        "TRANGE",
        "SMA",
    ),
    *("EMA", "WMA", "STDDEV", "ROC", "RSI", "ATR", "MACD", "SUPERTREND", "VWAP"),
}
DESCRIBED = {each.compute.name: each for each in described_functions()}
NAMES = sorted(LIBRARY)
CANDLES = real_candles("BTCUSDT")[:9_000]
SHORTER = {"timeperiod": "period", "fastperiod": "fast", "slowperiod": "slow", "signalperiod": "signal"}


def of_columns(name, numbers=None):
    """Return the call of a function of the usual columns, or where it has none, of close and open."""
    function = FUNCTIONS[name]
    series = [
        Column(one.default) if one.default else usual
        for one, usual in zip(function.inputs, (CLOSE, OPEN), strict=False)
    ]
    if len(series) < len(function.inputs):
        series = [Column(one.default) for one in function.inputs]
    numbers = [Number(one.default) for one in function.constants] if numbers is None else numbers
    return Call(name, (*series, *numbers))


def values(node, candles):
    return Evaluation(candles).series(node)


def test_every_function_of_the_library_is_one_of_rules():
    assert DESCRIBED.keys() | HAVE == set(talib.get_functions())
    assert not DESCRIBED.keys() & HAVE
    assert len(LIBRARY) >= 189


@pytest.mark.parametrize("name", sorted(DESCRIBED))
def test_a_function_is_as_the_library_describes_it(name):
    ours, theirs = DESCRIBED[name], Abstract(name)
    columns = [
        column
        for usual in theirs.input_names.values()
        for column in (usual if isinstance(usual, list) else [usual])
    ]
    # There is no column of periods, and then no default at all.
    expected = [None, None] if name == "MAVP" else columns
    assert [column for _, column in ours.inputs] == expected
    usual_numbers = theirs.parameters
    assert [one.name for one in ours.constants] == [SHORTER.get(one, one) for one in usual_numbers]
    for one, number in zip(ours.constants, usual_numbers.values(), strict=True):
        assert (one.default, one.whole) == (number, isinstance(number, int))
    assert len(ours.parts) == len(theirs.output_names)
    assert ours.compute.lookback(*usual_numbers.values()) == theirs.lookback
    if "Function has an unstable period" in theirs.function_flags:
        assert ours.compute.memory is Memory.FADES
    if "Output is path-dependent" in theirs.function_flags:
        assert ours.compute.memory is not Memory.WINDOW


@pytest.mark.parametrize("name", sorted(DESCRIBED))
def test_the_least_number_is_the_least_that_the_library_takes(name):
    theirs = Abstract(name)
    usual = theirs.parameters
    for one, (key, number) in zip(DESCRIBED[name].constants, usual.items(), strict=True):
        if one.minimum <= -1e9:
            continue
        for lowest, is_taken in ((one.minimum, True), (one.minimum - (1 if one.whole else 0.001), False)):
            theirs.parameters = {**usual, key: type(number)(lowest)}
            assert (theirs.lookback >= 0) is is_taken


@pytest.mark.parametrize("name", NAMES)
def test_values_are_the_librarys_and_begin_behind_the_lookback(name):
    node, function = of_columns(name), FUNCTIONS[name]
    columns = [getattr(CANDLES, column.name) for column in node.arguments[: len(function.inputs)]]
    numbers = [
        int(one.value) if c.whole else one.value
        for one, c in zip(node.arguments[len(columns) :], function.constants, strict=True)
    ]
    found = getattr(talib, function.compute.name)(*columns, *numbers)
    expected = found if function.part is None else found[function.part]
    before = lookback(node)
    ours = values(node, CANDLES)
    assert np.isnan(ours[:before]).all()
    if name.endswith("index"):
        expected = np.arange(len(expected)) - expected
    expected = np.where(np.isfinite(expected), expected, np.nan)
    assert ours[before:].tobytes() == expected[before:].astype(float).tobytes()


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=12)
@given(candles=histories(Interval.HOUR_1), data=st.data())
def test_the_future_changes_nothing_whatever_the_numbers(name, candles, data):
    numbers = [data.draw(_short(one)) for one in FUNCTIONS[name].constants]
    node = of_columns(name, numbers)
    length = data.draw(st.integers(1, len(candles)))
    whole, beginning = values(node, candles), values(node, candles[:length])
    assert whole[:length].tobytes() == beginning.tobytes()
    assert not np.isinf(whole).any()
    assert np.isnan(whole[: lookback(node)]).all()


def _short(constant: Constant):
    if constant.whole and constant.maximum > 13:
        return st.integers(int(constant.minimum), int(constant.minimum) + 9).map(lambda n: Number(float(n)))
    return constants(constant)


@pytest.mark.parametrize("name", NAMES)
def test_values_do_not_depend_on_what_came_before_the_warmup(name):
    node, memory = of_columns(name), FUNCTIONS[name].compute.memory
    if memory is Memory.SUMS:
        # Only where it began is different: an amount, or for an index of volume, a factor.
        whole, later = values(node, CANDLES)[8_000:], values(node, CANDLES[7_000:])[1_000:]
        distance = whole / later if name in ("nvi", "pvi") else whole - later
        np.testing.assert_allclose(distance, distance[0], rtol=1e-6, atol=1e-6)
        return
    start, before = 8_000, warmup(node)
    whole, later = values(node, CANDLES)[start:], values(node, CANDLES[start - before :])[before:]
    size = np.nanmax(np.abs(whole), initial=1e-9)
    np.testing.assert_allclose(later, whole, rtol=0, atol=1e-8 * size)
    # And none of it is more than a warm-up needs: what depends on a window only, looks back no further.
    assert (before == lookback(node)) is (memory is Memory.WINDOW)


@pytest.mark.parametrize("name", NAMES)
def test_an_undefined_value_begins_a_series_anew(name):
    node = of_columns(name)
    hole = 4_000
    columns = [column.copy() for column in CANDLES.columns()]
    for column in columns[1:]:
        column[hole] = np.nan
    broken = values(node, Candles(*columns))
    assert broken[:hole].tobytes() == values(node, CANDLES[:hole]).tobytes()
    assert np.isnan(broken[hole])
    assert broken[hole + 1 :].tobytes() == values(node, CANDLES[hole + 1 :]).tobytes()


def test_a_function_of_a_series_begins_where_the_series_does():
    node = call("linearreg_slope", call("rsi", CLOSE, 14), 20)
    found = values(node, CANDLES)
    assert lookback(node) == 14 + 19 == np.flatnonzero(~np.isnan(found))[0]


def test_results_of_one_function_are_computed_once():
    evaluation = Evaluation(CANDLES)
    upper = evaluation.series(of_columns("bbands_upper"))
    assert np.shares_memory(upper.base, evaluation.series(of_columns("bbands_lower")).base)


def test_periods_in_the_wrong_order_are_those_in_the_right_one():
    ordered, other = (call("mavp", CLOSE, OPEN, *periods, 0) for periods in ((3, 9), (9, 3)))
    assert values(ordered, CANDLES).tobytes() == values(other, CANDLES).tobytes()


def test_adaptive_averages_have_a_longer_warmup():
    assert (
        warmup(call("kama", CLOSE, 10))
        == warmup(call("ma", CLOSE, 10, 6))
        > 4_800
        > warmup(call("ma", CLOSE, 10, 1))
    )


def test_the_library_is_imported_only_where_it_is_needed():
    script = (
        "import sys, backcast_engine\n"
        "from backcast_engine.rules.check import warmup\n"
        "from backcast_engine.rules.parse import parse\n"
        "warmup(parse('rsi(14) < 30 and close > sma(200)', 'it')), parse('adx(14) > 25', 'it')\n"
        "print('talib' in sys.modules)\n"
        "warmup(parse('adx(14) > 25', 'it'))\n"
        "print('talib' in sys.modules)"
    )
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True)
    assert ended.stdout.split() == [b"False", b"True"]


def test_names_are_no_columns():
    assert not LIBRARY & set(VALUE_COLUMNS)


def test_a_backtest_trades_by_the_library_and_forgets_what_was_before_the_warmup():
    strategy = CustomRules(
        parse("adx(14) > 25 and plus_di(14) > minus_di(14)", "it"), parse("mfi(14) > 80", "it")
    )
    window = Window(int(CANDLES.open_time_s[4_000]), int(CANDLES.open_time_s[-1]))
    whole = run(CANDLES, strategy, window=window)
    later = run(CANDLES[4_000 - 1_024 :], strategy, window=window)
    assert strategy.warmup_candles == 20 * 28
    assert whole.warmup_candles == later.warmup_candles == 1_024
    assert len(whole.trades) > 10
    assert whole.trades == later.trades
