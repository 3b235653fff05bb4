"""The engine and the naive reference agree on everything, whatever the input."""

import math
import random
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, event, given, settings
from hypothesis import strategies as st

from backcast_engine import (
    STRATEGIES,
    Backtest,
    Detail,
    Direction,
    Distance,
    Execution,
    ExitReason,
    FillTime,
    VolatilityTarget,
    Window,
    run_backtest,
)
from backcast_engine.errors import NotFound, Refused
from backcast_engine.history import History
from backcast_engine.interval import Interval
from backcast_engine.results import METRIC_NAMES
from backcast_engine.rules import Evaluation
from backcast_engine.strategies.bollinger import Bollinger, ExitBand
from backcast_engine.strategies.ma_cross import MaCross, MovingAverageKind
from backcast_engine.strategies.rsi import Rsi
from backcast_engine.strategies.supertrend import Supertrend

from . import reference
from .inputs import HOUR_S, Scripted, all_of, make_candles, real_candles
from .random_inputs import PARAMETERS, broken_histories, costs, executions, trading_strategies, windows

pytestmark = pytest.mark.slow

EVERY_STRATEGY = [
    *(strategy() for name, strategy in STRATEGIES.items() if name != "rules"),
    MaCross(kind=MovingAverageKind.EMA),
    Bollinger(exit_band=ExitBand.MIDDLE),
]


def expect(history, strategy, interval, window, execution):
    """Return the reference's result, which takes the engine's signals where rounding decides."""
    candles = history.candles

    def known_signals(times):
        signals = strategy.signals(Evaluation(candles.at(np.isin(candles.open_time_s, times))))
        return signals.buy.tolist(), signals.sell.tolist()

    breaks = [(each.before_s, each.after_s) for each in history.breaks]
    partial = zip(history.partial.open_time_s.tolist(), history.partial.hours.tolist(), strict=True)
    return reference.backtest(
        candles, strategy, interval.seconds, window, execution, known_signals, breaks, partial
    )


def assert_same(history, strategy, interval, window, execution):
    """Compare engine and reference; within hypothesis only."""
    expected = expect(history, strategy, interval, window, execution)
    if expected is None:
        with pytest.raises(NotFound):
            run_backtest(history, Backtest(strategy, interval, window, execution))
        return
    if isinstance(expected, reference.Refusal):
        with pytest.raises(Refused, match=rf"need {expected.needed} candles, and there are {expected.seen} "):
            run_backtest(history, Backtest(strategy, interval, window, execution))
        return
    # Leave out what rounding decides: prices on a stop, gains and losses of 1e-14.
    assume(expected.clearance > 1e-9)
    assume(not expected.doubtful)
    # And shorts that have lost nearly, but not quite, everything: no digits are left of that.
    assume(expected.own[-1] > 1e-4)
    event(f"{min(len(expected.positions), 3)} trades (3: or more)")
    for reason in {position.reason for position in expected.positions}:
        event(f"closed by {reason.name}")
    event(f"{len(expected.breaks)} breaks")
    event("rounding decides over a signal" if expected.close_calls else "all signals are clear")
    assert_result(expected, history, strategy, interval, window, execution)


def assert_result(expected, history, strategy, interval, window, execution):
    result = run_backtest(history, Backtest(strategy, interval, window, execution, Detail.EQUITY))

    assert result.warmup_candles == expected.warmup_candles
    assert result.coverage.expected_candles == expected.expected_candles
    assert result.coverage.missing_candles == expected.missing_candles
    assert result.coverage.longest_gap_candles == expected.longest_gap_candles
    assert result.coverage.missing_hours == expected.missing_hours
    assert result.coverage.first_candle_s == expected.open_times[0]
    assert result.coverage.last_candle_s == expected.open_times[-1]

    assert_same_curve(result, expected)

    assert len(result.trades) == len(expected.positions)
    for trade, position in zip(result.trades, expected.positions, strict=True):
        assert_same_trade(trade, position, expected.open_times)

    assert_same_metrics(result.metrics, expected.metrics)
    assert [(each.before_s, each.after_s) for each in result.breaks] == expected.breaks
    assert len(result.parts) == len(expected.parts)
    for part, (first_s, last_s, metrics) in zip(result.parts, expected.parts, strict=True):
        assert (part.first_candle_s, part.last_candle_s) == (first_s, last_s)
        assert_same_metrics(part.metrics, metrics)


def assert_same_curve(result, expected):
    curve = result.equity_curve
    assert curve.open_time_s.tolist() == expected.open_times
    # The equity of a short is a difference: it has the rounding of all the money that is there.
    rounding = np.maximum(1e-12, 1e-14 / np.array(expected.own))
    assert (np.abs(curve.equity - expected.equity) <= rounding * np.abs(expected.equity)).all()
    assert curve.drawdown.tolist() == pytest.approx(expected.drawdown, rel=1e-9, abs=1e-12)
    months = [(month.year, month.month) for month in result.monthly_returns]
    assert months == [(year, month) for year, month, _ in expected.months]
    for month, (_, _, value) in zip(result.monthly_returns, expected.months, strict=True):
        assert month.return_fraction == (None if value is None else pytest.approx(value, rel=1e-9, abs=1e-12))


