"""`backcast db …` as a user runs it, against a database of its own and against that of `backcast up`."""

import asyncio
import json
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from services.data.schema.migrate import migrate
from services.data.store.database import Database
from services.data.store.writer import CandleStore
from services.local.postgres import EmbeddedPostgres
from tests.candle_making import random_candles
from tests.cli.conftest import BACKCAST, Finished

HOURS = 24 * 400
OLD_S = 1_300_000_000 // 3600 * 3600


async def backcast_db(*arguments: str, **environment: str) -> Finished:
    outside = {name: value for name, value in os.environ.items() if not name.startswith("BACKCAST_")}
    process = await asyncio.create_subprocess_exec(
        *BACKCAST,
        "db",
        *arguments,
        env={**outside, **environment},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    return Finished(process.returncode or 0, out.decode(), err.decode())


@pytest.fixture(scope="module")
def postgres(short_folder: Path) -> Iterator[tuple[Path, str]]:
    folder = short_folder / "db"
    folder.mkdir()
    with EmbeddedPostgres(folder) as postgres:
        yield folder, postgres.url


@pytest.fixture(scope="module")
async def market(postgres: tuple[Path, str]) -> Path:
    folder, url = postgres
    async with Database.connect(url, 4) as database:
        await migrate(database)
        store = CandleStore(database)
        await store.write_candles("NEWUSDT", False, random_candles(1, HOURS))
        await store.write_candles("OLDUSDT", False, random_candles(2, HOURS, OLD_S))
    return folder


async def test_stats_and_retention_work_on_the_embedded_database(market):
    # Without a URL it is the embedded server of the data folder.
    here = {"BACKCAST_DATA_DIR": str(market)}
    shown = await backcast_db("stats", **here)
    assert (shown.status, shown.err) == (0, "")
    assert "plain PostgreSQL" in shown.out
    assert "2 cryptos, 19,200 hourly candles from 2011-03-13 07:00 to 2025-02-03 23:00" in shown.out
    assert "19,200" in shown.out
    # Every line is whole in a pipe.
    assert "…" not in shown.out

    stats = json.loads((await backcast_db("stats", "--json", **here)).out)
    assert stats["timescale"] is None
    assert stats["tables"][0]["rows"] == stats["candles"] == 2 * HOURS
    assert stats["first"] == datetime.fromtimestamp(OLD_S, UTC).isoformat()

    kept = await backcast_db("retention", "--days", "0", **here)
    assert (kept.status, kept.out) == (0, "nothing is dropped: retention is off\n")
    dropped = await backcast_db("retention", **here)
    assert (dropped.status, dropped.out) == (0, "dropped 9,600 hourly candles; longer candles stay\n")
    again = await backcast_db("retention", **here)
    assert again.out == "no hourly candle is old enough to be dropped\n"
    stats = json.loads((await backcast_db("stats", "--json", **here)).out)
    assert (stats["cryptos"], stats["candles"]) == (1, HOURS)
    assert [each["candles"] for each in stats["aggregates"]] == [
        table["rows"] for table in stats["tables"][1:]
    ]
    assert stats["aggregates"][1]["candles"] > 2 * HOURS // 24
    assert [task["task"] for task in stats["tasks"]] == ["retention"]


@pytest.mark.parametrize(
    ("arguments", "environment", "message"),
    [
        (
            ["compress"],
            {},
            "backcast: the database is plain PostgreSQL: only TimescaleDB compresses candles\n",
        ),
        (
            ["stats"],
            {"BACKCAST_DATABASE_URL": "nonsense"},
            "BACKCAST_DATABASE_URL: is not of the form postgresql://",
        ),
        (["retention"], {"BACKCAST_RETENTION_DAYS": "-1"}, "BACKCAST_RETENTION_DAYS: "),
    ],
)
async def test_an_error_of_db_is_one_clear_line(market, arguments, environment, message):
    finished = await backcast_db(*arguments, **{"BACKCAST_DATA_DIR": str(market), **environment})
    assert finished.status == 1
    assert finished.out == ""
    assert message in finished.err
    assert finished.err.count("\n") == 1


async def test_db_without_a_database_ends_in_one_line(tmp_path):
    finished = await backcast_db("stats", BACKCAST_DATA_DIR=str(tmp_path))
    assert finished.status == 1
    assert finished.err == (
        "backcast: there is no database: BACKCAST_DATABASE_URL is not set, "
        f"and no `backcast up` runs with its data in {tmp_path}\n"
    )


async def test_a_killed_server_is_no_database(tmp_path):
    (tmp_path / "postgres").mkdir()
    left = ["1", str(tmp_path), "0", "5432", str(tmp_path / "postgres"), "", "0 0", "ready   "]
    (tmp_path / "postgres" / "postmaster.pid").write_text("\n".join(left) + "\n")
    finished = await backcast_db("stats", BACKCAST_DATA_DIR=str(tmp_path))
    assert finished.status == 1
    assert "there is no database" in finished.err
