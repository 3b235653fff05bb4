"""Cancel frees the workers: what compute counts after the button was pressed in the middle of long work."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pytest
from playwright.async_api import Browser, expect

from backcast.gateway.v1 import run_service_pb2
from backcast.gateway.v1.run_service_pb2_grpc import RunServiceStub
from services.local.stack import LocalStack, StackSettings
from services.rpc.channel import open_channel
from tests.end_to_end.operations.service_metrics import ServiceMetrics, serve_metrics
from tests.end_to_end.processes import (
    cpu_seconds,
    is_alive,
    process_at,
    until_workers_work,
    workers_held,
    workers_of,
)
from tests.known_runs import known_run
from tests.waiting import until
from tests.web.browser.own_page import OwnPage, own_page
from tests.web.browser.tab import Tab, calls_of, opened

# Of a sweep that takes one worker much longer than it takes to press a button.
PERIODS, MULTIPLES = "2..257", "1..10.9:0.1"
COMBINATIONS = 256 * 100


@dataclass(frozen=True)
class Counted:
    """A stack whose compute service has one worker, what its services count, and the page of it in a tab."""

    stack: LocalStack
    metrics: ServiceMetrics
    tab: Tab

    async def until_worker_is_busy(self) -> None:
        async def is_busy() -> bool:
            return bool(await self.metrics.value("compute", "backcast_workers_busy"))

        await until(is_busy)

    async def state(self) -> int:
        """Return the state of the run or sweep whose id is in the tab's address."""
        async with open_channel(self.stack.gateway_address) as channel:
            return (await known_run(RunServiceStub(channel), self.tab.run_id)).state


@pytest.fixture(scope="module")
async def counted_stack(stack: LocalStack, short_folder: Path) -> AsyncIterator[LocalStack]:
    """Three services and the page, with metrics, beside the stack that all tests share."""
    settings = StackSettings(
        *(short_folder / "counted", 0, 0, 0),
        database_url=stack.database_url,
        redis_url=stack.redis_url,
        quiet=True,
        web_port=0,
    )
    with pytest.MonkeyPatch.context() as environment:
        serve_metrics(environment)
        environment.setenv("BACKCAST_COMPUTE_WORKERS", "1")
        async with LocalStack(settings) as counted:
            yield counted


@pytest.fixture
async def counted(
    browser: Browser, counted_stack: LocalStack, cryptos: list[str], short_folder: Path
) -> AsyncIterator[Counted]:
    async with opened(browser, urlsplit(counted_stack.page_url).netloc) as tab:
        yield Counted(counted_stack, ServiceMetrics(short_folder / "counted" / "logs"), tab)


async def test_a_run_that_is_cancelled_leaves_no_work_to_the_workers(
    counted: Counted, cryptos: list[str]
) -> None:
    before = await counted.metrics.backtests()
    # What is held cannot end by itself: only Cancel takes it away from the worker.
    async with workers_held(counted.stack):
        await counted.tab.run(cryptos, **{"p.fast": "9", "p.slow": "37"})
        await counted.until_worker_is_busy()
        await counted.tab.button("Cancel").click()
        await expect(counted.tab.says(re.compile("The run was cancelled"))).to_be_visible()
        await counted.metrics.until_nobody_works()
    assert await counted.state() == run_service_pb2.RUN_STATE_CANCELLED
    assert await counted.metrics.backtests() == before


async def test_a_portfolio_that_is_cancelled_leaves_no_work_to_the_workers(
    counted: Counted, cryptos: list[str]
) -> None:
    tab, before = counted.tab, await counted.metrics.backtests()
    async with workers_held(counted.stack):
        query = {"strategy": "rsi", "symbols": ",".join(cryptos), "positions": "3", "p.period": "27"}
        await tab.show("/portfolio", **query)
        await tab.button("Run").click()
        await counted.until_worker_is_busy()
        await tab.button("Cancel").click()
        await expect(tab.says("The portfolio was cancelled.")).to_be_visible()
        await counted.metrics.until_nobody_works()
    assert await counted.state() == run_service_pb2.RUN_STATE_CANCELLED
    assert await counted.metrics.backtests() == before


async def test_a_sweep_that_is_cancelled_leaves_no_work_to_the_workers(
    counted: Counted, cryptos: list[str]
) -> None:
    tab, before = counted.tab, await counted.metrics.backtests()
    ranges = {"p.period": PERIODS, "p.multiple": MULTIPLES}
    await tab.show("/sweep", strategy="supertrend", symbols=",".join(cryptos), **ranges)
    await tab.button("Sweep").click()
    await counted.until_worker_is_busy()
    await expect(tab.page.get_by_role("heading", name="The best so far", exact=True)).to_be_visible()
    await expect(tab.page.locator(".best-trials tbody tr")).not_to_have_count(0)
    await tab.button("Cancel").click()
    await expect(tab.says(re.compile("The sweep was cancelled"))).to_be_visible()
    await counted.metrics.until_nobody_works()
    # The chunk that the worker was at, and no other: it takes a moment, and all of them minutes.
    assert await counted.metrics.backtests() - before < COMBINATIONS * len(cryptos) / 2


