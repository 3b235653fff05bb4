"""Tasks of rules that look at other cryptos: each gets the histories of these beside that of its own."""

from dataclasses import replace
from pathlib import Path

import pytest

from backcast_engine import Backtest, Detail, Execution, Window
from backcast_engine.errors import ErrorReason, NotFound
from backcast_engine.history import History
from backcast_engine.interval import Interval
from backcast_engine.rules.parse import parse
from backcast_engine.strategies.custom_rules import CustomRules
from backcast_engine.times import EARLIEST_S
from services.compute.tasks.jobs import ComputeJob, backtest_job, computed_result
from services.compute.tasks.runner import TaskRunner
from services.compute.workers.pool import WorkerPool
from services.domain.errors import Unavailable
from tests.candle_making import START_S
from tests.compute.running import outcomes_of
from tests.compute.supply import Supply, cryptos

pytestmark = pytest.mark.servers

COUNT = 30
# One is among the cryptos of the job, too.
OTHERS = (cryptos(COUNT)[3], cryptos(COUNT + 1)[COUNT])
RULES = CustomRules(
    parse(f"roc(5)@{OTHERS[0].symbol} > 0 and close > sma(2)@1d", "entry"),
    parse(f"close@{OTHERS[1].symbol} < sma(40)@{OTHERS[1].symbol}", "exit"),
)
WINDOW = Window(START_S + 3600 * 800, START_S + 3600 * 990)
BACKTEST = Backtest(RULES, Interval.HOUR_1, WINDOW, Execution(), Detail.TRADES)


@pytest.fixture
def supply(tmp_path: Path) -> Supply:
    return Supply(tmp_path / "columns", cryptos(COUNT + 1))


def job() -> ComputeJob:
    return backtest_job(cryptos(COUNT), BACKTEST, OTHERS)


def expected(supply: Supply) -> dict[str, list[bytes]]:
    others = {data.symbol: History(supply.candles[data]) for data in OTHERS}
    return {
        data.symbol: computed_result(History(supply.candles[data], others=others), BACKTEST)
        for data in cryptos(COUNT)
    }


async def test_a_backtest_sees_the_other_cryptos_and_returns_their_versions(
    pool: WorkerPool, supply: Supply
) -> None:
    outcomes = await outcomes_of(TaskRunner(pool, supply), job())
    assert {outcome.data.symbol: outcome.result for outcome in outcomes} == expected(supply)
    assert {outcome.others for outcome in outcomes} == {OTHERS}
    # The others are located first, and once for all.
    assert [data for data, _ in supply.asked[:2]] == [*OTHERS]
    assert len(supply.asked) == COUNT + 2


async def test_a_gap_in_another_crypto_brings_the_whole_histories(pool: WorkerPool, supply: Supply) -> None:
    since_s = job().since_s
    assert since_s > START_S
    hours = supply.candles[OTHERS[1]]
    there = (hours.open_time_s < since_s) | (hours.open_time_s > WINDOW.start_s - 3600 * 10)
    supply.candles[OTHERS[1]] = hours.at(there)
    outcomes = await outcomes_of(TaskRunner(pool, supply), job())
    assert {outcome.data.symbol: outcome.result for outcome in outcomes} == expected(supply)
    # Tasks that come later find the file of the whole history.
    assert (OTHERS[1], EARLIEST_S) in supply.asked


async def test_another_crypto_without_candles_is_why_all_fail(pool: WorkerPool, supply: Supply) -> None:
    supply.errors[OTHERS[1]] = NotFound("there are no candles", reason=ErrorReason.NO_CANDLES)
    outcomes = await outcomes_of(TaskRunner(pool, supply), job())
    assert {outcome.data for outcome in outcomes} == {*cryptos(COUNT)}
    for outcome in outcomes:
        assert isinstance(outcome.result, NotFound)
        assert outcome.result.reason is ErrorReason.NO_CANDLES
        assert str(outcome.result) == "C30USDT, which the rules look at: there are no candles"


@pytest.mark.parametrize(("times", "comes"), [(1, True), (99, False)])
async def test_candles_of_another_crypto_that_went_away_are_brought_anew(
    pool: WorkerPool, supply: Supply, times: int, comes: bool
) -> None:
    supply.gone = {OTHERS[1]: times}
    few = replace(job(), cryptos=cryptos(2))
    outcomes = await outcomes_of(TaskRunner(pool, supply), few)
    theirs = expected(supply)
    assert len(outcomes) == 2
    for outcome in outcomes:
        if comes:
            assert outcome.result == theirs[outcome.data.symbol]
        else:
            assert isinstance(outcome.result, Unavailable)


async def test_what_is_asked_for_holds_the_warm_up_of_the_other_cryptos(
    pool: WorkerPool, supply: Supply
) -> None:
    # Nothing is fetched twice where there are no gaps.
    outcomes = await outcomes_of(TaskRunner(pool, supply), job())
    assert len(outcomes) == COUNT
    assert {since_s for _, since_s in supply.asked} == {job().since_s}
