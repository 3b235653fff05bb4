"""Runs of the sample market: from the click to the rows, beside the same messages into an empty page."""

from dataclasses import dataclass

from services.local.sample_market import CRYPTO_COUNT
from tests.bench.page.browser import EmptyPage, Tab
from tests.bench.runs import oversold, request
from tests.bench.timing import Timing

_METHOD = "/backcast.gateway.v1.BacktestService/RunBacktests"
# As the page asks for them.
_RESULTS_PER_EVENT = 50


@dataclass(frozen=True, slots=True)
class RunRound:
    """One sample of each."""

    computed: Timing
    computed_floor: Timing
    cached: Timing
    cached_floor: Timing


async def measure_round(tab: Tab, empty: EmptyPage, number: int) -> RunRound:
    """Measure a computed and a cached run; each round computes two variants that no other had."""
    ours, floors = 2 * number + 1, 2 * number + 2
    return RunRound(
        computed=await timed_run(tab, ours),
        computed_floor=await _floor(empty, floors),
        cached=await timed_run(tab, ours),
        cached_floor=await _floor(empty, floors),
    )


async def timed_run(tab: Tab, variant: int) -> Timing:
    """Show the form of a run, press Run, and return the time until the first row and all of them."""
    await tab.show("/", strategy="rsi", **{"p.oversold": str(oversold(variant))})
    return await tab.press_and_time("Run", CRYPTO_COUNT)


async def _floor(empty: EmptyPage, variant: int) -> Timing:
    asked = request(variant, cached=True)
    asked.max_results_per_event = _RESULTS_PER_EVENT
    timing, size = await empty.timed_stream(_METHOD, asked.SerializeToString())
    if size < CRYPTO_COUNT:
        raise RuntimeError(f"the stream of the empty page had {size} bytes")
    return timing
