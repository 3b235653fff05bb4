"""`python -m tests.bench.page`: the page in headless Chromium, from the click to what is seen.

Runs are measured beside their floor: the same messages into an empty page, in the same round.
"""

import argparse
import asyncio
import tempfile
from pathlib import Path

from playwright.async_api import Browser, async_playwright
from rich.console import Console
from rich.progress import track

from backcast.marketdata.v1.market_data_service_pb2_grpc import MarketDataServiceStub
from services.cli.commands.sample import write_sample_market
from services.cli.views.console import make_console, say
from services.local.interrupts import Interrupts
from services.local.sample_market import CRYPTO_COUNT
from services.local.stack import LocalStack, StackSettings
from services.rpc.channel import open_channel
from services.web.page_files import PageFiles
from tests.bench.machine import machine_lines
from tests.bench.page.browser import open_empty_page, open_tab
from tests.bench.page.drawing import CANDLES, LONG, Drawing, measure_drawing
from tests.bench.page.holding import Held, measure_holding
from tests.bench.page.report import drawing_table, goal_lines, held_lines, runs_table
from tests.bench.page.runs import RunRound, measure_round
from tests.candle_making import START_S, import_candles, random_candles
from tests.web.browser.conftest import CHROMIUM

_ROUNDS, _DRAWINGS, _RUNS = 7, 3, 50
_THREE_YEARS_S = 3 * 365 * 24 * 3600


async def bench(rounds: int, runs: int, seconds: float, console: Console) -> None:
    """Measure so many rounds, after one that warms everything up, and print them."""
    with Interrupts(), tempfile.TemporaryDirectory(prefix="backcast-bench-") as folder:
        settings = StackSettings(Path(folder), 0, 0, 0, database_url=None, redis_url=None, web_port=0)
        async with (
            LocalStack(settings) as stack,
            async_playwright() as playwright,
            await playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"]) as browser,
        ):
            await write_sample_market(stack.data_address, console)
            measured = await _runs(browser, stack.page_url, rounds, console)
            held = await _holding(browser, stack.page_url, runs, seconds, console)
            async with open_channel(stack.data_address) as channel:
                long = random_candles(1, CANDLES, START_S - _THREE_YEARS_S)
                await import_candles(MarketDataServiceStub(channel), LONG, long)
            drawn = await _drawings(browser, stack.page_url, console)
            version = browser.version
    console.print(runs_table(measured))
    console.print(drawing_table(drawn))
    lines = (
        *goal_lines(measured, drawn),
        "",
        *held_lines(*held),
        "",
        *machine_lines(),
        f"Chromium {version}",
    )
    say(console, "\n".join(lines))


async def _runs(browser: Browser, url: str, rounds: int, console: Console) -> list[RunRound]:
    url = url.rstrip("/")
    async with open_tab(browser, url) as tab, open_empty_page(browser, url) as empty:
        numbers = track(range(rounds + 1), f"{CRYPTO_COUNT} cryptos", console=console, transient=True)
        _warmup, *measured = [await measure_round(tab, empty, number) for number in numbers]
    return measured


async def _holding(
    browser: Browser, url: str, runs: int, seconds: float, console: Console
) -> tuple[Held, Held, int]:
    async with open_tab(browser, url.rstrip("/")) as tab:
        return await measure_holding(tab, runs, seconds, variant=1, console=console)


async def _drawings(browser: Browser, url: str, console: Console) -> list[Drawing]:
    async with open_tab(browser, url.rstrip("/")) as tab:
        numbers = track(range(_DRAWINGS), "drawing", console=console, transient=True)
        return [await measure_drawing(tab) for _ in numbers]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.bench.page", description=__doc__)
    parser.add_argument("--rounds", type=int, default=_ROUNDS, help=f"how many rounds; default {_ROUNDS}")
    parser.add_argument("--runs", type=int, default=_RUNS, help=f"runs again and again; default {_RUNS}")
    parser.add_argument(
        "--minutes", type=float, default=0, help="run again and again for so long; 60 is an hour"
    )
    arguments = parser.parse_args()
    console = make_console()
    if not Path(CHROMIUM).exists():
        say(
            console,
            "NO BROWSER: the page is not measured; install chromium, or name one by BACKCAST_TEST_CHROMIUM",
        )
    elif not PageFiles().is_built:
        say(console, "NO PAGE: it is not measured, as it is not built; `make page` builds it")
    else:
        asyncio.run(bench(arguments.rounds, arguments.runs, 60 * arguments.minutes, console))
