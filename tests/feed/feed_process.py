"""The feed's process, for tests."""

import json
import os
import signal
from pathlib import Path

from services.domain.errors import Unavailable
from services.local.ports import HOST, free_ports
from services.local.server_process import ServerProcess
from services.local.stack import serve_command
from tests.waiting import until


class FeedProcess:
    """`backcast serve feed` as a process of a test's own, which writes to a data service."""

    def __init__(self, data_address: str, folder: Path, **settings: object) -> None:
        (health_port,) = free_ports(1)
        self.health_address = f"{HOST}:{health_port}"
        self.log = folder / "feed.log"
        environment = {
            **os.environ,
            "BACKCAST_DATA_ADDRESS": data_address,
            "BACKCAST_HEALTH_PORT": str(health_port),
            **{f"BACKCAST_FEED_{name.upper()}": str(value) for name, value in settings.items()},
        }
        folder.mkdir(exist_ok=True)
        self.process = ServerProcess("the feed", serve_command("feed"), self.log, environment=environment)

    def kill(self) -> None:
        """Kill the process, as `kill -9` does; from any thread."""
        os.kill(self.process.pid, signal.SIGKILL)

    def has_ended(self) -> bool:
        """Return whether the process has ended."""
        try:
            self.process.check()
        except Unavailable:
            return True
        return False

    def records(self) -> list[dict[str, object]]:
        """Return the whole records of its log."""
        lines = self.log.read_text().splitlines(keepends=True)
        return [json.loads(line) for line in lines if line.endswith("\n")]

    async def record(self, **fields: object) -> dict[str, object]:
        """Wait for a record with these fields, and return it."""

        def found() -> list[dict[str, object]]:
            return [each for each in self.records() if fields.items() <= each.items()]

        await until(lambda: bool(found()))
        return found()[0]
