"""Sweeps over portfolios of the Python client."""

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import backcast
from backcast.errors import InvalidRequestError
from backcast_engine.candles import Candles

if TYPE_CHECKING:
    import backcast.aio

RULES = backcast.rules("rsi({n}) < {low}", "rsi({n}) > 60")
ARGUMENTS: dict[str, Any] = {
    "n": range(6, 8),
    "low": 40,
    "stop_loss": ["5%", None],
    "max_positions": [1, 2],
    "rank": ["roc(24)", None],
    "rebalance_every": [None, 48],
    "rebalance_threshold": "10%",
    "start": "2024-01-31",
    "split": "70%",
    "top": 4,
}


def test_a_table_has_a_row_for_each_account(client: backcast.Client, cryptos: dict[str, Candles]) -> None:
    sweep = client.sweep_portfolio(RULES, symbols=cryptos, **ARGUMENTS)
    table, best = sweep.table(), sweep.best()
    assert table["combination"].tolist() == list(range(32))
    assert table["n"].tolist() == [6] * 16 + [7] * 16
    assert list(table["stop_loss"][:9]) == ["5%"] * 8 + ["none"]
    assert table["max_positions"].tolist()[:5] == [1, 1, 1, 1, 2]
    assert list(table["rank"][:3]) == ["roc(24)", "roc(24)", "none"]
    assert np.isnan(table["rebalance_every"][0])
    assert table["rebalance_every"][1] == 48
    assert set(table["failure"]) == {""}
    assert len(best["combination"]) == 4
    # The best is the portfolio of its values.
    first = int(best["combination"][0])
    spec = sweep.summary.winner_spec
    alone = client.portfolio(
        backcast.rules(f"rsi({table['n'][first]}) < 40", f"rsi({table['n'][first]}) > 60"),
        symbols=cryptos,
        start=spec.start_time.ToDatetime(),
        end=spec.end_time.ToDatetime(),
        max_positions=int(table["max_positions"][first]),
        **({"stop_loss": "5%"} if table["stop_loss"][first] == "5%" else {}),
        **({"rank": "roc(24)"} if table["rank"][first] != "none" else {}),
        **(
            {}
            if np.isnan(table["rebalance_every"][first])
            else {"rebalance_every": 48, "rebalance_threshold": "10%"}
        ),
    )
    assert alone.metrics.total_return == best["total_return"][0] == table["total_return"][first]
    assert sweep.summary.selection_bias.trial_count == 32
    assert sweep.progress.done == 64
    assert repr(sweep).endswith("64 of 64 portfolios>")


async def test_the_client_for_asyncio_has_the_same_table(
    client: backcast.Client, aio_client: "backcast.aio.Client", cryptos: dict[str, Candles]
) -> None:
    arguments: dict[str, Any] = {"symbols": list(cryptos), "period": [5, 9], "max_positions": 1}
    sweep = await aio_client.sweep_portfolio(backcast.Rsi(), **arguments)
    progress = [each async for each in sweep]
    assert progress[-1].completed == 2
    ours, theirs = await sweep.table(), client.sweep_portfolio(backcast.Rsi(), **arguments).table()
    assert ours.keys() == theirs.keys()
    for column in ours:
        np.testing.assert_array_equal(ours[column], theirs[column])
    assert (await sweep.summary()).winner.HasField("train")
    assert len((await sweep.best())["combination"]) == 2


def test_intervals_are_a_column(client: backcast.Client, cryptos: dict[str, Candles]) -> None:
    sweep = client.sweep_portfolio(
        backcast.Rsi(), symbols=cryptos, interval=["4h", "1h"], fee=["0.1%", "0.2%"], period=5
    )
    table = sweep.table()
    assert list(table["interval"]) == ["4h", "4h", "1h", "1h"]
    assert list(table["fee"]) == ["0.1%", "0.2%"] * 2
    alone = client.portfolio(backcast.Rsi(period=5), symbols=cryptos, interval="4h", fee="0.2%")
    assert alone.metrics.total_return == table["total_return"][1]
    with pytest.raises(InvalidRequestError, match="interval: the range is empty"):
        client.sweep_portfolio(backcast.Rsi(), symbols=cryptos, interval=[])
    with pytest.raises(InvalidRequestError) as refused:
        client.sweep_portfolio(backcast.Rsi(), symbols=cryptos, interval=["4h", "4h"])
    assert [violation.field for violation in refused.value.violations] == ["interval[1]"]


