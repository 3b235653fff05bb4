"""The commands with curl in docs/page.md, as they stand there, with the real curl."""

import asyncio
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.candle_making import import_candles, random_candles
from tests.end_to_end.one_service import OneService
from tests.waiting import LIMIT_S

if TYPE_CHECKING:
    from backcast.marketdata.v1.market_data_service_pb2_grpc import MarketDataServiceAsyncStub

PAGE = Path(__file__).parents[2] / "docs" / "page.md"
ADDRESS = "127.0.0.1:8080"
# What the commands of each block print, in their order. (Of runs, there may be none.)
PRINTED = (
    ('{"strategies": [', '"metrics": {', '{"description": {', '{"candles": ['),
    ('"message": "spec.strategy.rsi.period: must be from 2',),
    ('{"started": {', '{"result": {', '{"result": {', '{"summary": {'),
    ('"summary":"NEWUSDT: 2 written"', '"candleCount": "2"'),
)
REFUSED = 1


def blocks() -> list[str]:
    """Return the blocks of commands that call the page."""
    return [
        block for block in re.findall(r"```sh\n(.*?)```", PAGE.read_text(), re.DOTALL) if ADDRESS in block
    ]


@pytest.fixture(scope="module")
async def sample(data_service: "MarketDataServiceAsyncStub") -> None:
    """Two cryptos of the sample market."""
    for number in (1, 2):
        await import_candles(data_service, f"SYN{number:03}USDT", random_candles(number, 24 * 100))


@pytest.mark.skipif(not shutil.which("curl"), reason="NO CURL: the commands of docs/page.md are not tested")
@pytest.mark.parametrize("number", range(len(PRINTED)))
async def test_a_block_of_the_page_prints_what_it_says(
    web: OneService, sample: None, number: int, tmp_path: Path
) -> None:
    assert len(blocks()) == len(PRINTED)
    process = await asyncio.create_subprocess_exec(
        "bash",
        "-e",
        "-c",
        blocks()[number].replace(ADDRESS, web.address),
        cwd=tmp_path,
        stdout=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(LIMIT_S):
        printed = (await process.communicate())[0].decode()
    assert process.returncode == 0, printed
    assert ('"code":' in printed) == (number == REFUSED), printed
    assert re.search(".*".join(map(re.escape, PRINTED[number])), printed, re.DOTALL), printed
