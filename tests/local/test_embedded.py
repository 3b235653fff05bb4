"""The embedded servers, for real."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import asyncpg
import pytest
import redis
import redis.asyncio

from backcast_engine.errors import Refused
from services.domain.errors import Unavailable
from services.local.folder_lock import FolderLock
from services.local.postgres import EmbeddedPostgres
from services.local.server_process import end_leftovers
from services.local.valkey import EmbeddedValkey

from .conftest import running_in

# Holds everything that `backcast up` holds, but for the watchdog that would end it.
_HOLDER = """
import sys, time
from pathlib import Path
from services.local.folder_lock import FolderLock
from services.local.postgres import EmbeddedPostgres
from services.local.valkey import EmbeddedValkey
folder = Path(sys.argv[1])
lock = FolderLock(folder)
with EmbeddedPostgres(folder) as postgres, EmbeddedValkey(folder) as valkey:
    print(postgres.process.pid, valkey.process.pid, flush=True)
    time.sleep(600)
"""


async def _rows(postgres: EmbeddedPostgres) -> list[int]:
    connection = await asyncpg.connect(postgres.url)
    try:
        return [row["price"] for row in await connection.fetch("SELECT price FROM candles")]
    finally:
        await connection.close()


async def _make_row(postgres: EmbeddedPostgres) -> None:
    connection = await asyncpg.connect(postgres.url)
    try:
        await connection.execute("CREATE TABLE candles (price int); INSERT INTO candles VALUES (42)")
    finally:
        await connection.close()


def _sockets(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_socket()]


async def test_postgres_keeps_its_data(data_dir: Path) -> None:
    for _ in range(2):
        with EmbeddedPostgres(data_dir) as postgres:
            if not (data_dir / "made").exists():
                await _make_row(postgres)
                (data_dir / "made").touch()
            assert await _rows(postgres) == [42]
        assert _sockets(data_dir) == []


async def test_postgres_stops_under_its_clients(data_dir: Path) -> None:
    with EmbeddedPostgres(data_dir) as postgres:
        connection = await asyncpg.connect(postgres.url)
    with pytest.raises(asyncpg.PostgresConnectionError):
        await connection.fetchval("SELECT 1")
    await connection.close()


async def test_only_its_owner_can_open_the_database(data_dir: Path) -> None:
    with EmbeddedPostgres(data_dir):
        (socket,) = _sockets(data_dir)
        assert socket.stat().st_mode & 0o077 == 0


async def test_servers_start_in_paths_with_spaces_and_paths_too_long_for_a_socket(data_dir: Path) -> None:
    for name in ("Application Support, 100%", "x" * 120):
        folder = data_dir / name
        folder.mkdir()
        with EmbeddedPostgres(folder) as postgres, EmbeddedValkey(folder) as valkey:
            await _make_row(postgres)
            async with redis.asyncio.from_url(valkey.url) as client:
                assert await client.ping()


def test_valkey_is_a_bounded_cache(data_dir: Path) -> None:
    with EmbeddedValkey(data_dir) as valkey, redis.Redis.from_url(valkey.url) as client:
        client.set("key", "value")
        limits = client.config_get("maxmemory", "maxmemory-policy", "save")
        assert limits == {"maxmemory": str(256 << 20), "maxmemory-policy": "allkeys-lru", "save": ""}
    assert _sockets(data_dir) == []
    with EmbeddedValkey(data_dir) as valkey, redis.Redis.from_url(valkey.url) as client:
        assert client.get("key") is None


async def test_a_killed_owner_is_no_obstacle(data_dir: Path) -> None:
    with EmbeddedPostgres(data_dir) as postgres:
        await _make_row(postgres)
    command = [sys.executable, "-c", _HOLDER, str(data_dir)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        leftovers = [int(pid) for pid in holder.stdout.readline().split()]
        with pytest.raises(Refused, match=rf"in use by another backcast \(process {holder.pid}\)"):
            FolderLock(data_dir)
        holder.kill()
    for pid in leftovers:
        os.kill(pid, 0)

    lock = FolderLock(data_dir)
    assert lock.after_kill
    with EmbeddedPostgres(data_dir) as postgres, EmbeddedValkey(data_dir) as valkey:
        assert await _rows(postgres) == [42]
        assert not {postgres.process.pid, valkey.process.pid} & set(leftovers)
        with redis.Redis.from_url(valkey.url) as client:
            assert client.ping()
    lock.release()
    assert running_in(data_dir) == []

    lock = FolderLock(data_dir)
    assert not lock.after_kill
    lock.release()


async def test_a_stale_process_id_is_no_obstacle(data_dir: Path) -> None:
    with EmbeddedPostgres(data_dir) as postgres:
        pid_file = data_dir / "postgres" / "postmaster.pid"
        text = pid_file.read_text().replace(str(postgres.process.pid), str(os.getpid()), 1)
    # As after a reboot: the id belongs to somebody else, and the file says that the server is ready.
    pid_file.write_text(text)
    with EmbeddedPostgres(data_dir) as postgres:
        await _make_row(postgres)


async def test_an_unfinished_database_is_made_anew(data_dir: Path) -> None:
    unfinished = data_dir / "postgres-unfinished-abc"
    unfinished.mkdir()
    (unfinished / "PG_VERSION").write_text("18")
    with EmbeddedPostgres(data_dir) as postgres:
        await _make_row(postgres)
    assert not unfinished.exists()


def test_the_complaint_of_postgres_is_in_the_error(data_dir: Path) -> None:
    with EmbeddedPostgres(data_dir):
        pass
    with (data_dir / "postgres" / "postgresql.conf").open("a") as config:
        config.write("nonsense = 1\n")
    with pytest.raises(Unavailable, match=r"PostgreSQL ended \(exit code 1\): .*FATAL.*postgresql\.conf"):
        EmbeddedPostgres(data_dir).start()


def test_only_leftovers_of_the_folder_are_ended(data_dir: Path) -> None:
    (data_dir / "other").mkdir()
    with EmbeddedValkey(data_dir / "other") as valkey:
        end_leftovers(data_dir, "valkey-server", signal.SIGTERM, 1)
        valkey.process.check()
