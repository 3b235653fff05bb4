"""Tasks on the candles of many cryptos: every one has its outcome, whatever happens to the others."""

from asyncio import wrap_future
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import aclosing
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import structlog

from backcast_engine import Backtest, Detail, Execution, Window
from backcast_engine.errors import NotFound
from backcast_engine.history import History
from backcast_engine.interval import Interval
from backcast_engine.strategies.ma_cross import MaCross
from backcast_engine.strategies.rsi import Rsi
from backcast_engine.times import EARLIEST_S
from services.compute.candles.location import DataVersion
from services.compute.tasks.batch import Task, TaskBatch, run_batch
from services.compute.tasks.errors import WorkerDied
from services.compute.tasks.jobs import ComputeJob, backtest_job, computed_result
from services.compute.tasks.runner import TaskOutcome, TaskRunner
from services.compute.workers.pool import WorkerPool
from services.domain.errors import Internal, Unavailable
from tests.candle_making import START_S
from tests.compute.acting import (
    act_on_candles,
    candle_count,
    imported,
    marks_in,
    run_batch_in_a_millisecond_each,
)
from tests.compute.running import outcomes_of
from tests.compute.supply import Supply, cryptos

pytestmark = pytest.mark.servers

HOUR = Interval.HOUR_1
COLUMNS = ("open", "close")


class CountingWorkers:
    """A pool, and the size of every batch that it was given."""

    def __init__(self, pool: WorkerPool, batch_s: float) -> None:
        self._pool = pool
        self.batch_s = batch_s
        self.sizes: list[int] = []

    async def capacity(self) -> int:
        return await self._pool.capacity()

    def submit(self, fn: Callable[[Any], Any], batch: Any, /) -> Future[Any]:
        assert fn is run_batch
        self.sizes.append(len(batch.tasks))
        return self._pool.submit(run_batch_in_a_millisecond_each, batch)


@pytest.fixture
def supply(tmp_path: Path) -> Supply:
    return Supply(tmp_path / "columns", cryptos(200))


@pytest.fixture
def marks(tmp_path: Path) -> Path:
    folder = tmp_path / "marks"
    folder.mkdir()
    return folder


def acts_of(marks: Path, **acts: str) -> Callable[[DataVersion], list[Task]]:
    """One task for each crypto, which acts as it says for its symbol."""
    return lambda data: [Task(act_on_candles, (str(marks), acts.get(data.symbol, "")))]


async def by_symbol(
    runner: TaskRunner, count: int, tasks_of: Callable[[DataVersion], list[Task]]
) -> dict[str, list[TaskOutcome]]:
    outcomes: dict[str, list[TaskOutcome]] = {}
    for outcome in await outcomes_of(runner, ComputeJob(cryptos(count), HOUR, COLUMNS, tasks_of)):
        outcomes.setdefault(outcome.data.symbol, []).append(outcome)
    return outcomes


async def test_every_backtest_is_the_engines(pool: WorkerPool, supply: Supply) -> None:
    window = Window(START_S + 3600 * 300, START_S + 3600 * 1200)
    backtest = Backtest(Rsi(), HOUR, window, Execution(), Detail.TRADES)
    job = backtest_job(cryptos(40), backtest)
    results = {outcome.data: outcome.result for outcome in await outcomes_of(TaskRunner(pool, supply), job)}
    assert results == {data: computed_result(History(supply.candles[data]), backtest) for data in job.cryptos}
    # Workers are forked, which gRPC does not survive.
    assert await wrap_future(pool.submit(imported, "google")) != []
    assert await wrap_future(pool.submit(imported, "grpc")) == []


async def test_a_backtest_whose_warmup_begins_before_a_gap_gets_the_whole_history(
    pool: WorkerPool, supply: Supply
) -> None:
    window = Window(START_S + 3600 * 900, START_S + 3600 * 990)
    backtest = Backtest(MaCross(20, 100), HOUR, window, Execution(), Detail.TRADES)
    job = backtest_job(cryptos(40), backtest)
    assert job.since_s > START_S
    before = (job.since_s - START_S) // 3600
    there = np.ones(1000, np.bool_)
    there[before : 900 - 10] = False
    for data in job.cryptos[::3]:
        supply.candles[data] = supply.candles[data][:1000].at(there)
    results = {outcome.data: outcome.result for outcome in await outcomes_of(TaskRunner(pool, supply), job)}
    assert results == {data: computed_result(History(supply.candles[data]), backtest) for data in job.cryptos}
    whole = [data for data, since_s in supply.asked if since_s == EARLIEST_S]
    assert sorted(whole, key=job.cryptos.index) == job.cryptos[::3]


