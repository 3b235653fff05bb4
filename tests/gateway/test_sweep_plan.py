"""What a sweep comes down to: chunks that cover every combination once, and limits."""

from typing import Any

import pytest

from services.compute.engine import Detail, Execution
from services.compute.engine.strategies.rsi import Rsi
from services.compute.engine.sweep import ParameterValues, make_grid
from services.gateway.crypto_data import CryptoData
from services.gateway.plan import CacheMode, RunRequest
from services.gateway.sweep_cache import ChunkKeys
from services.gateway.sweep_plan import SweepPlan, SweepRequest, make_sweep_plan
from services.shared.errors import InvalidInput, Refused
from services.shared.interval import Interval
from tests.candle_making import START_S

DAY_S = 86_400


def planned(
    cryptos: int = 2, periods: int = 4, oversold: tuple[float, ...] = (20.0, 80.0), **fields: Any
) -> SweepPlan:
    run = RunRequest(
        {}, Rsi(), Interval.HOUR_1, None, None, Execution(), Detail.METRICS, 0, CacheMode.DEFAULT
    )
    ranges = [ParameterValues("period", range(2, 2 + periods)), ParameterValues("oversold", oversold)]
    grid = make_grid(Rsi(), ranges)
    request = SweepRequest(
        **{"run": run, "grid": grid, "split": None, "folds": None, "metric": "", "top": 0, **fields}
    )
    known = [CryptoData(f"C{number}", "f", START_S + 100 * DAY_S, "f") for number in reversed(range(cryptos))]
    return make_sweep_plan(request, grid.possible(), known)


def test_defaults() -> None:
    plan = planned()
    assert (plan.metric, plan.top) == ("sharpe_ratio", 20)
    assert [crypto.symbol for crypto in plan.cryptos] == ["C0", "C1"]
    assert (plan.trials, plan.backtests, plan.has_test) == (8, 8, False)
    assert plan.windows == (plan.run.backtest.window,)
    # The conflicting ones have no number.
    assert [plan.strategy(number) for number in range(4)] == [Rsi(2 + number, 20.0) for number in range(4)]


@pytest.mark.parametrize("folds", [None, 1, 5])
def test_chunks_cover_every_combination(folds: int | None) -> None:
    plan = planned(periods=700, folds=folds)
    assert len(plan.windows) == 2 * (folds or 0) or len(plan.windows) == 1
    assert (plan.chunk_count - 1) * plan.chunk_size < 700 <= plan.chunk_count * plan.chunk_size


def test_what_makes_so_many_backtests_is_told_in_words() -> None:
    plan = planned(cryptos=201, periods=5000)
    assert plan.backtests == 1_005_000
    assert plan.factors == "5,000 combinations × 201 cryptos"
    assert planned(cryptos=3, periods=20, folds=2).factors == "20 combinations × 3 cryptos × 4 windows"


def test_where_no_combination_is_possible_the_first_conflict_is_told() -> None:
    with pytest.raises(
        InvalidInput, match=r"ranges: no combination is possible; of the first one, strategy\.rsi"
    ):
        planned(oversold=(70.0, 80.0))


def test_without_any_data_there_is_no_sweep() -> None:
    with pytest.raises(Refused, match="no candles yet"):
        planned(cryptos=0)


def test_keys_tell_chunks_cryptos_and_data_apart_and_know_the_same_chunk() -> None:
    plan, longer = planned(periods=700), planned(periods=800)
    keys = ChunkKeys(plan)
    every = {keys.key(chunk, symbol, data) for chunk in (0, 1, 2) for symbol in "AB" for data in "xy"}
    assert len(every) == 12
    others = ChunkKeys(longer)
    assert [keys.key(chunk, "A", "x") == others.key(chunk, "A", "x") for chunk in (0, 1, 2)] == [
        *(True, True),
        False,
    ]
