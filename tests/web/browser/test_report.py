"""A report of `backcast report` in the browser: it loads nothing, fits a phone, and everybody can read it."""

from pathlib import Path
from typing import Literal

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser

from services.local.stack import LocalStack
from tests.cli.conftest import Cli

WINDOW = ("--start", "2024-01-02", "--end", "2024-03-20")
REPORTS = {
    "run": ("run", "rsi", "--param", "period=5"),
    "sweep": ("sweep", "ma_cross", "--param", "fast=3..6", "--param", "slow=20..40:10", "--folds", "2"),
}


@pytest.fixture(scope="session")
async def reports(
    stack: LocalStack, cryptos: list[str], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Path]:
    """A report of each kind."""
    folder = tmp_path_factory.mktemp("reports")
    paths = {name: folder / f"{name}.html" for name in REPORTS}
    for name, arguments in REPORTS.items():
        finished = await Cli(stack)(
            *("report", *arguments, "--symbols", ",".join(cryptos[:8]), *WINDOW, "--output", paths[name])
        )
        assert finished.status == 0, finished.err
    return paths


@pytest.mark.parametrize("kind", REPORTS)
async def test_a_report_loads_nothing_and_fits_a_phone(
    browser: Browser, reports: dict[str, Path], kind: str
) -> None:
    page = await browser.new_page(viewport={"width": 390, "height": 844})
    said, asked = [], []
    page.on("console", lambda message: said.append(message.text))
    page.on("request", lambda request: asked.append(request.url))
    await page.goto(reports[kind].as_uri())
    assert await page.evaluate("document.documentElement.scrollWidth") == 390
    # Charts stretch to the width of the screen.
    for chart in await page.locator("svg").all():
        box = await chart.bounding_box()
        assert box
        assert 250 < box["width"] < 390
    assert (said, asked) == ([], [reports[kind].as_uri()])
    await page.close()


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("kind", REPORTS)
async def test_axe_finds_nothing_serious_in_a_report(
    browser: Browser, reports: dict[str, Path], kind: str, theme: Literal["light", "dark"]
) -> None:
    # The report allows no scripts, and axe is one.
    page = await browser.new_page(color_scheme=theme, bypass_csp=True)
    await page.goto(reports[kind].as_uri())
    found = (await Axe().run(page)).response["violations"]
    assert [
        f"{one['id']}: {node['html']}"
        for one in found
        if one["impact"] in {"serious", "critical"}
        for node in one["nodes"]
    ] == []
    await page.close()
