"""Lays the orders of many cryptos behind each other, as the pass over time reads them."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from backcast_engine.candles import TimeColumn
from backcast_engine.portfolio.account import Account, LegColumns, MarketColumns, Plan, trade_account
from backcast_engine.portfolio.orders import CryptoOrders
from backcast_engine.portfolio.request import Portfolio, PortfolioSize
from backcast_engine.simulation import NO_COLUMN
from backcast_engine.terms import terms_of


def common_times(cryptos: Sequence[CryptoOrders]) -> TimeColumn:
    """Return the opening times at which at least one crypto has a candle, in ascending order."""
    longest = max((each.candles.open_time_s for each in cryptos), key=len)
    # Mostly they all have the same candles, and sorting millions of times takes longer than the account.
    others = [
        each.candles.open_time_s for each in cryptos if not np.array_equal(each.candles.open_time_s, longest)
    ]
    return np.unique(np.concatenate((longest, *others))) if others else longest


def steps_of(open_time_s: TimeColumn, times: TimeColumn) -> NDArray[np.int64]:
    """Return the places of a crypto's candles in the common times."""
    if len(open_time_s) == len(times):
        return np.arange(len(times))
    return np.searchsorted(times, open_time_s)


def traded(
    cryptos: Sequence[CryptoOrders],
    portfolio: Portfolio,
    times: TimeColumn,
    steps: Sequence[NDArray[np.int64]],
) -> Account:
    """Trade cryptos, in order of their symbols; `steps` are the places of their candles in `times`."""
    rebalancing, terms = portfolio.rebalancing, terms_of(portfolio.execution, portfolio.interval.seconds)
    plan = Plan(
        portfolio.max_positions,
        portfolio.size is PortfolioSize.EQUAL,
        rebalancing.every if rebalancing else 0,
        rebalancing.threshold if rebalancing else 0.0,
    )
    candles = [each.candles for each in cryptos]
    market = MarketColumns(
        time_s=np.concatenate([each.open_time_s for each in candles]),
        open=np.concatenate([each.open for each in candles]),
        high=np.concatenate([each.high for each in candles]) if terms.needs_range else NO_COLUMN,
        low=np.concatenate([each.low for each in candles]) if terms.needs_range else NO_COLUMN,
        close=np.concatenate([each.close for each in candles]),
        step=np.concatenate(steps),
        ends=np.concatenate(
            [_ends(each, step, len(times)) for each, step in zip(cryptos, steps, strict=True)]
        ),
        offsets=np.cumsum([0, *map(len, candles)]),
        rank=np.concatenate([each.rank for each in cryptos]),
    )
    # All cryptos of the first strategy, then all of the second one.
    orders = [each.orders[s] for s in range(len(portfolio.strategies)) for each in cryptos]
    legs = LegColumns(
        buy=np.concatenate([each.signals.buy for each in orders]),
        sell=np.concatenate([each.signals.sell for each in orders]),
        atr=np.concatenate([each.atr for each in orders]),
        volatility=np.concatenate([each.volatility for each in orders]),
    )
    weights = np.array([each.weight for each in portfolio.strategies], np.float64)
    return trade_account(market, legs, weights, len(times), plan, terms)


def _ends(crypto: CryptoOrders, step: NDArray[np.int64], steps: int) -> NDArray[np.bool_]:
    """Return after which candles of a crypto a position is closed."""
    ends = np.zeros(len(step), np.bool_)
    ends[[end - 1 for end in crypto.part_ends]] = True
    # At the end of the window, positions stay open.
    ends[-1] = step[-1] < steps - 1
    return ends
