"""The supervisor of `backcast up`: with stand-ins for the services, and once with the real ones."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import asyncpg
import psutil
import pytest
import redis

from backcast_engine.errors import InvalidInput, Refused
from services.domain.errors import Unavailable
from services.local import stack as stack_module
from services.local.health import is_serving
from services.local.ports import free_ports
from services.local.stack import LocalStack, StackSettings
from tests.waiting import LIMIT_S, until

from .conftest import processes_of, running_in

_STAND_IN = str(Path(__file__).parent / "stand_in.py")

# Like `backcast up`, with stand-ins; says "up" when it is.
_SUPERVISOR = """
import asyncio, sys
from pathlib import Path
from services.local.interrupts import Interrupts
from services.local.stack import LocalStack, StackSettings

async def main(data_dir, stand_in, *ports):
    settings = StackSettings(Path(data_dir), *map(int, ports), None, None, quiet=True)
    with Interrupts() as interrupts:
        async with LocalStack(settings, lambda name: [sys.executable, stand_in, name]) as stack:
            print("up", flush=True)
            await stack.wait()
    print("ended by", interrupts.received.name, flush=True)

asyncio.run(main(*sys.argv[1:]))
"""


def _settings(
    data_dir: Path,
    ports: Sequence[int] = (0, 0, 0),
    database_url: str | None = None,
    redis_url: str | None = None,
) -> StackSettings:
    gateway, compute, data = ports
    return StackSettings(data_dir, gateway, compute, data, database_url, redis_url, quiet=True)


def _without_servers(data_dir: Path, ports: Sequence[int] = (0, 0, 0)) -> StackSettings:
    return _settings(data_dir, ports, "postgresql://elsewhere/", "redis://elsewhere/")


def _stand_ins(**manners: str) -> Callable[[str], Sequence[str]]:
    return lambda name: [sys.executable, _STAND_IN, name, *([manners[name]] if name in manners else [])]


def _start_supervisor(data_dir: Path, ports: Sequence[int] = (0, 0, 0)) -> "subprocess.Popen[str]":
    command = [sys.executable, "-c", _SUPERVISOR, str(data_dir), _STAND_IN, *map(str, ports)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


async def test_a_stack_starts_everything_and_ends_it(data_dir: Path) -> None:
    async with LocalStack(_settings(data_dir / "new"), _stand_ins()) as stack:
        for address in (stack.gateway_address, stack.compute_address, stack.data_address):
            assert await is_serving(address)
        connection = await asyncpg.connect(stack.database_url)
        await connection.close()
        with redis.Redis.from_url(stack.redis_url) as client:
            assert client.ping()
        passed = {
            name: dict(
                line.split("=", 1) for line in (data_dir / "new/columns" / name).read_text().splitlines()
            )
            for name in ("data", "compute", "gateway")
        }
        assert passed["data"]["BACKCAST_DATABASE_URL"] == stack.database_url
        assert passed["gateway"]["BACKCAST_REDIS_URL"] == stack.redis_url
        assert passed["gateway"]["BACKCAST_COMPUTE_ADDRESS"] == stack.compute_address
        assert passed["compute"]["BACKCAST_DATA_ADDRESS"] == stack.data_address
        with pytest.raises(Refused, match="in use by another backcast"):
            await LocalStack(_settings(data_dir / "new"), _stand_ins()).__aenter__()
        assert await is_serving(stack.gateway_address)
    assert running_in(data_dir) == []


async def test_given_servers_are_not_embedded(data_dir: Path) -> None:
    async with LocalStack(_without_servers(data_dir), _stand_ins()) as stack:
        assert (stack.database_url, stack.redis_url) == ("postgresql://elsewhere/", "redis://elsewhere/")
    assert not (data_dir / "postgres").exists()
    assert not (data_dir / "valkey").exists()


async def test_a_taken_port_is_named(data_dir: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(Unavailable, match=f"port {port} for the compute service is taken"):
            await LocalStack(_settings(data_dir, (0, port, 0)), _stand_ins()).__aenter__()
    assert running_in(data_dir) == []


async def test_two_services_with_one_port_are_refused(data_dir: Path) -> None:
    with pytest.raises(InvalidInput, match="port of its own"):
        await LocalStack(_settings(data_dir, (4242, 0, 4242)), _stand_ins()).__aenter__()


async def test_a_service_that_dies_at_the_start_ends_the_start(data_dir: Path) -> None:
    with pytest.raises(Unavailable, match=r"the compute service ended \(exit code 1\): what it died of"):
        await LocalStack(_settings(data_dir), _stand_ins(compute="dies")).__aenter__()
    assert running_in(data_dir) == []


async def test_an_unusable_folder_is_named(data_dir: Path) -> None:
    (data_dir / "file").touch()
    with pytest.raises(Unavailable, match=f"cannot start in the data folder {data_dir}/file"):
        await LocalStack(_settings(data_dir / "file"), _stand_ins()).__aenter__()


@pytest.mark.parametrize(
    ("command", "name"),
    [("stand_in.py gateway", "the gateway service"), ("valkey-server", "Valkey"), ("postgres", "PostgreSQL")],
)
async def test_a_process_that_dies_is_named(data_dir: Path, command: str, name: str) -> None:
    async with LocalStack(_settings(data_dir), _stand_ins()) as stack:
        victim = next(
            process for process in processes_of(data_dir) if command in " ".join(process.cmdline()[:3])
        )
        while (parent := victim.parent()) and parent.pid != os.getpid():
            victim = parent
        victim.kill()
        with pytest.raises(Unavailable, match=rf"^{name} ended"):
            await asyncio.wait_for(stack.wait(), LIMIT_S)
    assert running_in(data_dir) == []


async def test_a_deaf_service_is_killed(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stack_module, "_STOP_GRACE_S", 0.3)
    async with LocalStack(_without_servers(data_dir), _stand_ins(data="deaf")):
        await until((data_dir / "columns" / "deaf").exists)
    assert running_in(data_dir) == []


def test_nothing_outlives_a_killed_supervisor(data_dir: Path) -> None:
    ports = free_ports(3)
    with _start_supervisor(data_dir, ports) as supervisor:
        assert supervisor.stdout is not None
        assert supervisor.stdout.readline() == "up\n"
        assert len(processes_of(data_dir)) > 5
        supervisor.kill()
    # At once, on the same folder and ports, while the watchdog is still at it.
    with _start_supervisor(data_dir, ports) as supervisor:
        assert supervisor.stdout is not None
        assert supervisor.stdout.readline() == "up\n"
        supervisor.kill()
    assert running_in(data_dir) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_all_in_order(data_dir: Path, number: signal.Signals) -> None:
    with _start_supervisor(data_dir) as supervisor:
        assert supervisor.stdout is not None
        assert supervisor.stdout.readline() == "up\n"
        supervisor.send_signal(number)
        supervisor.send_signal(number)  # an impatient user
        assert supervisor.stdout.read() == f"ended by {number.name}\n"
    assert supervisor.returncode == 0
    assert running_in(data_dir) == []
    assert "database system is shut down" in (data_dir / "logs" / "postgres.log").read_text()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_start(data_dir: Path, number: signal.Signals) -> None:
    with _start_supervisor(data_dir) as supervisor:
        assert supervisor.stdout is not None
        while not any(
            "initdb" in " ".join(child.cmdline()) for child in psutil.Process(supervisor.pid).children()
        ):
            time.sleep(0.01)
        supervisor.send_signal(number)
        assert supervisor.stdout.read() == f"ended by {number.name}\n"
    assert running_in(data_dir) == []
    assert list(data_dir.glob("postgres-unfinished-*")) == []


async def test_the_real_services_start_and_end(data_dir: Path) -> None:
    async with LocalStack(_settings(data_dir)) as stack:
        assert await is_serving(stack.gateway_address)
    assert running_in(data_dir) == []
