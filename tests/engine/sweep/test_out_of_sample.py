"""Stitched equity, against a second implementation that was written from docs/sweeps.md alone."""

import math
from statistics import fmean, stdev

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backcast_engine import METRIC_NAMES, Backtest, Detail, Execution, Window, metrics_of, run_backtest
from backcast_engine.history import History
from backcast_engine.interval import Interval
from backcast_engine.metrics import measure_curve
from backcast_engine.strategies.rsi import Rsi
from backcast_engine.sweep.out_of_sample import Curve, FoldResult, StitchedCrypto, equal_weighted
from tests.candle_making import START_S, random_candles

HOUR = Interval.HOUR_1
CAPITAL = 500.0


def window(first: int, end: int) -> Window:
    return Window(START_S + 3600 * first, START_S + 3600 * end)


def result(hours: list[int], equity: list[float], **figures: float) -> FoldResult:
    times = START_S + 3600 * np.array(hours, np.int64)
    given_ = {"exposure": 0.5, "buy_and_hold_return": 0.0, "trade_count": 1.0, "open_trade_count": 0.0}
    given_ |= {name: 0.0 for name in METRIC_NAMES if name.endswith("_paid")}
    given_ |= figures
    return FoldResult(times, np.array(equity), np.array([given_.get(name, np.nan) for name in METRIC_NAMES]))


def stitched(*folds: FoldResult | Window) -> Curve:
    crypto = StitchedCrypto(CAPITAL, HOUR)
    for fold in folds:
        crypto.hold(fold) if isinstance(fold, Window) else crypto.add(fold)
    return crypto.curve()


def figure(curve: Curve, name: str) -> float:
    return float(curve.figures[METRIC_NAMES.index(name)])


