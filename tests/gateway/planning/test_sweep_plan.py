"""Plans of sweeps: chunks that cover every combination once, and limits."""

from dataclasses import replace
from typing import Any

import pytest

from backcast_engine import Detail, Execution
from backcast_engine.errors import InvalidInput, Refused
from backcast_engine.interval import Interval
from backcast_engine.strategies.rsi import Rsi
from backcast_engine.sweep import ParameterValues, make_grid
from services.gateway.cache.keys import ChunkKeys
from services.gateway.planning.crypto_data import CryptoData
from services.gateway.planning.run_plan import CacheMode, RunRequest
from services.gateway.planning.sweep_plan import SweepPlan, SweepRequest, make_sweep_plan
from tests.candle_making import START_S

DAY_S = 86_400
OPTIONAL: dict[str, Any] = {"min_trades": None, "curve_points": None}


def crypto(symbol: str, end_hour: int = 2400) -> CryptoData:
    return CryptoData(symbol, "f", START_S - 365 * DAY_S, START_S + 3600 * (end_hour - 1), "f")


def planned(
    cryptos: int = 2, periods: int = 4, oversold: tuple[float, ...] = (20.0, 80.0), **fields: Any
) -> SweepPlan:
    run = RunRequest(
        *({}, {}, Rsi(), Interval.HOUR_1, None, None, Execution()),
        *(Detail.METRICS, 0, CacheMode.DEFAULT),
    )
    ranges = [ParameterValues("period", range(2, 2 + periods)), ParameterValues("oversold", oversold)]
    grid = make_grid(Rsi(), ranges)
    request = SweepRequest(
        **{
            "run": run,
            "grid": grid,
            "split": None,
            "fold_count": None,
            "metric": "",
            "best_trial_count": 0,
            **OPTIONAL,
            **fields,
        }
    )
    known = [crypto(f"C{number}") for number in reversed(range(cryptos))]
    return make_sweep_plan(request, grid.possible(), known, START_S + 1000 * DAY_S)


def test_a_request_that_leaves_everything_out_gets_the_defaults() -> None:
    plan = planned()
    assert (plan.metric, plan.best_trial_count, plan.min_trades, plan.curve_points) == (
        "sharpe_ratio",
        20,
        1,
        500,
    )
    assert [crypto.symbol for crypto in plan.cryptos] == ["C0", "C1"]
    assert (plan.trials, plan.backtests, plan.has_test) == (8, 8, False)
    assert plan.windows == (plan.run.backtest.window,)
    # The conflicting ones have no number.
    assert [plan.strategy(number) for number in range(4)] == [Rsi(2 + number, 20.0) for number in range(4)]


@pytest.mark.parametrize("folds", [None, 1, 5])
def test_chunks_cover_every_combination(folds: int | None) -> None:
    plan = planned(periods=700, fold_count=folds)
    assert len(plan.windows) == 2 * (folds or 0) or len(plan.windows) == 1
    assert (plan.chunk_count - 1) * plan.chunk_size < 700 <= plan.chunk_count * plan.chunk_size


def test_the_factors_of_too_many_backtests_are_named_in_words() -> None:
    plan = planned(cryptos=201, periods=5000)
    assert plan.backtests == 1_005_000
    assert plan.factors == "5,000 combinations × 201 cryptos"
    assert planned(cryptos=3, periods=20, fold_count=2).factors == "20 combinations × 3 cryptos × 4 windows"


def test_where_no_combination_is_possible_the_first_conflict_is_named() -> None:
    with pytest.raises(
        InvalidInput, match=r"ranges: no combination is possible; of the first one, strategy\.rsi"
    ):
        planned(oversold=(70.0, 80.0))


def test_without_any_data_there_is_no_sweep() -> None:
    with pytest.raises(Refused, match="no candles yet"):
        planned(cryptos=0)


def test_keys_differ_by_chunk_crypto_and_data_and_agree_for_the_same_chunk() -> None:
    plan, longer = planned(periods=700), planned(periods=800)
    keys = ChunkKeys(plan)
    every = {keys.key(chunk, crypto(symbol), data) for chunk in (0, 1, 2) for symbol in "AB" for data in "xy"}
    assert len(every) == 12
    others = ChunkKeys(longer)
    a = crypto("A")
    assert [keys.key(chunk, a, "x") == others.key(chunk, a, "x") for chunk in (0, 1, 2)] == [
        *(True, True),
        False,
    ]


def test_keys_of_days_contain_the_time_up_to_which_days_are_over() -> None:
    run = planned().request.run
    end_s = START_S + 100 * DAY_S
    for interval, differs in ((Interval.HOUR_1, False), (Interval.DAY_1, True)):
        keys = ChunkKeys(planned(run=replace(run, interval=interval, end_s=end_s)))
        before, after = (keys.key(0, crypto("A", end_hour), "x") for end_hour in (2399, 2400))
        assert (before != after) is differs
        # What is over after the window makes no difference.
        assert after == keys.key(0, crypto("A", 3000), "x")


def test_chunks_of_other_blocks_are_others() -> None:
    # From 10,102 combinations on there are 14 blocks.
    few, many = planned(periods=9_000), planned(periods=9_000, oversold=(20.0, 30.0))
    assert [plan.blocks.count for plan in (few, many)] == [16, 14]
    assert ChunkKeys(few).key(0, crypto("A"), "x") != ChunkKeys(many).key(0, crypto("A"), "x")


@pytest.mark.parametrize(
    ("fields", "fault"),
    [
        ({"min_trades": -1}, "min_trades: must be at least 0, not -1"),
        ({"curve_points": 7}, "curve_points: must be from 8 to 150,000, or 0 for 150,000, not 7"),
        ({"curve_points": 150_001}, "curve_points: must be from 8 to 150,000, or 0 for 150,000, not 150,001"),
        ({"best_trial_count": 1_001}, "best_trial_count: must be from 1 to 1,000, or 0 for 20"),
    ],
)
def test_an_unknown_choice_names_its_field(fields: dict[str, Any], fault: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        planned(**fields)
    assert str(caught.value) == fault


def test_all_violations_of_a_sweep_are_reported_at_once() -> None:
    request = planned().request
    run = replace(request.run, symbols={"NOPE": "symbols[0]"}, execution=Execution(fee_rate=2))
    with pytest.raises(InvalidInput) as caught:
        planned(run=run, min_trades=-1, best_trial_count=-1)
    assert [violation.field for violation in caught.value.violations] == [
        *("execution.fee_rate", "best_trial_count", "min_trades", "symbols[0]")
    ]
