"""`backcast up`: one line when all is ready, the data survives a restart, everything goes down."""

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest

from services.local.health import is_page_served
from services.local.ports import choose_ports
from tests.cli.conftest import BACKCAST, write_csv


def environment() -> dict[str, str]:
    gateway, compute, data, web = choose_ports([0, 0, 0, 0])
    return {
        **os.environ,
        "BACKCAST_GATEWAY_PORT": str(gateway),
        "BACKCAST_COMPUTE_PORT": str(compute),
        "BACKCAST_DATA_PORT": str(data),
        "BACKCAST_WEB_PORT": str(web),
    }


async def start(data_dir: Path, settings: dict[str, str]) -> asyncio.subprocess.Process:
    process = await asyncio.create_subprocess_exec(
        *BACKCAST, "up", "--data-dir", str(data_dir), env=settings, stdout=asyncio.subprocess.PIPE
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
