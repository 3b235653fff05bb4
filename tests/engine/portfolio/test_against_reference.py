"""The compiled pass and the reference, written from docs/portfolios.md, agree on random markets."""

import random
from collections import Counter

import numpy as np
import pytest
from hypothesis import assume, event, given, settings

from backcast_engine.portfolio import SkipReason
from backcast_engine.portfolio.run import run_portfolio
from tests.engine.portfolio.markets import as_reference, markets
from tests.engine.portfolio.reference import Account
from tests.engine.portfolio.requests import detailed

pytestmark = pytest.mark.slow


def expect(cryptos, portfolio):
    """Return the reference's outcome, where rounding decides nothing; within hypothesis only."""
    expected = Account([as_reference(crypto) for crypto in cryptos], portfolio).run()
    assume(expected.clearance > 1e-9)
    # Of an account that has lost nearly, but not quite, everything, no digits are left.
    assume(expected.own > 1e-3)
    for reason in {position.reason for position in expected.closed}:
        event(f"closed by {reason.name}")
    for skip in {skip for skipped in expected.skipped.values() for skip in skipped if skipped[skip]}:
        event(f"skipped for {skip.name}")
    event(f"{min(max(expected.positions), 3)} positions (3: or more)")
    return expected


@settings(max_examples=400, deadline=None)
@given(markets())
def test_portfolio_is_the_references_on_random_markets(market):
    cryptos, portfolio = market
    portfolio = detailed(portfolio, cryptos)
    expected = expect(cryptos, portfolio)
    result = run_portfolio(cryptos, portfolio)

    curve = result.curve
    # The equity of shorts is a difference: it has the rounding of all the money that is there.
    rounding = max(1e-12, 1e-14 / expected.own)
    assert (np.abs(curve.equity - expected.equity) <= rounding * np.abs(expected.equity)).all()
    money = portfolio.execution.initial_capital + np.abs(expected.cash)
    assert (np.abs(curve.cash - expected.cash) <= 1e-11 * money).all()
    assert curve.exposure.tolist() == pytest.approx(expected.exposure, rel=1e-9, abs=1e-9)
    assert curve.positions.tolist() == expected.positions

    assert_same_trades(result.trades, expected, cryptos)
    for crypto in result.cryptos:
        assert dict(enumerate(crypto.skipped)) == expected.skipped[crypto.symbol]
        assert crypto.turnover == pytest.approx(expected.turnover[crypto.symbol], rel=1e-9)
    counted = Counter(trade.symbol for trade in result.trades if not trade.trade.open)
    assert {crypto.symbol: crypto.trade_count for crypto in result.cryptos if crypto.trade_count} == counted


def assert_same_trades(trades, expected, cryptos):
    times = {crypto.symbol: crypto.candles.open_time_s.tolist() for crypto in cryptos}
    positions = expected.closed + expected.left
    assert len(trades) == len(positions)
    for each, position in zip(trades, positions, strict=True):
        trade, time_s = each.trade, times[position.symbol]
        assert (each.symbol, each.strategy) == (position.symbol, position.strategy)
        assert trade.entry_time_s == time_s[position.entry]
        assert trade.exit_time_s == (None if position.exit is None else time_s[position.exit])
        assert trade.exit_reason == position.reason
        assert trade.units == pytest.approx(position.side * position.units, rel=1e-9)
        assert trade.entry_price == pytest.approx(position.spent / position.bought, rel=1e-9)
        assert trade.fees_paid == pytest.approx(position.fees, rel=1e-9)
        value = position.value if position.exit is None else 0.0
        profit = position.flow + value - position.carry
        scale = position.cost + abs(position.carry) + abs(value)
        assert trade.profit == pytest.approx(profit, rel=1e-9, abs=1e-11 * scale)
        assert trade.borrow_paid + trade.funding_paid == pytest.approx(position.carry, rel=1e-9)


@settings(max_examples=100, deadline=None)
@given(markets())
def test_contributions_add_up_to_the_change_of_the_equity(market):
    cryptos, portfolio = market
    portfolio = detailed(portfolio, cryptos)
    expect(cryptos, portfolio)
    result = run_portfolio(cryptos, portfolio)
    capital = portfolio.execution.initial_capital
    gained = sum(crypto.contribution for crypto in result.cryptos)
    size = capital + sum(abs(crypto.contribution) for crypto in result.cryptos)
    assert gained == pytest.approx(result.curve.equity[-1] - capital, rel=1e-9, abs=1e-10 * size)


@settings(max_examples=50, deadline=None)
@given(markets())
def test_order_of_the_cryptos_changes_nothing(market):
    cryptos, portfolio = market
    portfolio = detailed(portfolio, cryptos)
    shuffled = random.Random(1).sample(cryptos, len(cryptos))
    first, second = run_portfolio(cryptos, portfolio), run_portfolio(shuffled, portfolio)
    assert first.metrics == second.metrics
    assert first.trades == second.trades
    assert first.cryptos == second.cryptos
    assert first.curve.equity.tolist() == second.curve.equity.tolist()
    assert np.array_equal(first.correlation, second.correlation, equal_nan=True)


@settings(max_examples=100, deadline=None)
@given(markets())
def test_correlations_are_those_of_the_references_profits(market):
    cryptos, portfolio = market
    portfolio = detailed(portfolio, cryptos)
    expected = expect(cryptos, portfolio)
    found = run_portfolio(cryptos, portfolio).correlation
    assert found is not None
    symbols = sorted(crypto.symbol for crypto in cryptos)
    returns = returns_of_positions(expected, portfolio.execution.initial_capital)
    for row, one in enumerate(symbols):
        for column, other in enumerate(symbols):
            common = [(both[one], both[other]) for both in returns if one in both and other in both]
            ours = found[row, column]
            if len(common) < 3:
                assert np.isnan(ours)
                continue
            spread = np.std(common, axis=0) / (np.abs(common).max(axis=0) + 1e-300)
            if (spread > 1e-4).all():
                assert ours == pytest.approx(np.corrcoef(np.transpose(common))[0, 1], abs=1e-6)


def returns_of_positions(expected, capital):
    """Return for each candle that began with equity the return of each crypto that had a position."""
    before = zip(
        [capital, *expected.equity], [dict.fromkeys(expected.profits[0], 0.0), *expected.profits], strict=True
    )
    return [
        {symbol: (profits[symbol] - last[symbol]) / equity for symbol in had}
        for (equity, last), profits, had in zip(before, expected.profits, expected.had, strict=False)
        if equity > 0
    ]


def test_skip_reasons_have_the_documents_order():
    assert [reason.name for reason in SkipReason] == ["NO_EQUITY", "NO_PLACE", "UNDEFINED_SIZE", "NO_CASH"]
