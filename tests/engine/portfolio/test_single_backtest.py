"""With one crypto, one place and one strategy, a portfolio is the single backtest, bit by bit."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, event, given, settings
from hypothesis import strategies as st

from backcast_engine import (
    Backtest,
    Detail,
    Direction,
    Distance,
    Execution,
    FillTime,
    Window,
    run_backtest,
)
from backcast_engine.errors import ErrorReason, NotFound, Refused
from backcast_engine.history import History
from backcast_engine.interval import Interval
from backcast_engine.portfolio import (
    Portfolio,
    PortfolioSize,
    WeightedStrategy,
    crypto_orders,
    run_portfolio,
)
from backcast_engine.strategies.rsi import Rsi
from backcast_engine.strategies.supertrend import Supertrend
from tests.engine.inputs import real_candles
from tests.engine.random_inputs import broken_histories, executions, trading_strategies, windows

pytestmark = pytest.mark.slow


def portfolio_of(history, strategy, interval, window, execution, size=PortfolioSize.EXECUTION):
    portfolio = Portfolio(
        (WeightedStrategy(strategy),),
        *(interval, window, execution),
        max_positions=1,
        size=size,
        detail=Detail.EQUITY,
        curve_points=20,
    )
    return run_portfolio([crypto_orders("ONEUSDT", history, portfolio)], portfolio)


def assert_same(history, strategy, interval, window, execution, size=PortfolioSize.EXECUTION):
    """Compare a portfolio with a backtest, all of it exactly; return the backtest."""
    backtest = Backtest(strategy, interval, window, execution, Detail.EQUITY, curve_points=20)
    single = run_backtest(history, backtest)
    portfolio = portfolio_of(history, strategy, interval, window, execution, size)
    assert portfolio.metrics == single.metrics
    assert tuple(each.trade for each in portfolio.trades) == single.trades
    assert portfolio.monthly_returns == single.monthly_returns
    assert np.array_equal(portfolio.curve.open_time_s, single.equity_curve.open_time_s)
    assert np.array_equal(portfolio.curve.equity, single.equity_curve.equity)
    assert np.array_equal(portfolio.curve.drawdown, single.equity_curve.drawdown)
    return single


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_portfolio_of_one_is_the_backtest_whatever_the_input(data):
    interval = data.draw(st.sampled_from([Interval.HOUR_1, Interval.DAY_1]), "interval")
    history = data.draw(broken_histories(interval), "history")
    window = data.draw(windows(history.candles, interval), "window")
    strategy = data.draw(trading_strategies(), "strategy")
    execution = data.draw(executions(), "execution")
    try:
        single = assert_same(history, strategy, interval, window, execution)
    except NotFound:
        with pytest.raises(NotFound):
            portfolio_of(history, strategy, interval, window, execution)
        return
    except Refused as refused:
        # A portfolio goes on without signals.
        assume(refused.reason is not ErrorReason.TOO_FEW_CANDLES)
        with pytest.raises(Refused):
            portfolio_of(history, strategy, interval, window, execution)
        return
    for reason in {trade.exit_reason for trade in single.trades}:
        event(f"closed by {reason.name}")
    event(f"{len(single.breaks)} breaks")


RISKY = Execution(
    fee_rate=0.0004,
    slippage_bps=3.0,
    direction=Direction.LONG_SHORT,
    stop_loss=Distance(fraction=0.03),
    take_profit=Distance(atr_multiple=8.0),
    trailing_stop=Distance(atr_multiple=6.0),
    borrow_rate=0.1,
    funding_rate=0.2,
)


@pytest.mark.parametrize("fill_time", FillTime)
@pytest.mark.parametrize("strategy", [Rsi(), Supertrend()], ids=repr)
@pytest.mark.parametrize("size", PortfolioSize)
def test_portfolio_of_one_is_the_backtest_on_real_candles(fill_time, strategy, size):
    candles = real_candles("ETHUSDT")
    window = Window(int(candles.open_time_s[5_000]), int(candles.open_time_s[9_000]))
    execution = replace(RISKY, fill_time=fill_time)
    single = assert_same(History(candles), strategy, Interval.HOUR_1, window, execution, size)
    assert len({trade.exit_reason for trade in single.trades}) >= 4