async def test_a_crypto_can_have_any_number_of_tasks(pool: WorkerPool, supply: Supply) -> None:
    outcomes = await by_symbol(
        TaskRunner(pool, supply),
        10,
        lambda data: [Task(candle_count, times) for times in range(int(data.fingerprint) * 20)],
    )
    results = {symbol: sorted(cast("int", each.result) for each in mine) for symbol, mine in outcomes.items()}
    assert results == {
        f"C{number}USDT": [(1000 + number) * times for times in range(number * 20)] for number in range(1, 10)
    }


async def test_an_unexpected_error_fails_its_crypto_only_and_is_logged(
    pool: WorkerPool, supply: Supply, marks: Path
) -> None:
    with structlog.testing.capture_logs() as logs:
        outcomes = await by_symbol(TaskRunner(pool, supply), 60, acts_of(marks, C50USDT="fail"))
    failed = {symbol for symbol, (outcome,) in outcomes.items() if isinstance(outcome.result, Exception)}
    assert (len(outcomes), failed) == (60, {"C50USDT"})
    assert isinstance(outcomes["C50USDT"][0].result, Internal)
    assert str(outcomes["C50USDT"][0].result) == "internal error; the service's log has more"
    (logged,) = logs
    assert logged["symbol"] == "C50USDT"
    assert "in act_on_candles\n" in "".join(logged["exc_info"].__notes__)


async def test_a_deadly_task_fails_its_crypto_only(pool: WorkerPool, supply: Supply, marks: Path) -> None:
    workers = CountingWorkers(pool, batch_s=60)
    outcomes = await by_symbol(TaskRunner(workers, supply), 60, acts_of(marks, C50USDT="die"))
    failed = {symbol for symbol, (outcome,) in outcomes.items() if isinstance(outcome.result, Exception)}
    assert (len(outcomes), failed) == (60, {"C50USDT"})
    assert isinstance(outcomes["C50USDT"][0].result, WorkerDied)
    assert max(workers.sizes) > 1


async def test_a_deadly_task_in_the_last_batch_ends_no_run_early(
    pool: WorkerPool, supply: Supply, marks: Path
) -> None:
    workers = CountingWorkers(pool, batch_s=60)
    outcomes = await by_symbol(TaskRunner(workers, supply), 60, acts_of(marks, C59USDT="die"))
    failed = {symbol for symbol, (outcome,) in outcomes.items() if isinstance(outcome.result, Exception)}
    assert (len(outcomes), failed) == (60, {"C59USDT"})


async def test_a_crypto_without_candles_has_its_reason(pool: WorkerPool, supply: Supply, marks: Path) -> None:
    reason = supply.errors[cryptos(3)[1]] = NotFound("there are no candles")
    outcomes = await by_symbol(TaskRunner(pool, supply), 3, acts_of(marks))
    assert outcomes["C1USDT"] == [TaskOutcome(cryptos(3)[1], None, reason)]
    assert marks_in(marks) == 2


async def test_candles_that_went_away_are_brought_anew_once(
    pool: WorkerPool, supply: Supply, marks: Path
) -> None:
    supply.gone = {cryptos(3)[1]: 1, cryptos(3)[2]: 2}
    outcomes = await by_symbol(TaskRunner(pool, supply), 3, acts_of(marks))
    assert isinstance(outcomes["C1USDT"][0].result, int)
    assert isinstance(outcomes["C2USDT"][0].result, Unavailable)
    assert marks_in(marks) == 2


