"""What a page holds that runs again and again: memory of its scripts, nodes, and open streams."""

import time
from dataclasses import dataclass

from playwright.async_api import CDPSession, Request
from rich.console import Console
from rich.progress import track

from services.local.sample_market import CRYPTO_COUNT
from tests.bench.page.browser import Tab
from tests.bench.runs import oversold


@dataclass(frozen=True, slots=True)
class Held:
    """What is held after the garbage was collected, once nothing runs."""

    heap_bytes: int
    nodes: int
    listeners: int
    open_streams: int


async def measure_holding(
    tab: Tab, runs: int, seconds: float, variant: int, console: Console
) -> tuple[Held, Held, int]:
    """Run the same cached run again and again; return what is held before and after, and how often it ran."""
    streams: set[Request] = set()

    # Playwright keeps notes on what it calls, and cannot do so on methods of a set.
    def opened(request: Request) -> None:
        streams.add(request)

    def ended(request: Request) -> None:
        streams.discard(request)

    tab.page.on("request", opened)
    tab.page.on("requestfinished", ended)
    tab.page.on("requestfailed", ended)
    await tab.show("/", strategy="rsi", **{"p.oversold": str(oversold(variant))})
    session = await tab.page.context.new_cdp_session(tab.page)
    # What is made once, such as compiled code, is there after the first ones.
    for _ in range(3):
        await tab.press_and_time("Run", CRYPTO_COUNT)
    start = await _held(tab, session, len(streams))
    began, done = time.monotonic(), 0
    for _ in track(range(runs), "running again and again", console=console, transient=True):
        await tab.press_and_time("Run", CRYPTO_COUNT)
        done += 1
    while time.monotonic() - began < seconds:
        await tab.press_and_time("Run", CRYPTO_COUNT)
        done += 1
    await tab.page.wait_for_load_state("networkidle")
    return start, await _held(tab, session, len(streams)), done


async def _held(tab: Tab, session: CDPSession, streams: int) -> Held:
    await tab.page.locator(".figures").wait_for()
    await session.send("HeapProfiler.collectGarbage")
    await session.send("Performance.enable")
    answer = await session.send("Performance.getMetrics")
    metrics = {metric["name"]: int(metric["value"]) for metric in answer["metrics"]}
    return Held(metrics["JSHeapUsedSize"], metrics["Nodes"], metrics["JSEventListeners"], streams)
