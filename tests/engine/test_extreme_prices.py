"""Prices at the ends of what a float64 holds: finite numbers, or a refusal; never NaN, inf or a warning."""

from dataclasses import astuple

import numpy as np
import pytest

from services.compute.engine import STRATEGIES, Detail, Execution, Window, run_backtest
from services.shared.candles import Candles
from services.shared.errors import Refused
from services.shared.interval import Interval

HOURS = 400


def candles_between(low: float, high: float) -> Candles:
    close = np.exp(np.random.default_rng(1).uniform(np.log(low), np.log(high), HOURS))
    open_ = np.concatenate((close[:1], close[:-1]))
    highs, lows = np.maximum(open_, close), np.minimum(open_, close)
    return Candles(3600 * np.arange(HOURS), open_, highs, lows, close, np.ones(HOURS))


@pytest.mark.parametrize("name", STRATEGIES)
@pytest.mark.parametrize(
    ("low", "high"),
    [(1e-320, 1e-310), (1e-300, 1e-200), (1e300, 1e308), (1e-308, 1e308), (1e-9, 1e15)],
)
def test_numbers_are_finite_or_refused(name: str, low: float, high: float) -> None:
    candles, window = candles_between(low, high), Window(0, 3600 * HOURS)
    try:
        result = run_backtest(
            candles, STRATEGIES[name](), Interval.HOUR_1, window, Execution(), Detail.EQUITY
        )
    except Refused as error:
        assert "too small or too great" in str(error)  # either end is right
        return
    assert result.equity_curve is not None
    assert np.isfinite(result.equity_curve.equity).all()
    for trade in result.trades:
        assert np.isfinite([value for value in astuple(trade) if value is not None]).all()


def test_what_cannot_be_computed_is_refused() -> None:
    candles, window = candles_between(1e-320, 1e-310), Window(0, 3600 * HOURS)
    with pytest.raises(Refused):
        run_backtest(
            candles, STRATEGIES["buy_and_hold"](), Interval.HOUR_1, window, Execution(), Detail.METRICS
        )
