"""The engine and the naive reference agree on everything, whatever the input."""

import math

import pytest
from hypothesis import assume, event, given, settings
from hypothesis import strategies as st

from services.compute.engine import Detail, Execution, Window, run_backtest
from services.compute.engine.results import METRIC_NAMES
from services.compute.engine.strategies.bollinger import Bollinger, ExitBand
from services.compute.engine.strategies.buy_and_hold import BuyAndHold
from services.compute.engine.strategies.ma_cross import MaCross, MovingAverageKind
from services.compute.engine.strategies.rsi import Rsi
from services.shared.errors import NotFound
from services.shared.interval import Interval

from . import reference
from .inputs import (
    PARAMETERS,
    all_of,
    executions,
    histories,
    make_candles,
    real_candles,
    trading_strategies,
    windows,
)

EVERY_STRATEGY = [
    Rsi(),
    MaCross(),
    MaCross(kind=MovingAverageKind.EMA),
    Bollinger(),
    Bollinger(exit_band=ExitBand.MIDDLE),
    BuyAndHold(),
]


def assert_same(candles, strategy, interval, window, execution):
    """Compare engine and reference; within hypothesis only."""
    expected = reference.backtest(candles, strategy, interval.seconds, window, execution)
    if expected is None:
        with pytest.raises(NotFound):
            run_backtest(candles, strategy, interval, window, execution)
        return 0
    # Leave out what rounding decides: indicators on their threshold, gains and losses of 1e-16.
    assume(expected.clearance > 1e-9)
    assume(not expected.rounding_noise)
    assert_result(expected, candles, strategy, interval, window, execution)
    return len(expected.positions)


def assert_result(expected, candles, strategy, interval, window, execution):
    result = run_backtest(candles, strategy, interval, window, execution, Detail.EQUITY)

    assert result.warmup_candles == expected.warmup_candles
    assert result.coverage.expected_candles == expected.expected_candles
    assert result.coverage.missing_candles == expected.missing_candles
    assert result.coverage.longest_gap_candles == expected.longest_gap_candles
    assert result.coverage.first_candle_s == expected.open_times[0]
    assert result.coverage.last_candle_s == expected.open_times[-1]

    assert result.equity_curve.open_time_s.tolist() == expected.open_times
    assert result.equity_curve.equity.tolist() == pytest.approx(expected.equity, rel=1e-12, abs=0)

    assert len(result.trades) == len(expected.positions)
    for trade, position in zip(result.trades, expected.positions, strict=True):
        assert_same_trade(trade, position, expected.open_times)

    assert set(METRIC_NAMES) == set(expected.metrics)
    for name, value in expected.metrics.items():
        assert_same_metric(name, getattr(result.metrics, name), value)


def assert_same_trade(trade, position, open_times):
    n = len(open_times)
    exit_ = n if position.exit is None else position.exit
    assert trade.entry_time_s == open_times[position.entry]
    assert trade.exit_time_s == (None if position.exit is None else open_times[position.exit])
    assert trade.open == (position.exit is None)
    assert trade.held_candles == exit_ - position.entry
    assert trade.entry_price == pytest.approx(position.entry_price, rel=1e-12, abs=0)
    assert (trade.exit_price is None) == (position.exit_price is None)
    if position.exit_price is not None:
        assert trade.exit_price == pytest.approx(position.exit_price, rel=1e-12, abs=0)
    assert trade.units == pytest.approx(position.units, rel=1e-12, abs=0)
    assert trade.fees_paid == pytest.approx(position.entry_fee + position.exit_fee, rel=1e-9, abs=0)
    assert trade.profit == pytest.approx(position.profit, rel=1e-9, abs=1e-12 * position.cost)
    assert trade.return_fraction == pytest.approx(position.return_fraction, rel=1e-9, abs=1e-12)


def assert_same_metric(name, ours, expected):
    if expected is None or not math.isfinite(expected):
        assert ours is None, name
    else:
        assert ours is not None, name
        # The absolute part is for sums that cancel to nearly nothing.
        assert ours == pytest.approx(expected, rel=1e-9, abs=1e-12), name


@pytest.mark.parametrize("name", PARAMETERS)
@settings(deadline=None, max_examples=200)
@given(data=st.data(), interval=st.sampled_from(Interval))
def test_random_histories(name, data, interval):
    strategy = data.draw(PARAMETERS[name])
    candles = data.draw(histories(interval))
    window = data.draw(windows(candles, interval))
    trades = assert_same(candles, strategy, interval, window, data.draw(executions()))
    event(f"{min(trades, 3)} trades (3: or more)")


@settings(deadline=None, max_examples=300)
@given(
    price=st.floats(1e-9, 1e12),
    length=st.one_of(st.just(100), st.integers(1, 120)),
    strategy=trading_strategies(),
    execution=executions(),
)
def test_constant_prices(price, length, strategy, execution):
    candles = make_candles([price] * length)
    assert_same(candles, strategy, Interval.HOUR_1, all_of(candles), execution)


@pytest.mark.parametrize("strategy", EVERY_STRATEGY, ids=repr)
@pytest.mark.parametrize("symbol", ["BTCUSDT", "DOGEUSDT"])
def test_real_candles_with_default_parameters(symbol, strategy):
    candles = real_candles(symbol)
    window = Window(int(candles.open_time_s[5_000]), int(candles.open_time_s[9_000]))
    execution = Execution(slippage_bps=5.0)
    expected = reference.backtest(candles, strategy, 3_600, window, execution)
    assert expected.clearance > 1e-12  # no decision is left to rounding
    assert_result(expected, candles, strategy, Interval.HOUR_1, window, execution)
