"""Columns of cryptos are read where they are in memory, whatever they look like there."""

from dataclasses import replace

import numpy as np
import pytest

from backcast_engine.candles import Candles
from backcast_engine.portfolio import CryptoOrders, run_portfolio
from backcast_engine.portfolio.timeline import Timeline
from backcast_engine.strategies import Signals
from backcast_engine.traded_window import WindowOrders
from tests.engine.inputs import make_candles
from tests.engine.portfolio.requests import ordered, portfolio_of

RISING = make_candles([100, 100, 110, 121, 130, 140])


def spaced(column):
    """Return the same values, every other one of twice as many."""
    return np.repeat(column, 2)[::2]


def unaligned(column):
    """Return the same values at an odd address, as in a file that has flags ahead of them."""
    data = b"x" + column.tobytes()
    return np.frombuffer(data, column.dtype, len(column), offset=1)


def changed(crypto: CryptoOrders, change) -> CryptoOrders:
    (orders,) = crypto.orders
    signals = Signals(change(orders.signals.buy), change(orders.signals.sell))
    orders = WindowOrders(signals, orders.atr, orders.volatility)
    candles = Candles(*map(change, crypto.candles.columns()))
    return replace(crypto, candles=candles, orders=(orders,), rank=change(crypto.rank))


@pytest.mark.parametrize("change", [spaced, unaligned])
def test_columns_that_are_not_contiguous_or_aligned_give_the_same_portfolio(change):
    cryptos = [ordered("AUSDT", RISING, (0,), (3,), rank=1), ordered("BUSDT", RISING, (1, 2), (4,), rank=2)]
    portfolio = portfolio_of(RISING, max_positions=2)
    expected = run_portfolio(cryptos, portfolio)
    result = run_portfolio([changed(crypto, change) for crypto in cryptos], portfolio)
    assert result.trades == expected.trades
    assert result.curve.equity.tolist() == expected.curve.equity.tolist()
    assert len(expected.trades) == 2


def test_column_of_another_length_is_refused():
    crypto = ordered("AUSDT", RISING, (0,))
    short = replace(crypto, rank=np.ones(len(RISING) - 1))
    with pytest.raises(ValueError, match="not as long"):
        run_portfolio([short], portfolio_of(RISING))


@pytest.mark.parametrize(
    "columns",
    [
        [[0, 60, 120], [0, 60, 120]],
        [[0, 60, 120, 180], [120, 180]],
        [[0, 60, 120, 180], [0, 180]],
        [[0, 120], [60, 180]],
        [[0, 60], [180]],
        [[180], [0, 60]],
    ],
)
def test_timeline_has_each_time_once_and_knows_the_candles_of_each_crypto(columns):
    timeline = Timeline.of([np.array(column) for column in columns])
    assert timeline.time_s.tolist() == sorted({time for column in columns for time in column})
    for column, step in zip(columns, timeline.steps, strict=True):
        assert timeline.time_s[step].tolist() == column


def test_values_of_a_crypto_stay_until_its_next_candle():
    timeline = Timeline.of([np.array([0, 60, 120, 180, 240]), np.array([60, 180])])
    assert timeline.spread(np.array([5.0, 6.0]), 1, 1.0).tolist() == [1, 5, 5, 6, 6]
