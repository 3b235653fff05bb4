"""The orders of a crypto pass from one worker to another, packed, and make the same account bit by bit."""

from dataclasses import replace
from typing import Any

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
from services.compute.tasks.portfolio.orders import packed_orders, signalling, unpacked_orders
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
    # Of several portfolios, whose orders share indicators; what others have of their own is none of these.
    several = [
        signalling(replace(PORTFOLIO, execution=replace(EXECUTIONS[2], break_rule=execution.break_rule))),
        signalling(replace(portfolio, max_positions=1, detail=Detail.METRICS)),
    ]
    packed = [packed_orders(history, (symbol, several))[1] for symbol, history in cryptos.items()]
    unpacked = [
        unpacked_orders(one, history, portfolio)
        for one, history in zip(packed, cryptos.values(), strict=True)
    ]
    results = [portfolio_result_message(run_portfolio(each, portfolio)) for each in (orders, unpacked)]
    assert results[0] == results[1]
    assert results[0].trades


def test_packed_orders_have_no_candles_and_few_ranks() -> None:
    portfolio = replace(PORTFOLIO, strategies=(WeightedStrategy(Rsi()),))
    (packed,) = packed_orders(histories()["A"], ("A", [portfolio]))
    count = HOURS - 100
    assert packed.candle_count == count
    assert len(packed.signals) == -(-2 * count // 8)
    # An RSI below 30 is rare.
    assert 0 < len(packed.measures) < 8 * count / 5


def test_portfolios_that_differ_in_what_signals_do_not_depend_on_have_the_same_orders() -> None:
    def differing(**execution: Any) -> Portfolio:
        return replace(PORTFOLIO, execution=replace(EXECUTIONS[2], **execution))

    same = signalling(differing())
    for fields in (
        {"fee_rate": 0.0, "slippage_bps": 5.0, "borrow_rate": 0.1, "initial_capital": 7.0},
        {"stop_loss": Distance(atr_multiple=5.0), "take_profit": Distance(fraction=0.1)},
        {"fill_time": FillTime.SAME_CLOSE, "equity_fraction": 0.5},
    ):
        assert signalling(differing(**fields)) == same
    for other in (
        differing(direction=Direction.LONG_ONLY),
        differing(atr_period=5),
        differing(stop_loss=None),
        differing(volatility_target=VolatilityTarget(0.5, 24)),
        replace(differing(), rank=None),
        replace(differing(), strategies=PORTFOLIO.strategies[:1]),
    ):
        assert signalling(other) != same
