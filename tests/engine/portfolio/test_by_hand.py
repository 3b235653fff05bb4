"""Portfolios by hand: each sentence of docs/portfolios.md that a person would want to see in numbers."""

from dataclasses import replace

import numpy as np
import pytest

from backcast_engine import Direction, ExitReason, VolatilityTarget
from backcast_engine.portfolio import PortfolioSize, Rebalancing, SkipReason, WeightedStrategy, run_portfolio
from backcast_engine.strategies.rsi import Rsi
from backcast_engine.strategies.supertrend import Supertrend
from tests.engine.inputs import FREE, HOUR_S, MONDAY_S, make_candles
from tests.engine.portfolio.requests import ordered, portfolio_of

FLAT = make_candles([100] * 5)


def skipped(result, symbol):
    (crypto,) = [each for each in result.cryptos if each.symbol == symbol]
    return {SkipReason(number).name: count for number, count in enumerate(crypto.skipped) if count}


def test_entries_of_one_open_cost_equal_shares_of_the_equity():
    cryptos = [ordered(symbol, FLAT, buy_at=(0,)) for symbol in ("AUSDT", "BUSDT")]
    result = run_portfolio(cryptos, portfolio_of(FLAT, max_positions=2))
    assert [each.trade.units for each in result.trades] == [5.0, 5.0]
    assert result.curve.cash.tolist() == [1_000, 0, 0, 0, 0]
    assert result.curve.positions.tolist() == [0, 2, 2, 2, 2]
    assert result.curve.exposure.tolist() == [0, 1, 1, 1, 1]


def test_higher_rank_gets_the_last_place_and_the_other_entry_is_counted():
    cryptos = [ordered("AUSDT", FLAT, (0, 1), rank=1), ordered("BUSDT", FLAT, (0,), rank=2)]
    result = run_portfolio(cryptos, portfolio_of(FLAT))
    assert [each.symbol for each in result.trades] == ["BUSDT"]
    assert skipped(result, "AUSDT") == {"NO_PLACE": 2}
    assert skipped(result, "BUSDT") == {}


@pytest.mark.parametrize("ranks", [(1, 1), (None, None), (float("nan"), float("nan"))])
def test_symbol_decides_where_ranks_are_equal_or_undefined(ranks):
    cryptos = [
        ordered(symbol, FLAT, (0,), rank=rank) for symbol, rank in zip(("BUSDT", "AUSDT"), ranks, strict=True)
    ]
    result = run_portfolio(cryptos, portfolio_of(FLAT))
    assert [each.symbol for each in result.trades] == ["AUSDT"]


def test_undefined_rank_comes_after_every_other():
    cryptos = [ordered("AUSDT", FLAT, (0,), rank=float("nan")), ordered("BUSDT", FLAT, (0,), rank=-1e9)]
    assert [each.symbol for each in run_portfolio(cryptos, portfolio_of(FLAT)).trades] == ["BUSDT"]


def test_place_and_cash_of_an_exit_are_free_at_the_same_open():
    cryptos = [ordered("BUSDT", FLAT, (0,), (1,)), ordered("AUSDT", FLAT, (1,))]
    result = run_portfolio(cryptos, portfolio_of(FLAT))
    assert [(each.symbol, each.trade.entry_time_s - MONDAY_S) for each in result.trades] == [
        ("BUSDT", HOUR_S),
        ("AUSDT", 2 * HOUR_S),
    ]
    assert result.curve.positions.tolist() == [0, 1, 1, 1, 1]


def test_entry_gets_what_cash_there_is_and_none_below_a_hundredth_of_its_size():
    execution = replace(FREE, quote_amount=600.0)
    cryptos = [ordered(symbol, FLAT, (0,)) for symbol in ("AUSDT", "BUSDT", "CUSDT")]
    portfolio = portfolio_of(FLAT, execution, max_positions=3, size=PortfolioSize.EXECUTION)
    result = run_portfolio(cryptos, portfolio)
    assert [each.trade.units for each in result.trades] == [6.0, 4.0]
    assert skipped(result, "CUSDT") == {"NO_CASH": 1}


