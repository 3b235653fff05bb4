"""The supervisor: runs embedded servers, the services, the page and the feed as child processes."""

import asyncio
import os
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn, Self

from backcast_engine.errors import InvalidInput
from services.domain.errors import Unavailable
from services.local.folder_lock import FolderLock
from services.local.health import is_page_served, is_serving
from services.local.interrupts import in_thread
from services.local.ports import HOST, becomes_free, choose_ports
from services.local.postgres import EmbeddedPostgres
from services.local.server_process import ServerProcess
from services.local.valkey import EmbeddedValkey
from services.local.watchdog import Watchdog
from services.rpc.tls import channel_credentials
from services.settings import load_settings

# Where the engine is not compiled yet, the services compile it first: a minute on a busy machine.
_START_LIMIT_S = 180.0
_STOP_GRACE_S = 10.0
# Services of a killed `backcast up` finish their streams before they release their ports.
_PORT_PATIENCE_S = 10.0
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.02, 0.2
_WATCH_PAUSE_S = 0.1


@dataclass(frozen=True)
class StackSettings:
    """Folder, ports and servers: port 0 is any free port; with a URL, that server is not embedded.

    Without a web port, the page is not served. `follow` is an exchange whose pairs of `quote` are followed;
    None: nothing is.
    """

    data_dir: Path
    gateway_port: int
    compute_port: int
    data_port: int
    database_url: str | None
    redis_url: str | None
    quiet: bool = False
    web_port: int | None = None
    follow: str | None = None
    quote: str = "USDT"


def serve_command(service: str) -> Sequence[str]:
    """Return the command that runs a service."""
    # -P: ignore a folder called `services` in the user's working folder.
    return [sys.executable, "-P", "-m", "services.cli.main", "serve", service]


