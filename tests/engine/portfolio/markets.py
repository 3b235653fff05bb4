"""Random markets of a few cryptos with random signals, drawn by hypothesis."""

import math
import random

import numpy as np
from hypothesis import strategies as st

from backcast_engine import BreakRule, Execution, Window
from backcast_engine.interval import Interval
from backcast_engine.portfolio import (
    CryptoOrders,
    Portfolio,
    PortfolioSize,
    Rebalancing,
    WeightedStrategy,
)
from backcast_engine.simulation import NO_COLUMN
from backcast_engine.strategies import Signals
from backcast_engine.strategies.rsi import Rsi
from backcast_engine.strategies.supertrend import Supertrend
from backcast_engine.traded_window import WindowOrders
from tests.engine.inputs import HOUR_S, MONDAY_S, make_candles
from tests.engine.portfolio.reference import Crypto
from tests.engine.random_inputs import executions


@st.composite
def markets(draw) -> tuple[list[CryptoOrders], Portfolio]:
    """Draw cryptos with late listings, early ends, gaps, breaks and equal ranks; and a portfolio of them."""
    rng = random.Random(draw(st.integers(0, 2**32)))
    # Many legs are looked at several at a time.
    steps, count = draw(st.integers(1, 60)), draw(st.sampled_from([*range(1, 7), 20]))
    execution = draw(executions())
    weights = draw(st.sampled_from([(1.0,), (1.0,), (0.25, 0.75), (0.5, 0.25, 0.25)]))
    portfolio = Portfolio(
        # Their signals are not computed.
        strategies=tuple(
            WeightedStrategy(strategy, weight)
            for strategy, weight in zip((Rsi(), Supertrend(), Rsi(5)), weights, strict=False)
        ),
        interval=Interval.HOUR_1,
        window=Window(MONDAY_S, MONDAY_S + steps * HOUR_S),
        execution=execution,
        max_positions=draw(st.integers(1, count)),
        size=draw(st.sampled_from(PortfolioSize)),
        rebalancing=draw(_rebalancings(execution)),
    )
    if portfolio.size is PortfolioSize.EXECUTION and execution.quote_amount is not None:
        object.__setattr__(portfolio, "rebalancing", None)
    wild, busy = draw(st.sampled_from([0.01, 0.05, 0.3])), draw(st.sampled_from([0.1, 0.5, 0.02]))
    whole = draw(st.booleans())
    symbols = rng.sample(["BTCUSDT", *(f"{letter * 3}USDT" for letter in "ACDEFGHIJKLMNOPQRSTU")], count)
    made = (_crypto(rng, symbol, steps, portfolio, wild, busy, whole) for symbol in symbols)
    return [crypto for crypto in made if crypto is not None] or [
        _crypto(rng, symbols[0], steps, portfolio, wild, busy, True)
    ], portfolio


def _rebalancings(execution: Execution) -> st.SearchStrategy[Rebalancing | None]:
    every = st.builds(Rebalancing, st.integers(1, 12), st.sampled_from([0.0, 0.02, 0.2]))
    return st.one_of(st.none(), every)


def _crypto(rng, symbol, steps, portfolio, wild, busy, whole):
    listed = 0 if whole or rng.random() < 0.4 else rng.randrange(steps)
    end = steps if whole or rng.random() < 0.4 else rng.randrange(steps + 1)
    gaps = 0.0 if whole else rng.choice([0.0, 0.1, 0.5])
    at = [step for step in range(listed, end) if rng.random() >= gaps]
    if not at:
        return None
    price, rows = 10 ** rng.uniform(-3, 4), []
    for _ in at:
        opened = price * math.exp(rng.gauss(0, wild / 4))
        price = opened * math.exp(rng.gauss(0, wild))
        high = max(opened, price) * math.exp(rng.expovariate(4 / wild))
        low = min(opened, price) * math.exp(-rng.expovariate(4 / wild))
        rows.append((opened, price, high, low))
    opens, closes, highs, lows = zip(*rows, strict=True)
    n, strategies = len(at), len(portfolio.strategies)
    breaks = set()
    if portfolio.execution.break_rule is not BreakRule.IGNORE and n > 1 and rng.random() < 0.3:
        breaks = {rng.randrange(1, n) for _ in range(2)}

    def flags():
        return np.array([rng.random() < busy for _ in at])

    def measures(needed):
        if not needed:
            return NO_COLUMN
        choices = (math.nan, 0.0) if needed == "volatility" else (math.nan,)
        of = 1.0 if needed == "volatility" else price * wild
        return np.array([rng.choice(choices) if rng.random() < 0.1 else of * rng.uniform(0.5, 3) for _ in at])

    execution = portfolio.execution
    return CryptoOrders(
        symbol,
        make_candles(opens, closes, at=at, highs=highs, lows=lows),
        (*sorted(breaks), n),
        tuple(
            WindowOrders(
                Signals(flags(), flags()),
                measures(execution.needs_atr),
                measures("volatility" if execution.volatility_target else ""),
            )
            for _ in range(strategies)
        ),
        np.array([rng.choice([1.0, 2.0, 2.0, -1.0, math.nan, rng.random()]) for _ in at]),
    )


def as_reference(crypto: CryptoOrders) -> Crypto:
    """Return the same crypto as lists."""
    time_s, open_, high, low, close, _ = (column.tolist() for column in crypto.candles.columns())
    return Crypto(
        crypto.symbol,
        *(time_s, open_, high, low, close),
        before_breaks={end - 1 for end in crypto.part_ends[:-1]},
        buy=[each.signals.buy.tolist() for each in crypto.orders],
        sell=[each.signals.sell.tolist() for each in crypto.orders],
        atr=[each.atr.tolist() for each in crypto.orders],
        volatility=[each.volatility.tolist() for each in crypto.orders],
        rank=crypto.rank.tolist() or [math.nan] * len(time_s),
    )
