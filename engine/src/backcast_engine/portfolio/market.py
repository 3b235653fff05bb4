"""Notes the orders of many cryptos for the pass over time, and trades them."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backcast_engine.portfolio.account import Account, Plan, trade_account
from backcast_engine.portfolio.columns import MarketColumns, empty_market, note_crypto, note_orders, readable
from backcast_engine.portfolio.orders import CryptoOrders
from backcast_engine.portfolio.request import Portfolio, PortfolioSize
from backcast_engine.portfolio.timeline import Timeline
from backcast_engine.results import Detail
from backcast_engine.simulation import NO_COLUMN
from backcast_engine.terms import Terms, terms_of

_NO_ENDS = np.empty(0, np.int64)


def traded(cryptos: Sequence[CryptoOrders], portfolio: Portfolio, timeline: Timeline) -> Account:
    """Trade cryptos, in order of their symbols; the timeline is that of their candles."""
    rebalancing, execution = portfolio.rebalancing, portfolio.execution
    terms = terms_of(execution, portfolio.interval.seconds)
    plan = Plan(
        places=portfolio.max_positions,
        equal=portfolio.size is PortfolioSize.EQUAL,
        every=rebalancing.every if rebalancing else 0,
        threshold=rebalancing.threshold if rebalancing else 0.0,
        notes_profits=portfolio.detail >= Detail.TRADES,
    )
    market = empty_market(timeline.time_s, len(cryptos), len(portfolio.strategies))
    # A market has only the addresses of columns: they must not go away before it does.
    kept = [
        _note(market, number, crypto, step, terms)
        for number, (crypto, step) in enumerate(zip(cryptos, timeline.steps, strict=True))
    ]
    weights = np.array([each.weight for each in portfolio.strategies], np.float64)
    account = trade_account(market, weights, plan, terms)
    del kept
    return account


def _note(
    market: MarketColumns, number: int, crypto: CryptoOrders, step: NDArray[np.int64], terms: Terms
) -> list[NDArray[Any]]:
    """Note a crypto and its orders, and return their columns."""
    candles = crypto.candles
    ends = _ends(crypto, ends_early=step[-1] < len(market.time_s) - 1)
    high, low = (candles.high, candles.low) if terms.needs_range else (NO_COLUMN, NO_COLUMN)
    open_, high, low = map(readable, (candles.open, high, low))
    close, rank = readable(candles.close), readable(crypto.rank)
    note_crypto(market.cryptos, number, open_, high, low, close, rank, step, ends)
    kept: list[NDArray[Any]] = [open_, high, low, close, rank, step, ends]
    for strategy, orders in enumerate(crypto.orders):
        flags = readable(orders.signals.buy), readable(orders.signals.sell)
        measures = readable(orders.atr), readable(orders.volatility)
        note_orders(
            *(market.legs, market.sides, number, strategy, *flags, *measures, step, ends),
            *(terms.same_close, terms.may_long, terms.may_short),
        )
        kept += [*flags, *measures]
    return kept


def _ends(crypto: CryptoOrders, *, ends_early: bool) -> NDArray[np.int64]:
    """Return after which candles of a crypto a position is closed; at the window's end, it stays open."""
    ends = [end - 1 for end in crypto.part_ends[:-1]]
    if ends_early:
        ends.append(len(crypto.candles) - 1)
    return np.array(ends, np.int64) if ends else _NO_ENDS