async def test_a_walk_forward_has_a_curve(
    client: backcast.Client, aio_client: "backcast.aio.Client", cryptos: dict[str, Candles]
) -> None:
    arguments: dict[str, Any] = {
        "symbols": list(cryptos),
        "period": [3, 5, 9],
        "folds": 2,
        "start": "2024-01-31",
    }
    sweep = client.sweep_portfolio(backcast.Rsi(), **arguments, curve_points=50)
    walk, table = sweep.summary.walk_forward, sweep.equity()
    assert len(walk.folds) == 2
    assert 8 <= len(table["time"]) <= 50
    assert table["equity"][-1] == pytest.approx(10_000 * (1 + walk.out_of_sample.metrics.total_return))
    assert "test_sharpe_ratio" in sweep.table()
    other = await aio_client.sweep_portfolio(backcast.Rsi(), **arguments, curve_points=50)
    np.testing.assert_array_equal((await other.equity())["equity"], table["equity"])
    with pytest.raises(InvalidRequestError, match="folds: cannot be combined with split"):
        client.sweep_portfolio(backcast.Rsi(), **arguments, split="70%")
    # Each fold has an optimizer, which chooses two of the three.
    optimized = client.sweep_portfolio(backcast.Rsi(), **arguments, optimize=2)
    assert 2 <= len(optimized.table()["combination"]) <= 3
    assert len(optimized.summary.walk_forward.folds) == 2


def test_a_search_has_as_many_rows_as_asked_for(client: backcast.Client, cryptos: dict[str, Candles]) -> None:
    arguments: dict[str, Any] = {"symbols": cryptos, "period": range(4, 40), "oversold": range(20, 50)}
    for search in ({"random": 6}, {"optimize": 6, "seed": 4}):
        sweep = client.sweep_portfolio(backcast.Rsi(), **arguments, **search)
        assert sweep.table()["combination"].tolist() == list(range(6))
        assert sweep.summary.selection_bias.trial_count == 6
    with pytest.raises(InvalidRequestError, match="seed: needs random or optimize"):
        client.sweep_portfolio(backcast.Rsi(), **arguments, seed=1)


def test_bad_arguments_are_named(client: backcast.Client, cryptos: dict[str, Candles]) -> None:
    rsi = backcast.Rsi()
    with pytest.raises(InvalidRequestError, match="nothing has several values"):
        client.sweep_portfolio(rsi, symbols=cryptos)
    with pytest.raises(InvalidRequestError, match="max_positions: the range is empty"):
        client.sweep_portfolio(rsi, symbols=cryptos, max_positions=[])
    with pytest.raises(InvalidRequestError, match="lookback"):
        client.sweep_portfolio(rsi, symbols=cryptos, lookback=[1, 2])
    with pytest.raises(TypeError, match="unexpected argument 'detail'"):
        client.sweep_portfolio(rsi, symbols=cryptos, period=[5, 6], detail="trades")


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        ({"period": [7, 7]}, "period[1]"),
        ({"fee": [0.001, 0.001]}, "fee[1]"),
        ({"stop_loss": ["1%", None], "max_positions": [2, 2]}, "max_positions[1]"),
    ],
)
def test_a_value_that_the_server_refuses_is_named_as_it_was_given(
    client: backcast.Client, cryptos: dict[str, Candles], arguments: Any, field: str
) -> None:
    with pytest.raises(InvalidRequestError) as refused:
        client.sweep_portfolio(backcast.Rsi(), symbols=cryptos, **arguments)
    assert [violation.field for violation in refused.value.violations] == [field]
