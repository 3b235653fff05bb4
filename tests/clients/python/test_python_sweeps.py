"""Sweeps of the Python client."""

from typing import Any

import numpy as np
import pytest

import backcast
from backcast.errors import (
    InvalidRequestError,
)
from backcast_engine.candles import Candles

RSI = backcast.Rsi(period=7)


def test_a_sweep_is_a_table(client: backcast.Client, cryptos: dict[str, Candles]) -> None:
    ranges = {"period": range(5, 9), "oversold": [20, 30]}
    sweep = client.sweep(backcast.Rsi(), symbols=cryptos, start="2024-01-01", split=0.7, **ranges)
    table = sweep.table()
    assert [*zip(table["period"], table["oversold"], strict=True)] == [
        (period, oversold) for period in range(5, 9) for oversold in (20.0, 30.0)
    ]
    assert np.isfinite(table["median_total_return"]).all()
    assert np.isfinite(table["test_median_total_return"]).all()
    assert sweep.best()["symbol"][0] == sweep.summary.winner.symbol
    assert sweep.progress.done == sweep.progress.total
    assert len(sweep.failures()["symbol"]) == 0


async def test_a_sweep_over_rules_has_the_numbers_of_the_strategy(
    client: backcast.Client, aio_client: "backcast.aio.Client", cryptos: dict[str, Candles]
) -> None:
    options: dict[str, Any] = {"symbols": cryptos, "start": "2024-01-01"}
    rules = backcast.rules("rsi({n}) < {low}", "rsi({n}) > 70")
    named = client.sweep(backcast.Rsi(), period=range(5, 7), oversold=[20, 30], **options)
    for of_rules in (
        client.sweep(rules, n=range(5, 7), low=[20, 30], **options),
        await aio_client.sweep(rules, n=range(5, 7), low=[20, 30], **options),
    ):
        table = of_rules.table()
        table = table if isinstance(table, dict) else await table
        expected = named.table()
        assert table["n"].tolist() == expected["period"].tolist() == [5, 5, 6, 6]
        assert table["low"].tolist() == expected["oversold"].tolist()
        for column in ("crypto_count", "cryptos_traded", "median_trades", "median_sharpe_ratio"):
            np.testing.assert_allclose(table[column], expected[column], rtol=1e-12)
        best = of_rules.best()
        best = best if isinstance(best, dict) else await best
        assert best["symbol"].tolist() == named.best()["symbol"].tolist()
        assert best["combination"].tolist() == named.best()["combination"].tolist()
        assert of_rules.progress.done == of_rules.progress.total == 4 * len(cryptos)
        assert "n 5, low 20" in of_rules._repr_html_()


def test_a_value_that_rules_cannot_have_is_refused(
    client: backcast.Client, cryptos: dict[str, Candles]
) -> None:
    with pytest.raises(InvalidRequestError, match=r"n = 1e\+09: period of rsi must be from 2") as refused:
        client.sweep(backcast.rules("rsi({n}) < 30"), n=[7, 10**9], symbols="CLIENT0USDT")
    assert refused.value.field == "n[1]"


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        ({"period": [7, 7]}, "period[1]"),
        ({"period": [7], "oversold": [30, 200]}, "oversold[1]"),
        ({"period": [7], "stop_loss": ["1%", "-1%"]}, "stop_loss[1]"),
        ({"period": [7], "fee": [0.001, 0.001]}, "fee[1]"),
        ({"interval": ["1d", "1d"]}, "interval[1]"),
    ],
)
def test_a_swept_value_that_the_server_refuses_is_named_as_it_was_given(
    client: backcast.Client, cryptos: dict[str, Candles], arguments: Any, field: str
) -> None:
    with pytest.raises(InvalidRequestError) as refused:
        client.sweep(RSI, symbols=cryptos, **arguments)
    assert [violation.field for violation in refused.value.violations] == [field]


def test_a_sweep_over_options_has_a_column_for_each(
    client: backcast.Client, cryptos: dict[str, Candles]
) -> None:
    sweep = client.sweep(
        backcast.rules("rsi({n}) < 40", "rsi({n}) > 60"),
        n=[5, 9],
        stop_loss=["2%", None],
        fee=(fee for fee in (0, 0.004)),
        interval=["4h", "1h"],
        symbols=cryptos,
        start="2024-01-01",
        split=0.6,
    )
    table = sweep.table()
    assert list(table["interval"]) == ["4h"] * 8 + ["1h"] * 8
    assert table["n"].tolist() == [5, 5, 5, 5, 9, 9, 9, 9] * 2
    assert list(table["stop_loss"]) == ["2%", "2%", "none", "none"] * 4
    assert table["fee"].tolist() == [0, 0.004] * 8
    free, paid = table["mean_total_return"][0], table["mean_total_return"][1]
    assert free > paid


def test_a_sweep_says_what_failed(client: backcast.Client, cryptos: dict[str, Candles]) -> None:
    # The window begins long before the candles: its train part has none.
    failures = client.sweep(backcast.Rsi(), symbols=cryptos, split=0.3, period=[5, 6]).failures()
    assert failures["symbol"].tolist() == sorted(cryptos)
    assert set(failures["reason"]) == {"NO_CANDLES_IN_WINDOW"}
    assert set(failures["backtest_count"]) == {2}


async def test_a_sweep_of_folds_has_curves(
    aio_client: "backcast.aio.Client", cryptos: dict[str, Candles]
) -> None:
    sweep = await aio_client.sweep(
        backcast.Donchian(), symbols=cryptos, start="2024-01-01", folds=2, entry=[10, 20]
    )
    equity = await sweep.equity()
    assert set(equity["symbol"]) == set(cryptos)
    assert len(equity["time"]) == len(equity["equity"]) == len(equity["drawdown"])