def test_volatility_target_makes_the_size_and_no_volatility_no_entry():
    execution = replace(FREE, volatility_target=VolatilityTarget(0.2))
    cryptos = [ordered("AUSDT", FLAT, (0,), volatility=0.8), ordered("BUSDT", FLAT, (0,), volatility=0)]
    portfolio = portfolio_of(FLAT, execution, max_positions=2, size=PortfolioSize.EXECUTION)
    result = run_portfolio(cryptos, portfolio)
    assert [each.trade.units for each in result.trades] == [2.5]
    assert skipped(result, "BUSDT") == {"UNDEFINED_SIZE": 1}


def test_cash_that_a_short_position_brings_cannot_be_spent():
    execution = replace(FREE, direction=Direction.LONG_SHORT, quote_amount=500.0)
    cryptos = [
        ordered("AUSDT", FLAT, sell_at=(0,)),
        ordered("BUSDT", FLAT, buy_at=(0,)),
        ordered("CUSDT", FLAT, buy_at=(0,)),
    ]
    portfolio = portfolio_of(FLAT, execution, max_positions=3, size=PortfolioSize.EXECUTION)
    result = run_portfolio(cryptos, portfolio)
    assert [each.trade.units for each in result.trades] == [-5.0, 5.0]
    assert skipped(result, "CUSDT") == {"NO_CASH": 1}
    assert result.curve.cash.tolist() == [1_000, 1_000, 1_000, 1_000, 1_000]


def test_position_on_a_crypto_without_a_candle_is_valued_at_its_last_close():
    gap = make_candles([100, 100, 200], [100, 150, 200], at=[0, 1, 4])
    cryptos = [ordered("AUSDT", gap, (0,)), ordered("BUSDT", FLAT)]
    result = run_portfolio(cryptos, portfolio_of(FLAT))
    assert result.curve.equity.tolist() == [1_000, 1_500, 1_500, 1_500, 2_000]


def test_crypto_that_ends_early_is_sold_at_its_last_close_and_its_cost_comes_in_the_next_candle():
    early = make_candles([100, 100, 120], [100, 110, 120])
    execution = replace(FREE, fee_rate=0.01)
    cryptos = [ordered("AUSDT", early, (0,)), ordered("BUSDT", FLAT, (2,))]
    result = run_portfolio(cryptos, portfolio_of(FLAT, execution))
    first, second = result.trades
    assert (first.trade.exit_reason, first.trade.exit_price) == (ExitReason.BREAK, 120)
    worth = 1_000 / 101 * 120
    assert result.curve.equity[2] == pytest.approx(worth)
    # Its place is free for the next open, and an entry has paid its fee there.
    assert second.symbol == "BUSDT"
    assert second.trade.units == pytest.approx(worth * 0.99 / 101)


def test_crypto_that_is_listed_late_enters_then():
    late = make_candles([50, 50, 60], at=[2, 3, 4])
    result = run_portfolio([ordered("AUSDT", late, (2,)), ordered("BUSDT", FLAT)], portfolio_of(FLAT))
    assert result.curve.equity.tolist() == [1_000, 1_000, 1_000, 1_000, 1_200]


def test_strategies_have_places_of_their_own_and_trade_with_their_weights():
    crypto = ordered("AUSDT", FLAT, (0,))
    crypto = replace(crypto, orders=crypto.orders * 2)
    strategies = (WeightedStrategy(Rsi(), 0.25), WeightedStrategy(Supertrend(), 0.75))
    result = run_portfolio([crypto], portfolio_of(FLAT, strategies=strategies))
    assert [(each.strategy, each.trade.units) for each in result.trades] == [(0, 2.5), (1, 7.5)]


def test_rebalancing_sells_what_rose_and_buys_what_fell():
    up, down = make_candles([100, 100, 150, 150]), make_candles([100, 100, 50, 50])
    portfolio = portfolio_of(up, max_positions=2, rebalancing=Rebalancing(2))
    result = run_portfolio([ordered("AUSDT", up, (0,)), ordered("BUSDT", down, (0,))], portfolio)
    # At the open of hour 2, 750 and 250 become 500 and 500.
    rose, fell = (each.trade for each in result.trades)
    assert rose.units == pytest.approx(500 / 150)
    assert fell.units == pytest.approx(10)
    assert fell.entry_price == pytest.approx((5 * 100 + 5 * 50) / 10)
    assert rose.profit == pytest.approx(250)
    assert fell.profit == pytest.approx(-250)
    assert result.cryptos[0].turnover == pytest.approx(500 + 250)


