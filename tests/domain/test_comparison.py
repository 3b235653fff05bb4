"""Statistics of strategies over the same cryptos, and their differences."""

import math
import statistics
from typing import Any

import numpy as np
import pytest

from services.domain.comparison import common_symbols, differences_of, statistics_of

NAN = math.nan


def figures(**columns: list[float]) -> dict[str, Any]:
    """Return figures of five cryptos; the last of them has no trade."""
    usual = {
        "total_return": [0.5, -0.2, 0.1, 0.0, 0.0],
        "buy_and_hold_return": [0.4, -0.5, NAN, 0.1, -0.1],
        "sharpe_ratio": [2.0, -1.0, 0.5, NAN, NAN],
        "profit_factor": [1.5, 0.5, NAN, NAN, NAN],
        "trade_count": [4, 3, 2, 0, 0],
        "open_trade_count": [0, 1, 0, 1, 0],
    }
    return {name: np.array(column, np.float64) for name, column in {**usual, **columns}.items()}


def test_statistics_leave_out_what_is_undefined_and_count_ratios_without_a_trade_as_0() -> None:
    found = statistics_of(figures())
    assert found.quantiles["quantile_50"]["total_return"] == 0.0
    # Of 2, −1, 0.5 and the 0 of the crypto without a trade; the one with an open trade is undefined.
    assert found.quantiles["quantile_50"]["sharpe_ratio"] == 0.25
    assert found.mean["sharpe_ratio"] == 0.375
    assert found.quantiles["quantile_25"]["profit_factor"] == 0.75
    assert found.cryptos_without_trades == 1


def test_shares_are_of_the_cryptos_whose_figures_are_defined() -> None:
    found = statistics_of(figures())
    assert found.share_gained == 0.4
    assert found.share_beat_holding == 0.75
    nothing_to_hold = statistics_of(figures(buy_and_hold_return=[NAN] * 5))
    assert nothing_to_hold.share_beat_holding is None
    assert "buy_and_hold_return" not in nothing_to_hold.mean


def test_differences_are_those_of_the_cryptos_on_which_both_are_defined() -> None:
    first, own = figures(), figures(sharpe_ratio=[2.5, 0.0, NAN, NAN, NAN])
    found = differences_of(own, first)
    paired = [0.5, 1.0, 0.0]
    assert found.crypto_count["sharpe_ratio"] == 3
    assert found.mean["sharpe_ratio"] == 0.5
    assert found.median["sharpe_ratio"] == 0.5
    assert found.t_statistic["sharpe_ratio"] == pytest.approx(
        statistics.mean(paired) / (statistics.stdev(paired) / math.sqrt(3)), rel=1e-14
    )
    assert (found.higher_count["sharpe_ratio"], found.lower_count["sharpe_ratio"]) == (2, 0)


def test_there_is_no_t_statistic_of_one_crypto_or_of_equal_differences() -> None:
    first = figures(sharpe_ratio=[NAN] * 5, trade_count=[1.0] * 5)
    raised = figures(
        total_return=[value + 0.1 for value in (0.5, -0.2, 0.1, 0.0, 0.0)],
        sharpe_ratio=[NAN] * 5,
        profit_factor=[2.0, NAN, NAN, NAN, NAN],
        trade_count=[1.0] * 5,
    )
    found = differences_of(raised, first)
    # These differ from each other by rounding errors only.
    assert found.mean["total_return"] == pytest.approx(0.1)
    assert "total_return" not in found.t_statistic
    assert found.mean["profit_factor"] == 0.5
    assert "profit_factor" not in found.t_statistic
    assert found.crypto_count["sharpe_ratio"] == 0
    assert "sharpe_ratio" not in found.mean


def test_common_symbols_are_those_of_all_results() -> None:
    assert common_symbols([{"B": 1, "A": 1, "C": 1}, {"C": 1, "B": 1}]) == ["B", "C"]