def test_folds_compound_and_without_a_result_cash_is_held() -> None:
    curve = stitched(
        result([0, 1, 2], [500, 400, 600]), window(3, 5), result([6, 7], [250, 1000]), window(8, 9)
    )
    assert ((curve.open_time_s - START_S) // 3600).tolist() == [0, 1, 2, 3, 4, 6, 7, 8]
    assert curve.equity.tolist() == [500, 400, 600, 600, 600, 300, 1200, 1200]
    assert figure(curve, "total_return") == 1.4
    assert figure(curve, "final_equity") == 1200
    assert figure(curve, "max_drawdown") == 0.5


def test_counts_and_costs_are_sums_and_the_exposure_a_mean() -> None:
    curve = stitched(
        result([0], [600], trade_count=2, fees_paid=3.5, exposure=0.75, buy_and_hold_return=0.5),
        result([1], [700], trade_count=3, open_trade_count=1, fees_paid=1.5, buy_and_hold_return=-0.2),
        window(2, 3),
    )
    assert figure(curve, "trade_count") == 5
    assert figure(curve, "open_trade_count") == 1
    assert figure(curve, "fees_paid") == 5
    assert figure(curve, "exposure") == pytest.approx(1.25 / 3)
    assert figure(curve, "buy_and_hold_return") == pytest.approx(0.2)
    for name in ("win_rate", "profit_factor", "expectancy", "best_trade", "worst_trade"):
        assert math.isnan(figure(curve, name))


def test_a_curve_of_longer_candles_has_the_last_equity_in_each_of_them() -> None:
    crypto = StitchedCrypto(CAPITAL, Interval.HOUR_4)
    # Of hours, with gaps; of the very candles; without a result.
    crypto.add(result([1, 2, 3, 4, 9, 11], [510, 520, 530, 540, 550, 1000]))
    crypto.add(result([12, 16], [250, 500]))
    crypto.hold(window(20, 27))
    curve = crypto.curve()
    assert ((curve.open_time_s - START_S) // 3600).tolist() == [0, 4, 8, 12, 16, 20, 24]
    assert curve.equity.tolist() == [530, 540, 1000, 500, 1000, 1000, 1000]
    assert figure(curve, "max_drawdown") == 0.5
    returns = [530 / 500, 540 / 530, 1000 / 540, 0.5, 2, 1, 1]
    changes = [growth - 1 for growth in returns]
    sharpe = fmean(changes) / stdev(changes) * math.sqrt(365 * 6)
    assert figure(curve, "sharpe_ratio") == pytest.approx(sharpe, rel=1e-12)


def test_all_cryptos_have_the_mean_of_what_each_holds() -> None:
    early = stitched(result([0, 1], [600, 700], fees_paid=2, buy_and_hold_return=0.5))
    late = stitched(result([1, 3], [400, 100], fees_paid=4, trade_count=7))
    every = equal_weighted([early, late], CAPITAL, HOUR)
    assert ((every.open_time_s - START_S) // 3600).tolist() == [0, 1, 3]
    # Before its first candle the late one has its capital, after its last the early one what it had.
    assert every.equity.tolist() == [550, 550, 400]
    assert figure(every, "total_return") == pytest.approx(-0.2)
    assert figure(every, "fees_paid") == 3
    assert figure(every, "trade_count") == 8
    assert figure(every, "buy_and_hold_return") == 0.25


def test_a_crypto_without_a_result_counts_as_nothing_in_return_and_in_holding() -> None:
    some = stitched(result([0, 1], [500, 750], buy_and_hold_return=0.5))
    none = stitched(window(0, 2))
    every = equal_weighted([some, none], CAPITAL, HOUR)
    assert figure(every, "total_return") == figure(every, "buy_and_hold_return") == 0.25
    assert math.isnan(figure(equal_weighted([none, none], CAPITAL, HOUR), "buy_and_hold_return"))


def test_nothing_is_held_in_a_window_of_one_candle() -> None:
    one = result([2], [500], buy_and_hold_return=math.nan)
    assert (
        figure(stitched(result([0, 1], [500, 750], buy_and_hold_return=0.5), one), "buy_and_hold_return")
        == 0.5
    )


def test_without_any_result_there_is_cash_alone() -> None:
    curve = stitched(window(0, 4), window(4, 6))
    assert curve.equity.tolist() == [CAPITAL] * 6
    assert figure(curve, "total_return") == 0
    assert figure(curve, "exposure") == 0
    assert math.isnan(figure(curve, "sharpe_ratio"))
    assert math.isnan(figure(curve, "buy_and_hold_return"))


def by_the_docs(folds: list[dict[int, float] | range]) -> dict[int, float]:
    """Return the curve's value at each hour, from the folds' equities or the hours that have none."""
    value = CAPITAL
    curve: dict[int, float] = {}
    for fold in folds:
        if isinstance(fold, range):
            curve |= dict.fromkeys(fold, value)
        else:
            curve |= {hour: value * equity / CAPITAL for hour, equity in fold.items()}
            value = value * fold[max(fold)] / CAPITAL
    return curve


def held(curve: dict[int, float], hour: int) -> float:
    before = [one for one in curve if one <= hour]
    return curve[max(before)] if before else CAPITAL


@st.composite
def markets(draw):
    """Draw what some cryptos did in some folds of ten hours."""
    equity = st.floats(1, 2000).map(lambda value: round(value, 2))
    cryptos = []
    count = draw(st.integers(1, 4))
    for _ in range(draw(st.integers(1, 4))):
        folds = []
        for fold in range(count):
            hours = draw(st.sets(st.integers(10 * fold, 10 * fold + 9), max_size=6))
            traded = {hour: draw(equity) for hour in sorted(hours)}
            folds.append(traded or range(10 * fold, 10 * fold + 10))
        cryptos.append(folds)
    return cryptos


@given(markets())
@settings(max_examples=80)
def test_curves_are_those_of_the_docs(cryptos) -> None:
    curves, expected = [], []
    for folds in cryptos:
        expected.append(by_the_docs(folds))
        curves.append(
            stitched(
                *(
                    window(fold.start, fold.stop)
                    if isinstance(fold, range)
                    else result(list(fold), list(fold.values()))
                    for fold in folds
                )
            )
        )
    for curve, values in zip(curves, expected, strict=True):
        assert ((curve.open_time_s - START_S) // 3600).tolist() == list(values)
        np.testing.assert_allclose(curve.equity, list(values.values()), rtol=1e-12)
    every = equal_weighted(curves, CAPITAL, HOUR)
    hours = sorted(set().union(*expected))
    means = [fmean(held(values, hour) for values in expected) for hour in hours]
    assert ((every.open_time_s - START_S) // 3600).tolist() == hours
    np.testing.assert_allclose(every.equity, means, rtol=1e-12)
    returns = [now / then - 1 for then, now in zip([CAPITAL, *means], means, strict=False)]
    if len(returns) > 1 and stdev(returns) > 1e-9:
        sharpe = fmean(returns) / stdev(returns) * math.sqrt(365 * 24)
        assert figure(every, "sharpe_ratio") == pytest.approx(sharpe, rel=1e-6)
        losses = math.sqrt(fmean(min(one, 0) ** 2 for one in returns))
        if losses > 1e-9:
            sortino = fmean(returns) / losses * math.sqrt(365 * 24)
            assert figure(every, "sortino_ratio") == pytest.approx(sortino, rel=1e-6)


def test_the_figures_of_a_curve_are_those_of_its_backtest_bit_by_bit() -> None:
    history = History(random_candles(3, 900))
    found = run_backtest(history, Backtest(Rsi(), HOUR, window(100, 900), Execution(), Detail.EQUITY))
    assert found.equity_curve is not None
    measured = metrics_of(measure_curve(found.equity_curve.equity, 10_000.0, 3600 * 800, HOUR))
    for name in (
        *("total_return", "final_equity", "cagr", "annual_volatility", "sharpe_ratio", "sortino_ratio"),
        *("calmar_ratio", "max_drawdown"),
    ):
        assert getattr(measured, name) == getattr(found.metrics, name)
        assert getattr(measured, name) is not None
    assert measured.trade_count is measured.buy_and_hold_return is measured.fees_paid is None
