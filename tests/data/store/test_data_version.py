"""The version of all stored data: equal versions mean equal data, whatever happened in between."""

import shutil
from pathlib import Path

import asyncpg
import psutil

from backcast_engine.breaks import BreakState
from services.data.schema.migrate import migrate
from services.data.store.break_edits import BreakStore
from services.data.store.catalog import CryptoStore
from services.data.store.database import Database
from services.data.store.writer import CandleStore
from services.domain.errors import Unavailable
from services.local.postgres import EmbeddedPostgres
from tests.candle_making import random_candles
from tests.data.conftest import Server, listed, new_database
from tests.waiting import until

CANDLES = random_candles(1, 300)


async def test_reading_leaves_the_version(store, cryptos):
    await store.write_candles("AUSDT", False, CANDLES[:200])

    async def is_left() -> bool:
        version = await cryptos.version()
        page = await cryptos.page([], "", 10, CANDLES.open_time_s[100].item())
        assert [crypto.symbol for crypto in page.cryptos] == ["AUSDT"]
        nothing = [await cryptos.page([symbol], "", 10) for symbol in ("NONEUSDT", "\0")]
        assert [page.cryptos for page in nothing] == [[], []]
        return {version} == {each.version for each in (page, *nothing)} | {await cryptos.version()}

    # The database's own housekeeping may come between two statements.
    await until(is_left)


async def test_every_change_makes_another_version(database, store, cryptos):
    breaks = BreakStore(database, cryptos)
    versions = [await cryptos.version()]

    async def changed() -> None:
        versions.append(await cryptos.version())

    await store.write_candles("AUSDT", False, CANDLES[:200])
    await changed()
    await store.write_candles("AUSDT", False, CANDLES[200:201])
    await changed()
    await breaks.update("AUSDT", CANDLES.open_time_s[100].item(), BreakState.CONFIRMED)
    await changed()
    await store.delete("AUSDT")
    await changed()
    await store.write_candles("AUSDT", False, CANDLES[:200])
    await changed()
    assert len(set(versions)) == len(versions)


async def test_imports_that_commit_in_another_order_than_they_began_each_make_a_version(
    database, store, cryptos
):
    await store.write_candles("AUSDT", False, CANDLES)
    async with database.connection() as connection:
        transaction = connection.transaction()
        await transaction.start()
        await connection.execute("UPDATE cryptos SET fingerprint = gen_random_uuid() WHERE symbol = 'AUSDT'")
        began_before = await cryptos.page([], "", 10)
        await store.write_candles("BUSDT", False, CANDLES)
        amid = await cryptos.page([], "", 10)
        await transaction.commit()
    after = await cryptos.page([], "", 10)
    assert len({began_before.version, amid.version, after.version}) == 3
    assert amid.cryptos[0].fingerprint != after.cryptos[0].fingerprint


async def test_a_change_that_is_rolled_back_shows_in_no_list(database, store, cryptos):
    await store.write_candles("AUSDT", False, CANDLES)
    before = await listed(cryptos)
    async with database.connection() as connection:
        transaction = connection.transaction()
        await transaction.start()
        await connection.execute("UPDATE cryptos SET fingerprint = gen_random_uuid()")
        amid = await cryptos.version()
        await transaction.rollback()
    assert await cryptos.version() != amid
    assert await listed(cryptos) == before


async def test_databases_of_one_server_have_versions_of_their_own(server, cryptos):
    async with new_database(server) as url, Database.connect(url, 1) as other:
        await migrate(other)
        assert await CryptoStore(other).version() != await cryptos.version()


async def test_a_server_that_recovers_from_a_crash_has_another_version(server: Server, database, cryptos):
    async def checkpointer() -> int | None:
        try:
            async with database.connection() as connection:
                return await connection.fetchval(
                    "SELECT pid FROM pg_stat_activity WHERE backend_type = 'checkpointer'"
                )
        except Unavailable:
            return None

    async def has_recovered() -> bool:
        return await checkpointer() not in (None, before)

    before, version = await checkpointer(), await cryptos.version()
    connection = await asyncpg.connect(server.url)
    # The server ends its other processes, recovers, and goes on: it is not started again.
    psutil.Process(await connection.fetchval("SELECT pg_backend_pid()")).kill()
    connection.terminate()
    await until(has_recovered)
    assert await cryptos.version() != version


async def test_a_copy_of_a_server_has_versions_of_its_own(short_folder: Path):
    folder, copy = short_folder / "copied", short_folder / "copy"
    folder.mkdir()
    with EmbeddedPostgres(folder) as server:
        async with Database.connect(server.url, 1) as database:
            await migrate(database)
    shutil.copytree(folder, copy)
    versions = []
    # Transactions of the same ids, from the same beginning.
    for number, each in enumerate((folder, copy)):
        with EmbeddedPostgres(each) as server:
            async with Database.connect(server.url, 1) as database:
                await CandleStore(database).write_candles("AUSDT", False, random_candles(number, 24))
                versions.append(await CryptoStore(database).version())
    assert versions[0] != versions[1]