def assert_same_trade(trade, position, open_times):
    n = len(open_times)
    exit_ = n if position.exit is None else position.exit
    assert trade.entry_time_s == open_times[position.entry]
    assert trade.exit_time_s == (None if position.exit is None else open_times[position.exit])
    assert trade.open == (position.exit is None)
    assert trade.exit_reason == position.reason
    # At the close that closes it before a break, a position is still held.
    assert trade.held_candles == exit_ - position.entry + (position.reason is ExitReason.BREAK)
    assert trade.entry_price == pytest.approx(position.entry_price, rel=1e-12, abs=0)
    assert (trade.exit_price is None) == (position.exit_price is None)
    if position.exit_price is not None:
        assert trade.exit_price == pytest.approx(position.exit_price, rel=1e-12, abs=0)
    assert trade.units == pytest.approx(position.side * position.units, rel=1e-12, abs=0)
    assert trade.fees_paid == pytest.approx(position.entry_fee + position.exit_fee, rel=1e-9, abs=0)
    assert trade.profit == pytest.approx(position.profit, rel=1e-9, abs=1e-12 * position.cost)
    assert trade.return_fraction == pytest.approx(position.return_fraction, rel=1e-9, abs=1e-12)
    worst, best = position.excursions
    assert trade.worst_excursion == pytest.approx(worst, rel=1e-9, abs=1e-12)
    assert trade.best_excursion == pytest.approx(best, rel=1e-9, abs=1e-12)
    assert trade.borrow_paid == pytest.approx(position.borrowed, rel=1e-9, abs=0)
    assert trade.funding_paid == pytest.approx(position.funded, rel=1e-9, abs=0)


def assert_same_metrics(ours, expected):
    assert set(METRIC_NAMES) == set(expected)
    for name, value in expected.items():
        assert_same_metric(name, getattr(ours, name), value)


def assert_same_metric(name, ours, expected):
    if expected is None or not math.isfinite(expected):
        assert ours is None, name
    else:
        assert ours is not None, name
        # The absolute part is for sums that cancel to nearly nothing.
        assert ours == pytest.approx(expected, rel=1e-9, abs=1e-12), name


@pytest.mark.parametrize("name", PARAMETERS)
@settings(max_examples=100)
@given(data=st.data(), interval=st.sampled_from(Interval), execution=st.one_of(costs(), executions()))
def test_random_histories_give_the_references_results(name, data, interval, execution):
    strategy = data.draw(PARAMETERS[name])
    history = data.draw(broken_histories(interval))
    assert_same(history, strategy, interval, data.draw(windows(history.candles, interval)), execution)


@settings(max_examples=300)
@given(
    history=broken_histories(Interval.HOUR_1),
    execution=executions(),
    seed=st.integers(0, 2**32),
    data=st.data(),
)
def test_random_signals_give_the_references_results(history, execution, seed, data):
    candles = history.candles
    hours = ((candles.open_time_s - candles.open_time_s[0]) // HOUR_S).tolist()
    rng, shares = random.Random(seed), st.sampled_from([0.2, 0.01, 0.05, 0.9])
    buy_at, sell_at = (
        tuple(h for h in hours if rng.random() < share) for share in data.draw(st.tuples(shares, shares))
    )
    strategy = Scripted(buy_at, sell_at, warmup=data.draw(st.integers(0, 50)))
    assert_same(history, strategy, Interval.HOUR_1, data.draw(windows(candles, Interval.HOUR_1)), execution)


@settings(max_examples=150)
@given(
    price=st.floats(1e-9, 1e12),
    length=st.one_of(st.just(100), st.integers(1, 120)),
    strategy=trading_strategies(),
    execution=costs(),
)
def test_constant_prices_give_the_references_results(price, length, strategy, execution):
    candles = make_candles([price] * length)
    assert_same(History(candles), strategy, Interval.HOUR_1, all_of(candles), execution)


@pytest.mark.parametrize("strategy", EVERY_STRATEGY, ids=repr)
@pytest.mark.parametrize("symbol", ["BTCUSDT", "DOGEUSDT"])
def test_real_candles_with_default_parameters_give_the_references_results(symbol, strategy):
    candles = real_candles(symbol)
    history = History(candles)
    window = Window(int(candles.open_time_s[5_000]), int(candles.open_time_s[9_000]))
    execution = Execution(slippage_bps=5.0)
    expected = expect(history, strategy, Interval.HOUR_1, window, execution)
    # No decision is left to rounding, but where prices of few digits make %K and %D the very same number.
    assert expected.close_calls <= (2 if strategy.name == "stochastic" else 0)
    assert_result(expected, history, strategy, Interval.HOUR_1, window, execution)


RISKY = Execution(
    slippage_bps=5.0,
    direction=Direction.LONG_SHORT,
    volatility_target=VolatilityTarget(0.8),
    stop_loss=Distance(fraction=0.05),
    take_profit=Distance(atr_multiple=20.0),
    trailing_stop=Distance(atr_multiple=6.0),
    borrow_rate=0.1,
    funding_rate=0.2,
)


@pytest.mark.parametrize(
    "execution",
    [RISKY, replace(RISKY, fill_time=FillTime.SAME_CLOSE), replace(RISKY, volatility_target=None)],
    ids=["next open", "same close", "all of the equity"],
)
@pytest.mark.parametrize("strategy", [Rsi(), Supertrend()], ids=repr)
def test_real_candles_with_every_option_give_the_references_results(strategy, execution):
    candles = real_candles("ETHUSDT")
    history = History(candles)
    window = Window(int(candles.open_time_s[5_000]), int(candles.open_time_s[9_000]))
    expected = reference.backtest(candles, strategy, 3_600, window, execution)
    assert expected.close_calls == 0
    assert expected.clearance > 1e-12  # no fill is left to rounding
    assert len({position.reason for position in expected.positions}) >= 4
    assert_result(expected, history, strategy, Interval.HOUR_1, window, execution)
