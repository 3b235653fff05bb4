"""The example programs of clients/, as processes, and the commands of docs/clients.md that make them."""

import asyncio
import os
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.cli.conftest import Finished
from tests.waiting import LIMIT_S

PROJECT = Path(__file__).parents[2]
PAGE = (PROJECT / "docs" / "clients.md").read_text()


def block(beginning: str) -> str:
    """Return the page's one block of commands that begins like this."""
    blocks: list[str] = re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)
    (commands,) = (commands for commands in blocks if commands.startswith(beginning))
    return commands


async def ran(command: str, folder: Path, **environment: str) -> Finished:
    """Run a shell command in a folder."""
    process = await asyncio.create_subprocess_exec(
        *("bash", "-e", "-o", "pipefail", "-c", command),
        cwd=folder,
        env={**os.environ, **environment},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    return Finished(process.returncode or 0, out.decode(), err.decode())


async def printed(command: str, folder: Path, **environment: str) -> str:
    """Run a shell command that has to succeed, and return what it prints."""
    finished = await ran(command, folder, **environment)
    assert finished.status == 0, finished.out + finished.err
    return finished.out


@dataclass(frozen=True)
class Program:
    """An example program, and the server that it calls (host:port)."""

    command: tuple[str | Path, ...]
    server: str
    # Over the Connect protocol it calls the page's process, not the gateway.
    over_connect: bool = False

    @asynccontextmanager
    async def running(
        self, *arguments: object, server: str | None = None, **environment: str
    ) -> AsyncIterator[asyncio.subprocess.Process]:
        """Start the program, which is ended with the context; `server` is in the place of its own."""
        address = server or self.server
        connect = ("--connect", f"http://{address}") if self.over_connect else ()
        process = await asyncio.create_subprocess_exec(
            *self.command,
            *connect,
            *map(str, arguments),
            env={**os.environ, "BACKCAST_GATEWAY_ADDRESS": address, **environment},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            yield process
        finally:
            if process.returncode is None:
                process.kill()
            await process.communicate()

    async def __call__(self, *arguments: object, server: str | None = None, **environment: str) -> Finished:
        """Run the program to its end."""
        async with self.running(*arguments, server=server, **environment) as process:
            return await finished(process)


async def finished(process: asyncio.subprocess.Process) -> Finished:
    """Wait for the end of a program; what was read of its output is not in what it returns."""
    async with asyncio.timeout(LIMIT_S):
        out, err = await process.communicate()
    return Finished(process.returncode or 0, out.decode(), err.decode())


async def line_with(words: str, stream: asyncio.StreamReader | None) -> str:
    """Read lines up to the one that has these words, and return it."""
    assert stream is not None
    lines = []
    async with asyncio.timeout(LIMIT_S):
        while line := (await stream.readline()).decode():
            lines.append(line)
            if words in line:
                return line
    raise AssertionError(f"nothing with {words!r} in {lines}")
