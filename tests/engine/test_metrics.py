"""Metrics of examples that were computed on paper, and absence where there is nothing to compute."""

import math
from dataclasses import replace

import numpy as np
import pytest

from backcast_engine import Backtest, Detail, Execution, FillTime, metrics_of, run_backtest
from backcast_engine.history import History
from backcast_engine.interval import Interval
from backcast_engine.metrics import measure
from backcast_engine.results import METRIC_NAMES
from backcast_engine.simulation import Simulation
from backcast_engine.strategies.buy_and_hold import BuyAndHold
from backcast_engine.terms import TRADE

from .inputs import FREE, Scripted, all_of, make_candles


def metrics(candles, strategy, execution=FREE, interval=Interval.HOUR_1):
    window = all_of(candles, interval)
    return run_backtest(
        History(candles), Backtest(strategy, interval, window, execution, Detail.METRICS)
    ).metrics


def test_metrics_of_three_candles_are_those_by_hand():
    # 100 units at 10: equity 1000, 1100, 990; returns 0, +0.1, -0.1.
    candles = make_candles(opens=[8, 10, 11], closes=[9, 11, 9.9], interval=Interval.DAY_1)
    found = metrics(candles, BuyAndHold(), interval=Interval.DAY_1)
    year = math.sqrt(365)
    assert found.final_equity == pytest.approx(990)
    assert found.total_return == pytest.approx(-0.01)
    assert found.buy_and_hold_return == pytest.approx(9.9 / 10 - 1)  # from the second open
    assert found.max_drawdown == pytest.approx(0.1)  # from 1100 to 990
    # The mean is 0; the squares around it sum to 0.02, over 3 - 1.
    assert found.annual_volatility == pytest.approx(0.1 * year)
    assert found.sharpe_ratio == pytest.approx(0, abs=1e-12)
    assert found.sortino_ratio == pytest.approx(0, abs=1e-12)
    assert found.exposure == pytest.approx(2 / 3)
    assert (found.trade_count, found.open_trade_count) == (0, 1)
    assert found.fees_paid == 0


@pytest.mark.parametrize(
    ("interval", "periods_per_year"),
    [
        (Interval.HOUR_1, 8_760),
        (Interval.HOUR_4, 2_190),
        (Interval.DAY_1, 365),
        (Interval.WEEK_1, 365 / 7),
    ],
)
def test_ratios_are_those_of_a_year(interval, periods_per_year):
    # Equity 1000, 1200, 1080: returns 0, 0.2, -0.1, mean 1/30.
    candles = make_candles(opens=[10, 10, 12], closes=[10, 12, 10.8], interval=interval)
    found = metrics(candles, BuyAndHold(), interval=interval)
    std = math.sqrt(((1 / 30) ** 2 + (1 / 6) ** 2 + (2 / 15) ** 2) / 2)
    downside = math.sqrt(0.1**2 / 3)
    assert found.annual_volatility == pytest.approx(std * math.sqrt(periods_per_year))
    assert found.sharpe_ratio == pytest.approx(1 / 30 / std * math.sqrt(periods_per_year))
    assert found.sortino_ratio == pytest.approx(1 / 30 / downside * math.sqrt(periods_per_year))


def test_gaps_do_not_change_the_year():
    opens, closes = [10, 10, 12], [10, 12, 10.8]
    found = metrics(make_candles(opens, closes, at=[0, 30, 31]), BuyAndHold())
    assert found == metrics(make_candles(opens, closes), BuyAndHold())


def test_a_gap_is_time_in_which_equity_grew():
    # 1 to 1.5 within 14 days, of which there are four: two at the beginning, two at the end.
    candles = make_candles([10, 10, 10, 15], interval=Interval.DAY_1, at=[0, 1, 12, 13])
    assert metrics(candles, BuyAndHold(), interval=Interval.DAY_1).cagr == pytest.approx(
        1.5 ** (365.25 / 14) - 1
    )