class LocalStack:
    """Runs all of Backcast while its context lasts; entering it returns when every service is SERVING.

    If a process does not start, the others are stopped and BackcastError is raised. A cancellation also stops
    everything; see Interrupts for signals.
    """

    def __init__(
        self, settings: StackSettings, service_command: Callable[[str], Sequence[str]] = serve_command
    ) -> None:
        self.database_url = settings.database_url or ""
        """The database in use, once the context is entered."""
        self.redis_url = settings.redis_url or ""
        """The cache in use, once the context is entered."""
        self._settings = settings
        self._service_command = service_command
        self._data_dir = settings.data_dir.expanduser().resolve()
        self._ports: dict[str, int] = {}
        self._port_patience_s = 0.0
        self._watchdog: Watchdog | None = None
        self._processes: dict[str, ServerProcess] = {}
        self._to_stop = ExitStack()
        self._began = 0.0

    @property
    def gateway_address(self) -> str:
        """The gateway's host:port."""
        return self._address("gateway")

    @property
    def compute_address(self) -> str:
        """The compute service's host:port."""
        return self._address("compute")

    @property
    def data_address(self) -> str:
        """The data service's host:port."""
        return self._address("data")

    @property
    def page_url(self) -> str:
        """Where browsers find the page."""
        return f"{'https' if load_settings().tls_cert_file else 'http'}://{self._address('web')}"

    async def wait(self) -> NoReturn:
        """Wait until one of the processes ends, and raise Unavailable with its name and reason."""
        while True:
            for process in self._processes.values():
                process.check()
            await asyncio.sleep(_WATCH_PAUSE_S)

    async def __aenter__(self) -> Self:
        try:
            await self._start()
        except BaseException as error:
            await in_thread(self._to_stop.close)
            if isinstance(error, OSError):
                raise Unavailable(f"cannot start in the data folder {self._data_dir}: {error}") from error
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await in_thread(self._to_stop.close)

    async def _start(self) -> None:
        self._began = time.monotonic()
        self._ports = self._choose_ports()
        self._data_dir.mkdir(parents=True, exist_ok=True)
        lock = FolderLock(self._data_dir)
        self._port_patience_s = _PORT_PATIENCE_S if lock.after_kill else 0.0
        self._watchdog = Watchdog(self._data_dir)
        postgres = EmbeddedPostgres(self._data_dir, self._watchdog)
        valkey = EmbeddedValkey(self._data_dir, self._watchdog)

        # Registered in the reverse order of stopping, whatever the order in which the processes start.
        for stop in (lock.release, self._watchdog.dismiss, postgres.stop, valkey.stop):
            self._to_stop.callback(stop)
        for service in reversed(self._ports):
            self._to_stop.callback(self._stop_service, service)

        try:
            async with asyncio.TaskGroup() as group:
                database = group.create_task(self._start_database(postgres))
                cache = group.create_task(self._start_cache(valkey))
                data = group.create_task(self._start_service("data", after=database))
                group.create_task(self._start_service("compute"))
                group.create_task(self._start_service("gateway", after=cache))
                if "web" in self._ports:
                    group.create_task(self._start_service("web"))
                if "feed" in self._ports:
                    group.create_task(self._start_service("feed", after=data))
        except ExceptionGroup as failures:
            raise failures.exceptions[0] from None

    def _choose_ports(self) -> dict[str, int]:
        settings = self._settings
        # In the order of stopping: who calls stops before who is called.
        wanted = {
            **({} if settings.web_port is None else {"web": settings.web_port}),
            # It has none but that of its health.
            **({} if settings.follow is None else {"feed": 0}),
            "gateway": settings.gateway_port,
            "compute": settings.compute_port,
            "data": settings.data_port,
        }
        given = [port for port in wanted.values() if port]
        if len(set(given)) < len(given):
            raise InvalidInput.of("ports", "every service needs a port of its own")
        return dict(zip(wanted, choose_ports(wanted.values()), strict=True))

    def _address(self, service: str) -> str:
        return f"{HOST}:{self._ports[service]}"

    async def _start_database(self, postgres: EmbeddedPostgres) -> None:
        if self.database_url:
            return
        await in_thread(postgres.start)
        self.database_url = postgres.url
        self._processes["postgres"] = postgres.process
        self._say("PostgreSQL is ready")

    async def _start_cache(self, valkey: EmbeddedValkey) -> None:
        if self.redis_url:
            return
        await in_thread(valkey.start)
        self.redis_url = valkey.url
        self._processes["valkey"] = valkey.process
        self._say("Valkey is ready")

    async def _start_service(self, name: str, after: "asyncio.Task[None] | None" = None) -> None:
        if after:
            await after
        port = self._ports[name]
        if not await becomes_free(port, self._port_patience_s):
            raise Unavailable(
                f"port {port} for the {name} service is taken: "
                f"stop what listens on it, or set BACKCAST_{name.upper()}_PORT"
            )
        process = self._processes[name] = ServerProcess(
            f"the {name} service",
            self._service_command(name),
            self._data_dir / "logs" / f"{name}.log",
            environment=self._environment(name),
            watchdog=self._watchdog,
        )
        try:
            async with asyncio.timeout(_START_LIMIT_S):
                await self._until_serving(process, name)
        except TimeoutError:
            raise Unavailable(
                f"the {name} service is not ready after {_START_LIMIT_S:.0f} s [its log: {process.log}]"
            ) from None
        self._say(f"{process.name} is ready on {self._address(name)}")

    async def _until_serving(self, process: ServerProcess, name: str) -> None:
        pause = _FIRST_PAUSE_S
        while not await self._is_serving(name):
            process.check()
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE_S)

    async def _is_serving(self, name: str) -> bool:
        settings = load_settings()
        if name == "web":
            return await is_page_served(self.page_url, settings.tls_ca_file)
        if name == "feed":
            return await is_serving(self._address(name))
        return await is_serving(self._address(name), channel_credentials(settings))

    def _environment(self, service: str) -> dict[str, str]:
        """Return the environment of a service that starts now; its dependencies are running already."""
        # A health port of the environment cannot be shared by three services.
        inherited = {name: value for name, value in os.environ.items() if name != "BACKCAST_HEALTH_PORT"}
        if service == "feed":
            inherited["BACKCAST_HEALTH_PORT"] = str(self._ports["feed"])
            inherited["BACKCAST_FEED_EXCHANGE"] = self._settings.follow or ""
            inherited["BACKCAST_FEED_QUOTE"] = self._settings.quote
        return {
            **inherited,
            "PYTHONUNBUFFERED": "1",
            "BACKCAST_HOST": HOST,
            **{
                f"BACKCAST_{name.upper()}_PORT": str(port)
                for name, port in self._ports.items()
                if name != "feed"
            },
            **{
                f"BACKCAST_{name.upper()}_ADDRESS": self._address(name)
                for name in self._ports
                if name not in ("web", "feed")
            },
            **({"BACKCAST_DATABASE_URL": self.database_url} if self.database_url else {}),
            **({"BACKCAST_REDIS_URL": self.redis_url} if self.redis_url else {}),
            "BACKCAST_COLUMN_DIR": str(self._data_dir / "columns"),
        }

    def _stop_service(self, name: str) -> None:
        if process := self._processes.pop(name, None):
            process.stop(_STOP_GRACE_S)

    def _say(self, message: str) -> None:
        if not self._settings.quiet:
            print(f"{time.monotonic() - self._began:5.1f} s  {message}", file=sys.stderr)
