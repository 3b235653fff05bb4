"""`backcast db migrate-from`, `dump` and `restore` as a user runs them, broken off and run again."""

import asyncio
import os
import signal
from itertools import count

import pytest

from services.data.schema.migrate import migrate
from services.data.store.database import Database
from services.data.store.writer import CandleStore
from services.local.postgres import EmbeddedPostgres
from tests.candle_making import random_candles
from tests.cli.candles.test_db import backcast_db
from tests.cli.conftest import BACKCAST
from tests.data.conftest import bits, execute, history_of
from tests.data.transfer.source_tables import make_source, rows_of
from tests.waiting import LIMIT_S

HOURS = 5000
SYMBOLS = {number: f"MOVE{number:02}USDT" for number in range(8)}
CANDLES = {symbol: random_candles(number, HOURS) for number, symbol in SYMBOLS.items()}
_numbers = count()


async def new_url(postgres: EmbeddedPostgres) -> str:
    name = f"test_{next(_numbers)}"
    await execute(postgres.url, f"CREATE DATABASE {name}")
    return postgres.url.replace("postgres@/postgres?", f"postgres@/{name}?")


@pytest.fixture
async def url(postgres: EmbeddedPostgres) -> str:
    return await new_url(postgres)


@pytest.fixture(scope="module")
async def source(postgres: EmbeddedPostgres) -> str:
    url = await new_url(postgres)
    await make_source(
        url, SYMBOLS, [row for key, symbol in SYMBOLS.items() for row in rows_of(key, CANDLES[symbol])]
    )
    return url


async def start(*arguments: str, url: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *BACKCAST,
        "db",
        *arguments,
        env={**os.environ, "BACKCAST_DATABASE_URL": url},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


async def assert_moved(url: str) -> None:
    async with Database.connect(url, 2) as database:
        for symbol, candles in CANDLES.items():
            assert bits((await history_of(database, symbol)).candles) == bits(candles)


async def test_migrate_from_moves_everything_once(source, url):
    moved = await backcast_db("migrate-from", source, BACKCAST_DATABASE_URL=url)
    assert (moved.status, moved.err) == (0, "")
    assert moved.out.splitlines() == [
        *(f"{symbol}: 5,000 written" for symbol in CANDLES),
        "verified: 40,000 candles of 8 cryptos are equal in number, first, last and checksum",
    ]
    await assert_moved(url)
    again = await backcast_db("migrate-from", source, BACKCAST_DATABASE_URL=url)
    assert again.status == 0
    assert again.out.splitlines()[0] == "MOVE00USDT: 5,000 already there"


async def test_a_difference_and_a_rejected_row_end_with_status_1(postgres, source, url):
    assert (await backcast_db("migrate-from", source, BACKCAST_DATABASE_URL=url)).status == 0
    other = await new_url(postgres)
    rows = rows_of(3, CANDLES[SYMBOLS[3]])
    await make_source(other, SYMBOLS, [*rows[:-10], (3, *rows[-1][1:5], None, None)])
    moved = await backcast_db("migrate-from", other, BACKCAST_DATABASE_URL=url)
    assert (moved.status, moved.err) == (1, "")
    assert "MOVE03USDT: 4,990 already there, 1 rejected" in moved.out
    assert "  2024-07-27 07:00 UTC: close is not a finite number" in moved.out
    assert "MOVE03USDT: 10 only here, the first at 2024-07-26 22:00 UTC" in moved.out
    assert moved.out.endswith("1 of 1 crypto differs from the source\n")


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
async def test_migrate_from_is_broken_off_and_run_again(source, url, number):
    process = await start("migrate-from", source, url=url)
    # Of eight cryptos, some are moved and some are not.
    for _ in range(3):
        await process.stdout.readline()
    process.send_signal(number)
    _, err = await asyncio.wait_for(process.communicate(), LIMIT_S)
    if number == signal.SIGINT:
        assert process.returncode == 130
        interrupted = "backcast: interrupted: what was copied stays; run the command again to continue\n"
        assert err.decode() == interrupted
    else:
        assert process.returncode == -signal.SIGKILL
    again = await backcast_db("migrate-from", source, BACKCAST_DATABASE_URL=url)
    assert (again.status, again.err) == (0, "")
    assert again.out.splitlines()[:3] == [f"MOVE0{number}USDT: 5,000 already there" for number in range(3)]
    await assert_moved(url)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--table", "prices"], "backcast: --table: the source has no table 'prices'\n"),
        (["--map", "volume=vol"], "backcast: --map: crypto_prices has no column 'vol' for volume: "),
    ],
)
async def test_a_wrong_option_is_one_clear_line(source, url, arguments, message):
    finished = await backcast_db("migrate-from", source, *arguments, BACKCAST_DATABASE_URL=url)
    assert (finished.status, finished.out) == (1, "")
    assert finished.err.startswith(message)
    assert finished.err.count("\n") == 1


