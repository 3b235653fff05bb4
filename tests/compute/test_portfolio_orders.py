"""The orders of a crypto pass from one worker to another, packed, and make the same account bit by bit."""

from dataclasses import replace

import numpy as np
import pytest

from backcast_engine import (
    BreakRule,
    Detail,
    Direction,
    Distance,
    Execution,
    FillTime,
    VolatilityTarget,
    Window,
)
from backcast_engine.breaks import Break
from backcast_engine.history import History
from backcast_engine.interval import Interval
from backcast_engine.portfolio import (
    Portfolio,
    PortfolioSize,
    Rebalancing,
    WeightedStrategy,
    crypto_orders,
    run_portfolio,
)
from backcast_engine.rules.nodes import CLOSE, call
from backcast_engine.strategies.rsi import Rsi
from backcast_engine.strategies.supertrend import Supertrend
from services.compute.tasks.portfolio.orders import packed_orders, unpacked_orders
from services.wire.portfolio_results import portfolio_result_message
from tests.candle_making import START_S, random_candles

HOURS = 1_000
PORTFOLIO = Portfolio(
    strategies=(WeightedStrategy(Rsi(7, 40.0, 60.0), 0.5), WeightedStrategy(Supertrend(), 0.5)),
    interval=Interval.HOUR_1,
    window=Window(START_S + 100 * 3600, START_S + HOURS * 3600),
    execution=Execution(),
    max_positions=2,
    rank=call("roc", CLOSE, 24),
    detail=Detail.EQUITY,
)
EXECUTIONS = [
    Execution(),
    Execution(fill_time=FillTime.SAME_CLOSE, direction=Direction.LONG_SHORT, borrow_rate=0.1),
    Execution(direction=Direction.SHORT_ONLY, stop_loss=Distance(atr_multiple=2.0)),
    Execution(direction=Direction.LONG_SHORT, volatility_target=VolatilityTarget(0.5, 24)),
    Execution(break_rule=BreakRule.IGNORE, trailing_stop=Distance(atr_multiple=3.0)),
]


def histories() -> dict[str, History]:
    """Return three cryptos: one whole, one with a gap, one with a break."""
    whole, gap, broken = (random_candles(number, HOURS) for number in range(3))
    there = np.ones(HOURS, np.bool_)
    there[400:450] = False
    before, after = broken.open_time_s[[499, 500]].tolist()
    break_ = Break(before, after, float(broken.close[499]), float(broken.open[500]))
    return {"A": History(whole), "B": History(gap.at(there)), "C": History(broken, (break_,))}


@pytest.mark.parametrize("rebalancing", [None, Rebalancing(24)], ids=["left alone", "rebalanced"])
@pytest.mark.parametrize("execution", EXECUTIONS, ids=range(len(EXECUTIONS)))
@pytest.mark.parametrize("ranked", [True, False], ids=["ranked", "in order"])
def test_packed_orders_make_the_same_account(
    execution: Execution, rebalancing: Rebalancing | None, ranked: bool
) -> None:
    portfolio = replace(
        PORTFOLIO,
        execution=execution,
        rebalancing=rebalancing,
        rank=PORTFOLIO.rank if ranked else None,
        size=PortfolioSize.EXECUTION if execution.volatility_target else PortfolioSize.EQUAL,
    )
    cryptos = histories()
    orders = [crypto_orders(symbol, history, portfolio) for symbol, history in cryptos.items()]
    packed = [packed_orders(history, (symbol, portfolio)) for symbol, history in cryptos.items()]
    unpacked = [
        unpacked_orders(one, history, portfolio)
        for one, history in zip(packed, cryptos.values(), strict=True)
    ]
    results = [portfolio_result_message(run_portfolio(each, portfolio)) for each in (orders, unpacked)]
    assert results[0] == results[1]
    assert results[0].trades


def test_packed_orders_have_no_candles_and_few_ranks() -> None:
    packed = packed_orders(histories()["A"], ("A", replace(PORTFOLIO, strategies=(WeightedStrategy(Rsi()),))))
    count = HOURS - 100
    assert packed.candle_count == count
    assert len(packed.signals) == -(-2 * count // 8)
    # An RSI below 30 is rare.
    assert 0 < len(packed.measures) < 8 * count / 5
