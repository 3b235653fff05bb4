"""Many strategies on one window: in any order, or alone, the same bits."""

import random
from dataclasses import astuple

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from backcast_engine import METRIC_NAMES, Backtest, Detail, TradedWindow, metrics_of, run_backtest
from backcast_engine.candles import Candles
from backcast_engine.errors import NotFound, Refused
from backcast_engine.history import History
from backcast_engine.interval import Interval
from backcast_engine.strategies.rsi import Rsi
from backcast_engine.strategies.supertrend import Supertrend

from .inputs import FREE, all_of, make_candles
from .random_inputs import executions, histories, trading_strategies, windows

HOUR = Interval.HOUR_1


def outcome(traded, strategy):
    """Return the bits of the figures, or what it was refused with."""
    try:
        return traded.metrics(strategy).tobytes()
    except Refused as error:
        return str(error)


@settings(max_examples=100)
@given(
    candles=histories(HOUR),
    strategies=st.lists(trading_strategies(), min_size=2, max_size=8),
    execution=executions(),
    data=st.data(),
)
def test_strategies_give_the_same_in_any_order_or_alone(candles, strategies, execution, data):
    window = data.draw(st.one_of(st.just(all_of(candles)), windows(candles, HOUR)))
    try:
        together, shuffled = (TradedWindow(History(candles), HOUR, window, execution) for _ in range(2))
    except NotFound:
        return
    ours = [outcome(together, strategy) for strategy in strategies]
    order = list(range(len(strategies)))
    random.Random(data.draw(st.integers(0, 2**32))).shuffle(order)
    # Some of them twice: what was kept gives what was computed.
    theirs = {i: outcome(shuffled, strategies[i]) for i in [*order, *order[:2]]}
    assert ours == [theirs[i] for i in range(len(strategies))]
    for strategy, found in zip(strategies, ours, strict=True):
        assert outcome(TradedWindow(History(candles), HOUR, window, execution), strategy) == found


@settings(max_examples=100)
@given(candles=histories(HOUR), strategy=trading_strategies(), execution=executions())
def test_the_metrics_of_a_result_are_these_bits(candles, strategy, execution):
    traded = TradedWindow(History(candles), HOUR, all_of(candles), execution)
    try:
        figures = traded.metrics(strategy)
    except Refused:
        return
    assert figures.shape == (len(METRIC_NAMES),)
    named = astuple(metrics_of(figures))
    for detail in Detail:
        assert astuple(traded.result(strategy, detail).metrics) == named
        assert (
            astuple(
                run_backtest(
                    History(candles), Backtest(strategy, HOUR, all_of(candles), execution, detail)
                ).metrics
            )
            == named
        )
    back = np.array([np.nan if value is None else value for value in named])
    assert np.array_equal(back, figures, equal_nan=True)


def test_a_result_s_curve_of_fewer_points_changes_no_figure():
    rng = np.random.default_rng(3)
    candles = make_candles(100 * np.exp(np.cumsum(rng.normal(0, 0.01, 2_000))))
    traded = TradedWindow(History(candles), HOUR, all_of(candles), FREE)
    whole, few = (traded.result(Supertrend(), Detail.EQUITY, points) for points in (0, 50))
    assert whole.metrics == few.metrics
    assert whole.monthly_returns == few.monthly_returns


def test_equal_needs_share_their_candles():
    # Warm-ups of 100 and 120 are both rounded up to 128: an RSI that both use is computed once.
    candles = make_candles([100.0 + i % 7 for i in range(400)])
    window = all_of(candles[200:])
    traded = TradedWindow(History(candles), HOUR, window, FREE)
    found = {
        Rsi(period).period: traded.result(Rsi(period), Detail.METRICS).warmup_candles
        for period in (4, 5, 6, 7)
    }
    assert found == {4: 128, 5: 128, 6: 128, 7: 200}


def test_candles_may_be_read_only_as_mapped_files_are():
    candles = make_candles([100.0 + i % 7 for i in range(400)])
    before = TradedWindow(History(candles), HOUR, all_of(candles), FREE).metrics(Supertrend())
    columns = [values.copy() for values in candles.columns()]
    for values in columns:
        values.setflags(write=False)
    found = TradedWindow(History(Candles(*columns)), HOUR, all_of(candles), FREE).metrics(Supertrend())
    assert found.tobytes() == before.tobytes()
