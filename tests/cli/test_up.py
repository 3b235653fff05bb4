"""`backcast up`: one line when all is ready, the data survives a restart, everything goes down."""

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest

from services.feed.exchanges.all_exchanges import EXCHANGES
from services.local.health import is_page_served
from services.local.ports import choose_ports
from tests.cli.conftest import BACKCAST, write_csv
from tests.feed.stand_in import HOUR_S, Served, StandIn, serving
from tests.feed.virtual_clock import VirtualClock
from tests.waiting import until

START_S = 1_577_836_800  # 2020-01-01


def environment() -> dict[str, str]:
    gateway, compute, data, web = choose_ports([0, 0, 0, 0])
    return {
        **os.environ,
        "BACKCAST_GATEWAY_PORT": str(gateway),
        "BACKCAST_COMPUTE_PORT": str(compute),
        "BACKCAST_DATA_PORT": str(data),
        "BACKCAST_WEB_PORT": str(web),
    }


async def start(data_dir: Path, settings: dict[str, str], *options: str) -> asyncio.subprocess.Process:
    process = await asyncio.create_subprocess_exec(
        *(*BACKCAST, "up", "--data-dir", str(data_dir), *options),
        env=settings,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout
    line = (await process.stdout.readline()).decode()
    assert line == f"ready: gateway 127.0.0.1:{settings['BACKCAST_GATEWAY_PORT']}\n"
    page = (await process.stdout.readline()).decode()
    assert page == f"page: http://127.0.0.1:{settings['BACKCAST_WEB_PORT']}\n"
    assert await is_page_served(page.removeprefix("page: ").strip(), None)
    return process


async def output_of(settings: dict[str, str], *arguments: object) -> str:
    process = await asyncio.create_subprocess_exec(
        *BACKCAST, *map(str, arguments), env=settings, stdout=asyncio.subprocess.PIPE
    )
    out, _ = await process.communicate()
    return out.decode()


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
async def test_data_survives_a_restart(short_folder: Path, tmp_path: Path) -> None:
    settings = environment()
    data_dir = short_folder / "up"
    for number in (signal.SIGTERM, signal.SIGINT):
        process = await start(data_dir, settings)
        if number == signal.SIGTERM:
            await output_of(settings, "import", write_csv(tmp_path / "UPUSDT.csv", 1, hours=100))
        assert "UPUSDT" in await output_of(settings, "cryptos")
        process.send_signal(number)
        assert await process.wait() == 0


async def test_an_exchange_is_followed_if_it_is_asked_for(short_folder: Path) -> None:
    settings = environment()
    records = {
        START_S + HOUR_S * hour: (START_S + HOUR_S * hour, "2", "3", "1", "2", "5") for hour in range(90)
    }
    clock = VirtualClock(START_S + 90 * HOUR_S + 600)
    served = {"UPFOUSDC": Served("", records)}
    with serving(StandIn(EXCHANGES["binance"], clock, served)) as stand_in:
        settings["BACKCAST_FEED_URL"] = stand_in.base_url
        data_dir = short_folder / "up-follow"
        process = await start(data_dir, settings, "--follow", "Binance", "--quote", "USDC")

        async def is_followed() -> bool:
            return "2020-01-04 17:00" in await output_of(settings, "feeds")

        await until(is_followed)
        assert "UPFOUSDC" in await output_of(settings, "cryptos")
        process.send_signal(signal.SIGTERM)
        assert await process.wait() == 0
    assert '"round ended"' in (data_dir / "logs" / "feed.log").read_text()
