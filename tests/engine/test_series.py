"""The series that are drawn are those that the signals saw, to the bit."""

from dataclasses import fields, replace

import numpy as np
import pytest

from backcast_engine import (
    STRATEGIES,
    Backtest,
    BreakRule,
    Distance,
    Execution,
    Window,
    backtest_series,
    run_backtest,
)
from backcast_engine.breaks import Break
from backcast_engine.candles import PriceColumn, TimeColumn
from backcast_engine.errors import NotFound, Refused
from backcast_engine.history import History
from backcast_engine.interval import Interval
from backcast_engine.rules.compared import compared_series
from backcast_engine.strategies.buy_and_hold import BuyAndHold
from backcast_engine.strategies.rsi import Rsi
from tests.candle_making import START_S, longer_candles, random_candles

HOURS = 3_000
BUILT_IN = [strategy for name, strategy in STRATEGIES.items() if name != "rules"]
# From the 700th hour on: before it are candles for the warm-up, and a break among them.
WINDOW = Window(START_S + 700 * 3600, START_S + HOURS * 3600)


def break_after(hour):
    return Break(START_S + hour * 3600, START_S + (hour + 1) * 3600, 1.0, 1_000.0)


BREAKS = (break_after(100), break_after(1_501), break_after(2_000))


def backtest_of(strategy, interval=Interval.HOUR_1, execution=None, window=WINDOW):
    return Backtest(strategy, interval, window, execution or Execution())


def what_the_signals_saw(history, backtest):
    """Return opening times and values of the series as they were in the evaluations of a backtest."""
    strategy = backtest.strategy
    compared = [each.expression for each in compared_series(strategy.rules())]
    evaluations = {}

    class Recording(type(strategy)):  # type: ignore[misc]
        def signals(self, evaluation):
            evaluations[int(evaluation.candles.open_time_s[-1])] = evaluation
            return super().signals(evaluation)

    parameters = {field.name: getattr(strategy, field.name) for field in fields(strategy)}
    run_backtest(history, replace(backtest, strategy=Recording(**parameters)))
    times: list[TimeColumn] = []
    values: list[list[PriceColumn]] = [[] for _ in compared]
    for _, evaluation in sorted(evaluations.items()):
        in_window = evaluation.candles.open_time_s >= backtest.window.start_s
        times.append(evaluation.candles.open_time_s[in_window])
        for columns, expression in zip(values, compared, strict=True):
            columns.append(evaluation.series(expression)[in_window])
    return np.concatenate(times), [np.concatenate(columns) for columns in values]


@pytest.mark.parametrize("strategy", BUILT_IN, ids=lambda strategy: strategy.name)
@pytest.mark.parametrize("breaks", [(), BREAKS], ids=["whole", "breaks"])
@pytest.mark.parametrize("interval", [Interval.HOUR_1, Interval.HOUR_4])
@pytest.mark.parametrize("rule", [BreakRule.CLOSE, BreakRule.SPLIT, BreakRule.IGNORE])
def test_series_are_what_the_signals_saw(strategy, breaks, interval, rule):
    hours = random_candles(7, HOURS)
    history = History(hours if interval is Interval.HOUR_1 else longer_candles(hours, interval), breaks)
    backtest = backtest_of(strategy(), interval, Execution(break_rule=rule))
    series = backtest_series(history, backtest)
    times, values = what_the_signals_saw(history, backtest)
    assert series.open_time_s.tobytes() == times.tobytes()
    assert [row.tobytes() for row in series.values] == [row.tobytes() for row in values]
    if strategy is not BuyAndHold:
        assert np.isfinite(series.values).any(axis=1).all()


def test_there_is_a_warm_up_before_the_window_and_none_after_a_break():
    history = History(random_candles(7, HOURS), BREAKS)
    series = backtest_series(history, backtest_of(Rsi(period=14)))
    (undefined,) = np.nonzero(np.isnan(series.values[0]))
    # Fourteen candles after each break in the window; its own first candles are warm.
    assert undefined.tolist() == [*range(802, 816), *range(1_301, 1_315)]


def test_the_warm_up_is_that_of_the_execution_too():
    history = History(random_candles(7, HOURS))
    stop = Execution(stop_loss=Distance(atr_multiple=3.0), atr_period=30)
    short, long = (
        backtest_series(history, backtest_of(Rsi(period=3), execution=execution))
        for execution in (Execution(), stop)
    )
    assert short.values.tobytes() != long.values.tobytes()
    _, (seen,) = what_the_signals_saw(history, backtest_of(Rsi(period=3), execution=stop))
    assert long.values[0].tobytes() == seen.tobytes()


def test_candles_that_straddle_a_break_have_no_values():
    longer = longer_candles(random_candles(7, HOURS), Interval.HOUR_4)
    series = backtest_series(History(longer, BREAKS), backtest_of(Rsi(), Interval.HOUR_4))
    straddling = {START_S + 1_500 * 3600, START_S + 2_000 * 3600}
    in_window = set(longer.open_time_s[longer.open_time_s >= WINDOW.start_s].tolist())
    assert straddling < in_window
    assert set(series.open_time_s.tolist()) == in_window - straddling


def test_prices_alone_make_no_series_and_have_their_times():
    series = backtest_series(History(random_candles(7, HOURS)), backtest_of(BuyAndHold()))
    assert series.values.shape == (0, HOURS - 700)
    assert len(series.open_time_s) == HOURS - 700


def test_what_has_no_backtest_has_no_series():
    history = History(random_candles(7, 10))
    with pytest.raises(NotFound):
        backtest_series(history, backtest_of(Rsi()))
    with pytest.raises(Refused, match="need 15 candles, and there are 10"):
        backtest_series(history, backtest_of(Rsi(), window=Window(START_S, START_S + 36_000)))