def test_growth_is_that_of_a_year():
    # 10 weeks of candles, equity doubled on the way and then down by a quarter: 1.5 in 70 days.
    prices = [10, 10, 20, 20, 20, 20, 20, 20, 20, 15]
    found = metrics(make_candles(prices, interval=Interval.WEEK_1), BuyAndHold(), interval=Interval.WEEK_1)
    cagr = 1.5 ** (365.25 / 70) - 1
    assert found.cagr == pytest.approx(cagr)
    assert found.max_drawdown == pytest.approx(0.25)
    assert found.calmar_ratio == pytest.approx(cagr / 0.25)


def test_growth_of_a_year_needs_a_week():
    assert metrics(make_candles([10.0] * 167), BuyAndHold()).cagr is None
    assert metrics(make_candles([10.0] * 168), BuyAndHold()).cagr == 0
    week = make_candles(opens=[10], closes=[20], interval=Interval.WEEK_1)
    assert metrics(week, BuyAndHold(), interval=Interval.WEEK_1).cagr == 0


def test_growth_that_no_float_holds_is_absent():
    # A factor of 1e7 in a week: 1e7 ** 52.
    found = metrics(make_candles([1.0] * 167 + [1e7]), BuyAndHold())
    assert found.total_return == pytest.approx(1e7 - 1)
    assert found.cagr is None
    assert found.calmar_ratio is None


def test_the_capital_is_the_first_peak_and_what_the_first_return_is_from():
    # No fill is early enough for equity to differ at the first close, so this asks the metrics directly.
    equity = np.array([900.0, 950.0])
    idle = Simulation(equity, trades=np.empty(0, TRADE), held=0, cash=1_000.0)
    found = metrics_of(measure(make_candles([10, 10]), idle, 1_000.0, Interval.HOUR_1, holding=1.0))
    assert found.max_drawdown == pytest.approx(0.1)
    assert found.total_return == pytest.approx(-0.05)
    # Returns of -1/10 and 1/18: their distance over the square root of two.
    assert found.annual_volatility == pytest.approx((1 / 10 + 1 / 18) / math.sqrt(2) * math.sqrt(8_760))


def test_the_fee_of_the_purchase_is_a_drawdown():
    execution = Execution(fee_rate=0.25, initial_capital=1_000)
    found = metrics(make_candles([10.0] * 3), BuyAndHold(), execution)
    assert found.max_drawdown == pytest.approx(0.2)
    assert found.fees_paid == pytest.approx(200)
    assert found.total_return == pytest.approx(-0.2)


def test_the_maximum_drawdown_is_the_deepest_and_not_the_last():
    found = metrics(make_candles([10, 10, 20, 5, 40, 30]), BuyAndHold())
    assert found.max_drawdown == pytest.approx(0.75)


def test_metrics_of_trades_are_those_by_hand():
    # 1000: bought at 10, sold at 15: +500. Bought at 20, sold at 16: -300. Bought at 12, sold at 18:
    # +600. Bought at 10, open at 1.
    candles = make_candles([9, 10, 15, 20, 16, 12, 18, 10, 1])
    found = metrics(candles, Scripted(buy_at=(0, 2, 4, 6), sell_at=(1, 3, 5)))
    assert (found.trade_count, found.open_trade_count) == (3, 1)
    assert found.win_rate == pytest.approx(2 / 3)
    assert found.profit_factor == pytest.approx(1_100 / 300)
    assert found.expectancy == pytest.approx((0.5 - 0.2 + 0.5) / 3)
    assert found.best_trade == pytest.approx(0.5)
    assert found.worst_trade == pytest.approx(-0.2)
    # Held at the closes 1, 3, 5, 7 and 8.
    assert found.exposure == pytest.approx(5 / 9)


def test_a_trade_wins_after_its_fees_or_not_at_all():
    # +10 % before fees, -1 % after 5 % on each side... 1.1 * 0.95 / 1.05 = 0.995.
    execution = Execution(fee_rate=0.05, initial_capital=1_000)
    found = metrics(make_candles([10, 10, 11]), Scripted(buy_at=(0,), sell_at=(1,)), execution)
    assert found.win_rate == 0
    assert found.profit_factor == 0
    assert found.expectancy == pytest.approx(1.1 * 0.95 / 1.05 - 1)
    assert found.best_trade == found.worst_trade == found.expectancy


