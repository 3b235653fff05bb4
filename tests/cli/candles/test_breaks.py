"""`backcast data breaks`: lists breaks, and corrects them."""

import io
import re
from pathlib import Path

import pytest
from rich.console import Console

from backcast_engine.breaks import Break, BreakState
from services.cli.commands.breaks import breaks_table
from services.wire.breaks import break_to
from tests.candle_making import START_S
from tests.cli.conftest import Cli


async def _imported(cli: Cli, folder: Path, symbol: str) -> None:
    rows = [f"{START_S + 3600 * hour},{price},{price},{price},{price},1" for hour, price in _PRICES]
    (folder / f"{symbol}.csv").write_text("\n".join(["timestamp,open,high,low,close,volume", *rows]))
    finished = await cli("import", folder)
    assert finished.status == 0
    assert "1 break (" in finished.out
    assert "break: 2 until 2024-01-02 01:00 UTC, 2,000 from 2024-01-02 02:00 UTC" in finished.out


_PRICES = [(hour, 2 if hour < 26 else 2000) for hour in range(60)]


def _rows(out: str, symbol: str) -> list[str]:
    return [" ".join(line.split()[1:]) for line in out.splitlines() if line.split()[:1] == [symbol]]


async def test_breaks_are_listed_and_corrected(cli: Cli, tmp_path: Path) -> None:
    await _imported(cli, tmp_path, "CLIBREAKUSDT")
    found = "2024-01-02 01:00 2024-01-02 02:00 2 2,000 1,000 detected"
    finished = await cli("data", "breaks")
    assert finished.status == 0
    assert _rows(finished.out, "CLIBREAKUSDT") == [found]

    removed = await cli("data", "breaks", "clibreak/usdt", "--remove", "2024-01-02 02:00 UTC")
    assert _rows(removed.out, "CLIBREAKUSDT") == [found.replace("detected", "removed")]
    assert removed.out.splitlines()[-2:] == [
        "0 breaks of 1 crypto, and 1 that was removed; times are UTC",
        'the column "first after" has the TIME that the options take',
    ]
    checked = await cli("data", "check", "CLIBREAKUSDT")
    assert "break:" not in checked.out
    # The same file again changes nothing about it.
    assert "break" not in (await cli("import", tmp_path)).out

    added = await cli("data", "breaks", "CLIBREAKUSDT", "--add", "2024-01-01T05:00")
    assert added.out.startswith("CLIBREAKUSDT: the break at 2024-01-01 05:00 UTC was added by hand\n")
    again = await cli("data", "breaks", "CLIBREAKUSDT", "--add", "2024-01-01T05:00")
    assert again.err == (
        "backcast: --add: CLIBREAKUSDT has a break at 2024-01-01 05:00 UTC already: --confirm confirms it\n"
    )
    assert _rows(added.out, "CLIBREAKUSDT") == [
        "2024-01-01 04:00 2024-01-01 05:00 2 2 1 confirmed",
        found.replace("detected", "removed"),
    ]
    for time in ("2024-01-01T05:00", "2024-01-02T02:00"):
        reset = await cli("data", "breaks", "CLIBREAKUSDT", "--reset", time)
    assert _rows(reset.out, "CLIBREAKUSDT") == [found]
    assert "break: 2 until" in (await cli("data", "check", "CLIBREAKUSDT")).out


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (
            ("--confirm", "2024-01-02T02:00", "--remove", "2024-01-01T05:00"),
            "--remove: CLIBOTHUSDT has no bre",
        ),
        (
            ("--confirm", "2031-01-01", "--remove", "2024-01-02T02:00"),
            "--confirm: CLIBOTHUSDT has no break at 2031-01-01",
        ),
        (
            ("--add", "2031-01-01", "--remove", "2024-01-02T02:00"),
            "--add: CLIBOTHUSDT has no candle",
        ),
        (
            ("--remove", "2024-01-02T02:00", "--reset", "2024-01-01T05:00"),
            "--reset: CLIBOTHUSDT has no break",
        ),
        (
            ("--confirm", "2024-01-02T02:00", "--remove", "2024-01-02T02:00"),
            "--remove: is about the break at",
        ),
    ],
)
async def test_several_changes_of_which_one_is_wrong_change_nothing(
    cli: Cli, tmp_path: Path, said: tuple[str, ...], reason: str
) -> None:
    if not _rows((await cli("data", "breaks")).out, "CLIBOTHUSDT"):
        await _imported(cli, tmp_path, "CLIBOTHUSDT")
    finished = await cli("data", "breaks", "CLIBOTHUSDT", *said)
    assert (finished.status, finished.out) == (1, "")
    assert reason in finished.err
    (row,) = _rows((await cli("data", "breaks", "CLIBOTHUSDT")).out, "CLIBOTHUSDT")
    assert row.endswith("detected")


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--confirm", "2024-01-01"], "--confirm: is for the breaks of one SYMBOL"),
        (["CLIAUSDT", "CLIBUSDT", "--reset", "2024-01-01"], "--reset: is for the breaks of one SYMBOL"),
        (["CLIAUSDT", "--remove", "yesterday"], "--remove: 'yesterday' is not a time"),
        (["CLIAUSDT", "--remove", "2024-01-01T05:30"], "--remove: is not a full hour"),
        (["CLIAUSDT", "--remove", "2024-01-01T05:00"], "--remove: CLIAUSDT has no break at"),
        (
            ["CLIAUSDT", "--confirm", "2024-01-01T05:00"],
            "--confirm: CLIAUSDT has no break at 2024-01-01 05:00 UTC: --add adds one by hand",
        ),
        (["CLIAUSDT", "--add", "2031-01-01"], "--add: CLIAUSDT has no candle that opens at"),
        (["CLINOSUCHUSDT", "--add", "2024-01-01"], "SYMBOL: there is no crypto 'CLINOSUCHUSDT'"),
        (["CLIAUSD"], "SYMBOL: there is no crypto 'CLIAUSD': did you mean CLIAUSDT?"),
    ],
)
async def test_what_cannot_be_is_named_in_one_line(
    cli: Cli, imported: list[str], arguments: list[str], reason: str
) -> None:
    finished = await cli("data", "breaks", *arguments)
    assert (finished.status, finished.out) == (1, "")
    assert reason in finished.err
    assert len(finished.err.splitlines()) == 1


@pytest.mark.parametrize(
    ("width", "headings"),
    [
        (80, ["crypto", "last before", "first after", "factor", "state"]),
        (120, ["crypto", "last before", "first after", "close", "open", "factor", "state"]),
    ],
)
def test_times_and_symbols_are_never_cut(width: int, headings: list[str]) -> None:
    each = break_to(Break(START_S, START_S + 3600, 0.000012345678, 17.123456), BreakState.CONFIRMED)
    console = Console(file=io.StringIO(), width=width, color_system=None)
    console.print(breaks_table(width, [("1000SATSUSDT_240329", each)]))
    assert isinstance(console.file, io.StringIO)
    lines = [line for line in console.file.getvalue().splitlines() if line.strip()]
    assert re.split(r" {2,}", lines[0].strip()) == headings
    for cell in ("1000SATSUSDT_240329", "2024-01-01 00:00", "2024-01-01 01:00", "1,390,000", "confirmed"):
        assert cell in lines[-1]
