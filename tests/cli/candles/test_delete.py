"""`backcast data delete`: asks, deletes, and says what."""

import asyncio
import os
import pty
import re
from contextlib import suppress
from pathlib import Path

from tests.cli.conftest import BACKCAST, Cli, write_csv


async def _imported(cli: Cli, folder: Path, *symbols: str) -> None:
    for seed, symbol in enumerate(symbols):
        write_csv(folder / f"{symbol}.csv", seed, hours=30)
    assert (await cli("import", folder)).status == 0


async def test_delete_with_yes_asks_nobody(cli: Cli, tmp_path: Path) -> None:
    await _imported(cli, tmp_path, "CLIGONEUSDT", "CLIGONETOOUSDT", "CLISTAYSUSDT")
    finished = await cli("data", "delete", "cligone/usdt", "CLIGONETOOUSDT", "--yes")
    assert finished.status == 0
    assert finished.out.splitlines() == [
        f"{symbol}: deleted 30 hourly candles from 2024-01-01 00:00 UTC to 2024-01-02 05:00 UTC"
        for symbol in ("CLIGONEUSDT", "CLIGONETOOUSDT")
    ]
    listed = (await cli("cryptos")).out
    assert "CLISTAYSUSDT" in listed
    assert "CLIGONE" not in listed
    again = await cli("data", "delete", "CLIGONEUSDT", "--yes")
    assert (again.status, again.out) == (1, "")
    # Other tests' cryptos may be near it.
    one_line = r"backcast: SYMBOL: there is no crypto 'CLIGONEUSDT'(: did you mean [A-Za-z0-9., ]+\?)?\n"
    assert re.fullmatch(one_line, again.err)
    near = await cli("data", "delete", "CLISTAYUSDT", "--yes")
    assert "SYMBOL: there is no crypto 'CLISTAYUSDT': did you mean CLISTAYSUSDT" in near.err
    # Where one is not there, none is deleted.
    mixed = await cli("data", "delete", "CLISTAYSUSDT", "CLIGONEUSDT", "--yes")
    assert (mixed.status, mixed.out, mixed.err) == (1, "", again.err)
    assert "CLISTAYSUSDT" in (await cli("cryptos")).out


async def test_without_a_terminal_nobody_can_be_asked(cli: Cli, tmp_path: Path) -> None:
    await _imported(cli, tmp_path, "CLIKEPTUSDT")
    finished = await cli("data", "delete", "CLIKEPTUSDT")
    assert (finished.status, finished.out) == (1, "")
    assert finished.err == "backcast: there is no terminal to ask for confirmation: add --yes\n"
    assert "CLIKEPTUSDT" in (await cli("cryptos")).out


async def test_a_terminal_is_asked(cli: Cli, tmp_path: Path) -> None:
    await _imported(cli, tmp_path, "CLIASKUSDT")
    wrong = await _answered(cli, "y", "CLIASKUSDT", "CLINOTHEREUSDT")
    assert "SYMBOL: there is no crypto 'CLINOTHEREUSDT'" in wrong
    shown = await _answered(cli, "n", "CLIASKUSDT")
    assert "CLIASKUSDT: 30 hourly candles from 2024-01-01 00:00 UTC to 2024-01-02 05:00 UTC" in shown
    assert "nothing was deleted" in shown
    assert "CLIASKUSDT" in (await cli("cryptos")).out
    assert "CLIASKUSDT: deleted 30 hourly" in await _answered(cli, "y", "CLIASKUSDT")
    assert "CLIASKUSDT" not in (await cli("cryptos")).out


async def _answered(cli: Cli, answer: str, *symbols: str) -> str:
    """Return what a terminal shows of a deletion that is asked for and answered."""
    ours, theirs = pty.openpty()
    process = await asyncio.create_subprocess_exec(
        *BACKCAST, "data", "delete", *symbols, env=cli.environment, stdin=theirs, stdout=theirs, stderr=theirs
    )
    os.close(theirs)
    os.write(ours, f"{answer}\n".encode())
    shown = await asyncio.to_thread(_all_of, ours)
    await process.wait()
    return shown


def _all_of(terminal: int) -> str:
    parts = []
    # A terminal whose other side is closed is an error to read from.
    with suppress(OSError):
        while part := os.read(terminal, 65_536):
            parts.append(part)
    os.close(terminal)
    return b"".join(parts).decode()
