"""Prices at the ends of what a float64 holds: finite numbers, or a refusal; never NaN, inf or a warning."""

from dataclasses import astuple

import numpy as np
import pytest

from backcast_engine import (
    STRATEGIES,
    Backtest,
    Detail,
    Direction,
    Distance,
    Execution,
    FillTime,
    VolatilityTarget,
    Window,
    run_backtest,
)
from backcast_engine.candles import Candles
from backcast_engine.errors import Refused
from backcast_engine.history import History
from backcast_engine.interval import Interval
from backcast_engine.rules.nodes import CLOSE, HIGH, VOLUME, call
from backcast_engine.strategies.custom_rules import CustomRules
from backcast_engine.strategies.rsi import Rsi

HOURS = 400
RANGES = [(1e-320, 1e-310), (1e-200, 1e200), (1e-300, 1e-200), (1e300, 1e308), (1e-308, 1e308), (1e-9, 1e15)]
EVERY_STRATEGY = [
    *(strategy() for name, strategy in STRATEGIES.items() if name != "rules"),
    CustomRules(
        call("multiply", CLOSE, CLOSE) > call("stddev", call("divide", VOLUME, CLOSE), 5),
        call("crosses_below", call("roc", HIGH, 2), call("negate", call("wma", CLOSE, 3))),
    ),
]
RISKY = {"stop_loss": Distance(atr_multiple=2.0), "trailing_stop": Distance(fraction=0.5)}
EXECUTIONS = [
    Execution(),
    Execution(direction=Direction.LONG_SHORT, fill_time=FillTime.SAME_CLOSE, borrow_rate=100.0),
    Execution(direction=Direction.SHORT_ONLY, borrow_rate=-100.0, **RISKY),
    Execution(direction=Direction.LONG_SHORT, volatility_target=VolatilityTarget(0.5), **RISKY),
    Execution(quote_amount=1e15, take_profit=Distance(atr_multiple=1_000.0), initial_capital=1e15),
    Execution(equity_fraction=1e-300, direction=Direction.LONG_SHORT),
    Execution(funding_rate=100.0),
    Execution(direction=Direction.LONG_SHORT, funding_rate=-100.0, **RISKY),
    Execution(
        equity_fraction=1e-300,
        initial_capital=1e-9,
        fee_rate=0.999,
        slippage_bps=9_999,
        allow_high_costs=True,
    ),
]


def candles_between(low: float, high: float) -> Candles:
    rng = np.random.default_rng(1)
    close = np.exp(rng.uniform(np.log(low), np.log(high), HOURS))
    open_ = np.concatenate((close[:1], close[:-1]))
    highs, lows = np.maximum(open_, close), np.minimum(open_, close)
    return Candles(3600 * np.arange(HOURS), open_, highs, lows, close, np.ones(HOURS))


@pytest.mark.parametrize("execution", EXECUTIONS, ids=range(len(EXECUTIONS)))
@pytest.mark.parametrize("strategy", EVERY_STRATEGY, ids=lambda strategy: strategy.name)
@pytest.mark.parametrize(("low", "high"), RANGES)
def test_numbers_are_finite_or_refused(low, high, strategy, execution) -> None:
    assert not execution.violations()
    candles, window = candles_between(low, high), Window(0, 3600 * HOURS)
    try:
        result = run_backtest(
            History(candles), Backtest(strategy, Interval.HOUR_1, window, execution, Detail.EQUITY)
        )
    except Refused as error:
        assert "too small or too great" in str(error)  # either end is right
        return
    assert result.equity_curve is not None
    assert np.isfinite(result.equity_curve.equity).all()
    assert np.isfinite(result.equity_curve.drawdown).all()
    assert (result.equity_curve.equity >= 0).all()
    for trade in result.trades:
        assert np.isfinite([value for value in astuple(trade) if value is not None]).all()
    for month in result.monthly_returns:
        assert month.return_fraction is None or np.isfinite(month.return_fraction)


def test_what_cannot_be_computed_is_refused() -> None:
    candles, window = candles_between(1e-320, 1e-310), Window(0, 3600 * HOURS)
    with pytest.raises(Refused):
        run_backtest(
            History(candles),
            Backtest(STRATEGIES["buy_and_hold"](), Interval.HOUR_1, window, Execution(), Detail.METRICS),
        )


@pytest.mark.parametrize("direction", Direction)
def test_an_amount_that_buys_less_than_the_smallest_number_buys_nothing(direction) -> None:
    candles, window = candles_between(10_000, 100_000), Window(0, 3600 * HOURS)
    execution = Execution(quote_amount=1e-323, direction=direction, stop_loss=Distance(0.1))
    result = run_backtest(
        History(candles), Backtest(Rsi(2), Interval.HOUR_1, window, execution, Detail.EQUITY)
    )
    assert result.metrics.total_return == 0
    assert {trade.units for trade in result.trades} == {0}