async def test_a_restore_of_a_dump_brings_everything_once(source, url, postgres, tmp_path):
    await backcast_db("migrate-from", source, BACKCAST_DATABASE_URL=url)
    folder = str(tmp_path / "dump")
    dumped = await backcast_db("dump", folder, BACKCAST_DATABASE_URL=url)
    assert (dumped.status, dumped.err) == (0, "")
    # 5,000 hours from a Monday on make 1,250 candles of four hours, 209 days and 30 weeks.
    assert dumped.out.replace("\n", " ").startswith("dumped 51,912 candles of 8 cryptos to ")

    other = await new_url(postgres)
    restored = await backcast_db("restore", folder, BACKCAST_DATABASE_URL=other)
    assert (restored.status, restored.err) == (0, "")
    assert restored.out == "restored 51,912 candles: 8 of 8 cryptos are as in the dump\n"
    await assert_moved(other)
    again = await backcast_db("restore", folder, BACKCAST_DATABASE_URL=other)
    assert again.out == "restored 0 candles, 51,912 were already there: 8 of 8 cryptos are as in the dump\n"


async def test_a_crypto_that_cannot_be_restored_ends_with_status_1(source, url, postgres, tmp_path):
    await backcast_db("migrate-from", source, BACKCAST_DATABASE_URL=url)
    folder = str(tmp_path / "dump")
    await backcast_db("dump", folder, BACKCAST_DATABASE_URL=url)
    other = await new_url(postgres)
    async with Database.connect(other, 2) as database:
        await migrate(database)
        await CandleStore(database).write_candles(SYMBOLS[2], False, CANDLES[SYMBOLS[2]][:100])
    restored = await backcast_db("restore", folder, BACKCAST_DATABASE_URL=other)
    assert (restored.status, restored.err) == (1, "")
    assert restored.out.splitlines() == [
        "MOVE02USDT: it has other 1h candles here: 100 here, 5,000 in the dump",
        "restored 45,423 candles: 7 of 8 cryptos are as in the dump",
    ]


async def test_an_incomplete_dump_is_reported_and_cannot_be_restored(source, url, tmp_path):
    await backcast_db("migrate-from", source, BACKCAST_DATABASE_URL=url)
    folder = tmp_path / "dump"
    async with (
        asyncio.timeout(LIMIT_S),
        Database.connect(url, 1) as database,
        database.connection() as connection,
        connection.transaction(),
    ):
        # It comes as far as the days of the first crypto.
        await connection.execute("LOCK TABLE candles_1d")
        process = await start("dump", str(folder), url=url)
        while not await connection.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted"):
            pass
        process.send_signal(signal.SIGINT)
        out, err = await process.communicate()
    assert (process.returncode, out) == (130, b"")
    assert err.decode() == f"backcast: interrupted: the dump in {folder} is incomplete\n"
    restored = await backcast_db("restore", str(folder), BACKCAST_DATABASE_URL=url)
    assert (restored.status, restored.out) == (1, "")
    assert restored.err.startswith(f"backcast: FOLDER: {folder} is no dump, or one that was not finished")


async def test_a_password_is_not_shown(url):
    finished = await backcast_db(
        "migrate-from", "postgresql://me:s3cret@127.0.0.1:1/x", BACKCAST_DATABASE_URL=url
    )
    assert (finished.status, finished.out) == (1, "")
    assert finished.err == "backcast: URL: no database answers there\n"
