"""Statistics over cryptos: undefined metrics do not count, and backtests without a trade do."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from backcast.gateway.v1.run_events_pb2 import RunSummary
from backcast_engine import METRIC_NAMES
from services.gateway.runs.statistics import (
    finite_or_none,
    no_trade_counted,
    quantiles_of_rows,
    summarize_rows,
    trades_of,
)
from services.gateway.runs.totals import RunTotals
from tests.gateway.computed import computed_result

NAN = np.nan
QUARTERS = (0.05, 0.25, 0.5, 0.75, 0.95)


def test_means_and_medians_of_what_is_defined() -> None:
    values = np.array([[1.0, NAN, 5.0], [3.0, NAN, NAN], [8.0, NAN, 6.0]])
    summarized = summarize_rows(values.T)
    assert finite_or_none(summarized.mean) == [4, None, 5.5]
    assert finite_or_none(summarized.median) == [3, None, 5.5]


def test_what_is_beyond_a_float64_is_undefined() -> None:
    summarized = summarize_rows(np.array([[1.5e308, 1.5e308], [1.0, 2.0]]))
    assert finite_or_none(summarized.mean) == [None, 1.5]
    assert finite_or_none(summarized.median)[1] == 1.5


@given(arrays(np.float64, (3, 9), elements=st.sampled_from([-1.5, 0.0, 0.25, 8.0, NAN])))
def test_quantiles_are_numpys_of_what_is_defined(values) -> None:
    quantiles = quantiles_of_rows(values, QUARTERS)
    for row, found in zip(values, quantiles.T, strict=True):
        defined = row[~np.isnan(row)]
        expected = np.quantile(defined, QUARTERS) if len(defined) else [NAN] * 5
        np.testing.assert_allclose(found, expected, rtol=1e-14, atol=1e-14)


def figures(**given: float) -> list[float]:
    """Return figures in the order of METRIC_NAMES, NaN where they are not given."""
    return [given.get(name, NAN) for name in METRIC_NAMES]


IDLE = {"total_return": 0.0, "trade_count": 0.0, "open_trade_count": 0.0, "max_drawdown": 0.0, "cagr": 0.0}
HELD = {"total_return": 0.3, "trade_count": 0.0, "open_trade_count": 1.0, "sharpe_ratio": 1.5}
LOST = {"total_return": -0.2, "trade_count": 4.0, "open_trade_count": 0.0, "win_rate": 0.25}
RATIOS = ("sharpe_ratio", "sortino_ratio", "calmar_ratio")


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_without_a_trade_the_ratios_are_0_and_nothing_else_is(axis: int) -> None:
    values = np.moveaxis(
        np.array([[figures(**IDLE), figures(**HELD)], [figures(**LOST), figures()]]), 2, axis
    )
    counted = np.moveaxis(no_trade_counted(values, axis), axis, 2)
    np.testing.assert_equal(counted[0, 0], figures(**IDLE, **dict.fromkeys(RATIOS, 0.0)))
    np.testing.assert_equal(counted[0, 1], figures(**HELD))
    # A ratio that is undefined for another reason stays so, and so does what failed.
    np.testing.assert_equal(counted[1, 0], figures(**LOST))
    np.testing.assert_equal(counted[1, 1], figures())
    np.testing.assert_equal(trades_of(values, axis), [[0, 1], [4, NAN]])


def summary_of(*results: dict[str, float], breaks: int = 0) -> RunSummary:
    totals, summary = RunTotals(), RunSummary()
    for number, given_ in enumerate(results):
        found = computed_result(f"C{number}", **given_)
        found.has_breaks = number < breaks
        totals.add(found)
    totals.fill(summary)
    return summary


def test_a_crypto_without_a_trade_counts_in_the_summary() -> None:
    sharp = {**LOST, "sharpe_ratio": 1.07, "total_return": 0.5}
    summary = summary_of(sharp, IDLE, IDLE, breaks=2)
    # Without them the one that traded would be the median, with 1.07.
    assert summary.median.sharpe_ratio == 0
    assert summary.mean.sharpe_ratio == pytest.approx(1.07 / 3, rel=1e-15)
    assert summary.mean.calmar_ratio == 0
    assert summary.median.total_return == 0
    assert summary.mean.win_rate == 0.25
    assert (summary.cryptos_without_trades, summary.cryptos_with_breaks) == (2, 2)


def test_a_summary_of_one_is_its_own_figures() -> None:
    summary = summary_of(IDLE)
    assert summary.mean == summary.median == summary.spread.quantile_05 == summary.spread.quantile_95
    assert summary.mean.sharpe_ratio == 0
    assert not summary.mean.HasField("win_rate")
    assert summary.cryptos_without_trades == 1


def test_the_spread_of_many_results_has_their_quantiles() -> None:
    returns, holding = [-0.5, 0.25, 0.0, 1.0, NAN], [-0.75, 0.5, 0.0, NAN, 0.1]
    results = [
        {"trade_count": 1.0, "open_trade_count": 0.0}
        | ({} if np.isnan(one) else {"total_return": one})
        | ({} if np.isnan(other) else {"buy_and_hold_return": other})
        for one, other in zip(returns, holding, strict=True)
    ]
    spread = summary_of(*results).spread
    # Of -0.5, 0, 0.25 and 1.
    quantiles = [spread.quantile_05, spread.quantile_25, spread.quantile_50, spread.quantile_75]
    found = [one.total_return for one in [*quantiles, spread.quantile_95]]
    np.testing.assert_allclose(found, [-0.425, -0.125, 0.125, 0.4375, 0.8875], rtol=1e-14)
    assert spread.share_gained == 0.5
    # Of three that have both, the first lost less.
    assert spread.share_beat_holding == pytest.approx(1 / 3)
    assert not spread.quantile_50.HasField("sharpe_ratio")


def test_a_summary_without_a_result_has_no_spread() -> None:
    summary = summary_of()
    assert not summary.HasField("spread")
    assert (summary.cryptos_without_trades, summary.cryptos_with_breaks) == (0, 0)