async def test_candles_that_went_away_and_cannot_be_brought_fail_their_tasks(
    pool: WorkerPool, supply: Supply, marks: Path
) -> None:
    (crypto,) = cryptos(1)
    supply.gone = {crypto: 1}
    tasks = acts_of(marks)(crypto) * 2
    reason = NotFound("there are no candles")
    job = ComputeJob([crypto], HOUR, COLUMNS, supply.failing(reason, tasks))
    outcomes = await outcomes_of(TaskRunner(pool, supply), job)
    assert outcomes == [TaskOutcome(crypto, task, reason) for task in tasks]


async def test_batches_grow_from_single_tasks_and_shrink_at_the_end(
    pool: WorkerPool, supply: Supply, marks: Path
) -> None:
    # Each task takes a millisecond: up to 40 tasks are worth a batch, and no fewer than 4.
    many, single = CountingWorkers(pool, batch_s=0.04), CountingWorkers(pool, batch_s=1e-9)
    for workers in (many, single):
        assert len(await by_symbol(TaskRunner(workers, supply), 200, acts_of(marks))) == 200
    # Two are sent before the first result shows how long a task takes.
    assert many.sizes[:2] == [1, 1]
    given, largest = 2, 1
    for size in many.sizes[2:-1]:
        assert 4 <= size <= min(40, 4 * largest, max((200 - given) // 2, 4))
        given, largest = given + size, max(largest, size)
    assert largest == 40
    assert many.sizes[-1] <= many.sizes[-2] == 4
    assert single.sizes == [1] * 200


async def test_the_first_outcome_comes_alone_and_later_ones_together(
    pool: WorkerPool, supply: Supply, marks: Path
) -> None:
    job = ComputeJob(cryptos(200), HOUR, COLUMNS, acts_of(marks))
    sizes = []
    # Batches of one task: those of several are gathered.
    async with aclosing(TaskRunner(CountingWorkers(pool, batch_s=1e-9), supply).run(job)) as gathered:
        async for outcomes in gathered:
            sizes.append(len(outcomes))
    assert sizes[0] == 1
    assert sum(sizes) == 200
    assert len(sizes) < 200


async def test_a_reader_that_leaves_gives_the_workers_back(
    pool: WorkerPool, supply: Supply, marks: Path
) -> None:
    runner = TaskRunner(CountingWorkers(pool, batch_s=1e-9), supply)
    async with aclosing(runner.run(ComputeJob(cryptos(200), HOUR, COLUMNS, acts_of(marks)))) as outcomes:
        await anext(outcomes)
    # It comes after all that was not taken back.
    await wrap_future(pool.submit(divmod, 17, 5))
    assert marks_in(marks) <= 2


async def test_a_slow_reader_holds_the_workers_up(pool: WorkerPool, supply: Supply, marks: Path) -> None:
    runner = TaskRunner(CountingWorkers(pool, batch_s=1e-9), supply)
    async with aclosing(runner.run(ComputeJob(cryptos(200), HOUR, COLUMNS, acts_of(marks)))) as gathered:
        await anext(gathered)
        for _ in range(20):
            await wrap_future(pool.submit(divmod, 17, 5))
        assert marks_in(marks) == 2
        assert len([outcome async for outcomes in gathered for outcome in outcomes]) == 199


async def test_an_error_of_the_supply_ends_the_run(pool: WorkerPool, supply: Supply, marks: Path) -> None:
    del supply.candles[cryptos(3)[2]]
    with pytest.raises(KeyError):
        await by_symbol(TaskRunner(pool, supply), 3, acts_of(marks))


async def test_a_pool_that_stops_ends_the_run(supply: Supply, marks: Path) -> None:
    async with WorkerPool(1) as stopping:
        runner = TaskRunner(stopping, supply)
        outcomes = runner.run(ComputeJob(cryptos(200), HOUR, COLUMNS, acts_of(marks)))
        await anext(outcomes)
        stopping.shutdown(wait=False, cancel_futures=True)
        with pytest.raises(Unavailable, match="compute is stopping"):
            _ = [outcome async for outcome in outcomes]


async def test_a_worker_with_another_engine_is_refused(pool: WorkerPool) -> None:
    with pytest.raises(Unavailable, match=r"a worker has version .* of the engine, and compute 0"):
        await wrap_future(pool.submit(run_batch, TaskBatch([], engine_version="0")))