def test_rebalancing_leaves_what_is_within_the_threshold_alone():
    up, down = make_candles([100, 100, 110, 110]), make_candles([100, 100, 90, 90])
    portfolio = portfolio_of(up, max_positions=2, rebalancing=Rebalancing(2, threshold=0.15))
    result = run_portfolio([ordered("AUSDT", up, (0,)), ordered("BUSDT", down, (0,))], portfolio)
    assert [each.trade.units for each in result.trades] == [5.0, 5.0]


def test_account_that_a_short_position_ruins_is_closed_and_trades_no_more():
    execution = replace(FREE, direction=Direction.LONG_SHORT)
    soaring = make_candles([100, 100, 400, 400, 400])
    cryptos = [
        ordered("AUSDT", soaring, sell_at=(0,)),
        ordered("BUSDT", FLAT, buy_at=(0, 3)),
    ]
    result = run_portfolio(cryptos, portfolio_of(FLAT, execution, max_positions=2))
    assert result.curve.equity.tolist() == [1_000, 1_000, 0, 0, 0]
    assert [each.trade.exit_reason for each in result.trades] == [ExitReason.LIQUIDATION] * 2
    assert skipped(result, "BUSDT") == {"NO_EQUITY": 1}
    assert sum(crypto.contribution for crypto in result.cryptos) == pytest.approx(-1_000)


def test_hold_is_the_mean_of_holding_each_crypto():
    up, late = make_candles([100, 100, 150, 200]), make_candles([10, 10, 5], at=[1, 2, 3])
    result = run_portfolio([ordered("AUSDT", up), ordered("BUSDT", late)], portfolio_of(up))
    assert result.curve.hold.tolist() == [1_000, 1_000, 1_250, 1_250]
    assert result.metrics.buy_and_hold_return == pytest.approx(0.25)
    assert result.hold.total_return == pytest.approx(0.25)


def test_benchmark_is_bitcoin_where_it_is_there():
    up = make_candles([100, 100, 110, 99, 120])
    cryptos = [ordered("BTCUSDT", up, (0,)), ordered("AUSDT", FLAT)]
    result = run_portfolio(cryptos, portfolio_of(FLAT))
    assert result.benchmark.symbol == "BTCUSDT"
    # It holds just that: the same return in each candle.
    assert result.benchmark.beta == pytest.approx(1)
    assert result.benchmark.alpha == pytest.approx(0, abs=1e-9)
    assert result.benchmark.information_ratio is None
    assert run_portfolio(cryptos[1:], portfolio_of(FLAT)).benchmark is None


def test_alpha_beta_and_information_ratio_follow_their_definitions():
    prices = [100, 100, 110, 99, 120], [50, 50, 52, 51, 50]
    cryptos = [
        ordered(symbol, make_candles(opens), (0,))
        for symbol, opens in zip(("AUSDT", "BUSDT"), prices, strict=True)
    ]
    result = run_portfolio(cryptos, portfolio_of(FLAT, max_positions=2, benchmark="BUSDT"))
    own = np.diff(result.curve.equity, prepend=1_000) / np.array([1_000, *result.curve.equity[:-1]])
    other = np.array([0, 0, 0.04, -1 / 52, -1 / 51])
    beta = np.cov(own, other)[0, 1] / np.var(other, ddof=1)
    year = 365 * 24
    assert result.benchmark.beta == pytest.approx(beta)
    assert result.benchmark.alpha == pytest.approx((own.mean() - beta * other.mean()) * year)
    excess = own - other
    ratio = excess.mean() / excess.std(ddof=1) * year**0.5
    assert result.benchmark.information_ratio == pytest.approx(ratio)


def test_portfolio_without_signals_has_no_trades_and_no_correlations():
    result = run_portfolio([ordered("AUSDT", FLAT)], portfolio_of(FLAT))
    assert result.trades == ()
    assert np.isnan(result.correlation).all()