# What is undefined


def absent(found):
    return {name for name in METRIC_NAMES if getattr(found, name) is None}


OF_TRADES = {"win_rate", "profit_factor", "expectancy", "best_trade", "worst_trade"}


def test_one_candle_has_few_metrics():
    found = metrics(make_candles([10], [11]), BuyAndHold())
    assert absent(found) == OF_TRADES | {
        "annual_volatility",
        "sharpe_ratio",
        "sortino_ratio",
        "cagr",
        "calmar_ratio",
        # There is no open after it to buy at.
        "buy_and_hold_return",
    }
    at_close = replace(FREE, fill_time=FillTime.SAME_CLOSE)
    assert metrics(make_candles([10], [11]), BuyAndHold(), at_close).buy_and_hold_return == 0
    assert (found.total_return, found.max_drawdown, found.exposure, found.trade_count) == (0, 0, 0, 0)


def test_two_candles_have_few_metrics():
    # Equity 1000, 1100: returns 0 and 0.1, mean 0.05, deviation sqrt(2 * 0.05² / 1).
    found = metrics(make_candles([10, 10], [10, 11]), BuyAndHold())
    assert absent(found) == OF_TRADES | {"sortino_ratio", "cagr", "calmar_ratio"}
    assert found.annual_volatility == pytest.approx(0.05 * math.sqrt(2) * math.sqrt(8_760))
    assert found.sharpe_ratio == pytest.approx(math.sqrt(8_760) / math.sqrt(2))


def test_metrics_of_trades_are_absent_without_a_trade():
    found = metrics(make_candles([10.0, 12] * 100), Scripted())
    assert absent(found) == OF_TRADES | {"sharpe_ratio", "sortino_ratio", "calmar_ratio"}
    assert (found.annual_volatility, found.cagr, found.total_return, found.max_drawdown) == (0, 0, 0, 0)


def test_winners_alone_have_no_profit_factor():
    found = metrics(make_candles([10, 10, 11, 11]), Scripted(buy_at=(0,), sell_at=(1,)))
    assert found.profit_factor is None
    assert found.sortino_ratio is None
    assert found.win_rate == 1


def test_a_trade_without_gain_or_loss_is_no_winner():
    found = metrics(make_candles([10, 10, 10, 10]), Scripted(buy_at=(0,), sell_at=(1,)))
    assert found.profit_factor is None
    assert (found.win_rate, found.expectancy, found.best_trade, found.worst_trade) == (0, 0, 0, 0)


def test_a_curve_that_never_falls_has_no_calmar_ratio():
    found = metrics(make_candles([10.0 + i for i in range(200)]), BuyAndHold())
    assert found.cagr > 0
    assert (found.max_drawdown, found.calmar_ratio, found.sortino_ratio) == (0, None, None)


# What is undefined stays so when units * price is not the cash that was paid to the last bit, as with
# 19/7 and 23/7 (1000 / price * price is 1e-13 off): rounding is no gain, no loss and no risk.
AWKWARD = [0.1, 0.7, 1.1, 3.3, 49.0, *(i / 7 for i in range(1, 60))]


def test_holding_what_stands_still_is_as_good_as_not_holding():
    present = {}
    for price in AWKWARD:
        found = metrics(make_candles([price] * 200), BuyAndHold())
        if wrong := {"sharpe_ratio", "sortino_ratio", "calmar_ratio"} - absent(found):
            present[price] = wrong
    assert not present


def test_rounding_is_neither_gain_nor_loss():
    wrong = {}
    for price in AWKWARD:
        # Bought and sold at the same price, then bought and sold with a gain.
        candles = make_candles([price, price, price, price, 2 * price, 2 * price])
        found = metrics(candles, Scripted(buy_at=(0, 2), sell_at=(1, 3)))
        if (found.win_rate, found.profit_factor, found.sortino_ratio) != (0.5, None, None):
            wrong[price] = (found.win_rate, found.profit_factor, found.sortino_ratio)
    assert not wrong