async def test_a_second_after_the_page_says_cancelled_the_workers_processor_clocks_stand_still(
    counted: Counted, cryptos: list[str]
) -> None:
    tab, compute = counted.tab, process_at(counted.stack.compute_address)
    workers = workers_of(compute)
    ranges = {"p.period": PERIODS, "p.multiple": MULTIPLES}
    await tab.show("/sweep", strategy="supertrend", symbols=",".join(cryptos), **ranges)
    await tab.button("Sweep").click()
    await until_workers_work(compute)
    await tab.button("Cancel").click()
    await expect(tab.says(re.compile("The sweep was cancelled"))).to_be_visible()
    observed = []
    for _ in range(2):
        # There is no event to await: what must not happen is awaited for a second.
        await asyncio.sleep(1)
        observed.append((processor_clocks(workers), await counted.metrics.backtests()))
    assert observed[0] == observed[1]


def processor_clocks(workers: list[psutil.Process]) -> list[float | None]:
    """Return the processor time of each worker so far; None for one that has ended."""
    return [cpu_seconds(worker) if is_alive(worker) else None for worker in workers]


@asynccontextmanager
async def cancelled_without_answer(page: OwnPage, what: str) -> AsyncIterator[None]:
    """Press Cancel while the page's process is dead; after the body, start it again."""
    tab = page.tab
    tab.expect_refusals()
    page.web.process.kill()
    await expect(tab.says(re.compile("The server of this page does not answer"))).to_be_visible()
    await tab.button("Cancel").click()
    await expect(tab.says(re.compile(f"The {what} is not cancelled yet"))).to_be_visible()
    said = tab.says(re.compile(f"The {what} was cancelled"))
    await expect(said).to_have_count(0)
    yield
    await page.web.start_again()
    await expect(said).to_be_visible()


async def test_a_run_is_cancelled_once_the_gateway_has_answered_and_not_before(
    browser: Browser, stack: LocalStack, cryptos: list[str], short_folder: Path
) -> None:
    async with (
        own_page(browser, stack, short_folder / "unanswered") as page,
        workers_held(stack),
        open_channel(page.gateway.address) as channel,
    ):
        await page.tab.run(cryptos, **{"p.fast": "9", "p.slow": "38"})
        await expect(page.tab.progress).to_have_text("0 of 24")
        run_id, runs = page.tab.run_id, RunServiceStub(channel)
        watch = runs.WatchRun(run_service_pb2.WatchRunRequest(run_id=run_id))
        await watch.read()
        async with cancelled_without_answer(page, "run"):
            assert (await known_run(runs, run_id)).state == run_service_pb2.RUN_STATE_RUNNING
        assert (await known_run(runs, run_id)).state == run_service_pb2.RUN_STATE_CANCELLED


async def test_a_sweep_whose_cancelling_is_not_answered_is_not_started_again(
    browser: Browser, stack: LocalStack, cryptos: list[str], short_folder: Path
) -> None:
    async with own_page(browser, stack, short_folder / "unanswered") as page, workers_held(stack):
        tab = page.tab
        await tab.show("/sweep", strategy="supertrend", symbols=",".join(cryptos), **{"p.period": "2..99"})
        await tab.button("Sweep").click()
        await expect(tab.page.get_by_role("heading", name="supertrend: 98 combinations")).to_be_visible()
        async with cancelled_without_answer(page, "sweep"):
            started = calls_of(tab, "SweepBacktests")
        assert started == []


async def test_a_run_of_the_list_that_could_not_be_cancelled_is_named_until_it_is(
    tab: Tab, stack: LocalStack, cryptos: list[str]
) -> None:
    async with workers_held(stack):
        await tab.run(cryptos, **{"p.fast": "9", "p.slow": "39"})
        await expect(tab.progress).to_have_text("0 of 24")
        run_id = tab.run_id
        await tab.page.get_by_role("link", name="Runs", exact=True).click()
        await tab.page.route("**/CancelRun", lambda route: route.abort())
        await tab.button(f"Cancel the run {run_id}").click()
        said = tab.says(f"The run {run_id} is not cancelled yet")
        await expect(said).to_be_visible()
        for _ in range(2):
            await tab.until_called("ListRuns")
        await expect(said).to_be_visible()
        await tab.page.unroute("**/CancelRun")
        await expect(said).to_have_count(0)
        row = tab.page.locator(".runs tbody tr").filter(has=tab.page.get_by_label(f"Watch the run {run_id}"))
        await expect(row).to_contain_text("cancelled")
    tab.expect_refusals()
