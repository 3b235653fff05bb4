"""A migration stores every valid row of the source, and names the rows that it leaves out."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import asyncpg
import numpy as np
import pytest

from backcast_engine.candles import Candles
from backcast_engine.errors import BackcastError
from backcast_engine.interval import Interval
from services.data.store.database import Database
from services.transfer.migrate import MigratedCrypto, VerifiedCrypto, move, verify
from services.transfer.source import Source
from services.transfer.source_names import SourceNames
from tests.candle_making import START_S, random_candles
from tests.data.conftest import Server, bits, execute, history_of, new_database, rows
from tests.data.store.test_aggregates import aggregated
from tests.data.transfer.source_tables import Row, make_source, rows_of

HOURS = 24 * 20
NOW_S = START_S + 3600 * HOURS
SYMBOLS = {1: "btc/usdt", 7: "ETHUSDT", 9: "SOL_USDT"}
HERE = ["BTCUSDT", "ETHUSDT", "SOLUSDT"]
CANDLES = {key: random_candles(key, HOURS) for key in SYMBOLS}
NAMES = SourceNames("crypto_prices", "cryptos", {})


@pytest.fixture
async def source_url(server: Server) -> AsyncIterator[str]:
    async with new_database(server) as url:
        yield url


async def moved(
    url: str, database: Database, names: SourceNames = NAMES
) -> tuple[list[MigratedCrypto], list[VerifiedCrypto]]:
    async with Source.open(url, names) as source:
        market = await source.market()
        return (
            [each async for each in move(source, market.cryptos, database, NOW_S)],
            [each async for each in verify(source, market.cryptos, database, NOW_S)],
        )


def all_rows() -> list[Row]:
    return [row for key, candles in CANDLES.items() for row in rows_of(key, candles)]


async def test_a_move_brings_every_candle(source_url, database):
    shuffled = np.random.default_rng(1).permutation(len(all_rows()))
    await make_source(source_url, SYMBOLS, [all_rows()[place] for place in shuffled])
    moves, verified = await moved(source_url, database)
    assert [(each.symbol, each.inserted, each.refusal) for each in moves] == [
        (symbol, HOURS, None) for symbol in HERE
    ]
    assert verified == [VerifiedCrypto(symbol, HOURS, None) for symbol in HERE]
    for symbol, candles in zip(HERE, CANDLES.values(), strict=True):
        assert bits((await history_of(database, symbol)).candles) == bits(candles)
        for interval in Interval:
            assert rows((await history_of(database, symbol, interval)).candles) == aggregated(
                candles, interval
            )


async def test_a_move_goes_on_after_an_interruption(source_url, database, store):
    await make_source(source_url, SYMBOLS, all_rows())
    async with Source.open(source_url, NAMES) as source:
        market = await source.market()
        going = move(source, market.cryptos, database, NOW_S)
        assert (await anext(going)).inserted == HOURS
        await going.aclose()
    moves, verified = await moved(source_url, database)
    assert (moves[0].inserted, moves[0].unchanged) == (0, HOURS)
    assert not any(each.difference for each in verified)
    moves, _ = await moved(source_url, database)
    assert [(each.inserted, each.unchanged) for each in moves] == [(0, HOURS)] * 3


@pytest.mark.parametrize(
    ("time_type", "time_sql", "number_type"),
    [
        ("timestamp", "datetime AT TIME ZONE 'UTC'", "double precision"),
        ("bigint", "extract(epoch FROM datetime)", "numeric(38, 18)"),
        ("bigint", "extract(epoch FROM datetime) * 1000", "double precision"),
        ("double precision", "extract(epoch FROM datetime)", "numeric"),
        ("numeric", "extract(epoch FROM datetime) * 1000000", "numeric"),
        ("bigint", "extract(epoch FROM datetime) * 1000000000", "numeric"),
    ],
)
async def test_a_source_may_have_other_names_and_types(
    source_url, database, time_type, time_sql, number_type
):
    await make_source(source_url, SYMBOLS, rows_of(1, CANDLES[1]))
    await execute(
        source_url,
        f"""
        CREATE SCHEMA "Old";
        CREATE TABLE "Old"."price table" AS
            SELECT crypto_id AS coin, ({time_sql})::{time_type} AS "open ""time",
                open_price::{number_type} AS open_price, high_price::{number_type} AS h,
                low_price::{number_type} AS low_price, close_price::{number_type} AS close_price,
                volume::{number_type} AS volume
            FROM crypto_prices;
        CREATE VIEW coins AS SELECT id AS crypto_id, symbol AS pair FROM cryptos
        """,
    )
    mappings = ["crypto_id=coin", 'datetime=open "time', "high_price=h", "symbol=pair"]
    names = SourceNames.parse("Old.price table", "coins", mappings)
    _, (verified,) = await moved(source_url, database, names)
    assert verified.difference is None
    assert bits((await history_of(database, "BTCUSDT")).candles) == bits(CANDLES[1])


HOUR = timedelta(hours=1)
START = datetime.fromtimestamp(START_S, UTC)


def quoted_row(hour: float, *values: object) -> Row:
    return 1, START + hour * HOUR, *values


GOOD = tuple(map(Decimal, ("10", "12", "9", "11", "5")))


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (quoted_row(1, None, *GOOD[1:]), "2024-01-01 01:00 UTC: open is not a finite number"),
        (quoted_row(1, *GOOD[:4], None), "2024-01-01 01:00 UTC: volume is not a finite number"),
        (
            quoted_row(1, *GOOD[:3], Decimal("NaN"), GOOD[4]),
            "2024-01-01 01:00 UTC: close is not a finite number",
        ),
        (quoted_row(1, *GOOD[:4], Decimal(-1)), "2024-01-01 01:00 UTC: volume is negative"),
        (quoted_row(1, GOOD[0], Decimal(8), *GOOD[2:]), "2024-01-01 01:00 UTC: high is below low"),
        (quoted_row(1.5, *GOOD), "2024-01-01 01:30 UTC: the time is not on the 1h grid"),
        ((1, START + HOUR + timedelta(microseconds=1), *GOOD), "01:00 UTC: the time is not on the 1h grid"),
        (quoted_row(HOURS, *GOOD), "2024-01-21 00:00 UTC: the candle is not closed yet"),
        ((1, None, *GOOD), "a row: the time is missing or out of range"),
        (quoted_row(-24 * 365 * 60, *GOOD), "UTC: the time is before 1970"),
    ],
)
async def test_a_row_that_is_no_candle_is_named(source_url, database, bad, reason):
    await make_source(source_url, SYMBOLS, [quoted_row(0, *GOOD), bad, quoted_row(2, *GOOD)])
    (move_,), (verified,) = await moved(source_url, database)
    assert (move_.inserted, move_.filtered.rejected, move_.filtered.repeated) == (2, 1, 0)
    assert reason in move_.filtered.rejections[0]
    assert verified == VerifiedCrypto("BTCUSDT", 2, None)
    assert (await history_of(database, "BTCUSDT")).candles.open_time_s.tolist() == [START_S, START_S + 7200]


async def test_rows_of_one_hour_with_other_values_are_rejected(source_url, database):
    other = (*GOOD[:4], Decimal(6))
    same_hours = [quoted_row(0, *GOOD)] * 3 + [quoted_row(1, *GOOD), quoted_row(1, *other)]
    await make_source(source_url, SYMBOLS, [*same_hours, quoted_row(2, *GOOD)])
    (move_,), (verified,) = await moved(source_url, database)
    assert (move_.inserted, move_.filtered.rejected, move_.filtered.repeated) == (2, 2, 2)
    assert (
        move_.filtered.rejections == ("2024-01-01 01:00 UTC: another row of this hour has other values",) * 2
    )
    assert verified.difference is None


async def test_the_first_rejections_are_kept_and_all_are_counted(source_url, database):
    bad = [quoted_row(hour + 0.5, *GOOD) for hour in range(30)]
    await make_source(source_url, SYMBOLS, bad)
    (move_,), (verified,) = await moved(source_url, database)
    assert (move_.filtered.rejected, len(move_.filtered.rejections)) == (30, 10)
    assert move_.filtered.rejections[0].startswith("2024-01-01 00:30 UTC")
    assert verified == VerifiedCrypto("BTCUSDT", 0, None)


async def test_what_is_here_with_other_values_stays_and_is_named(source_url, database, store):
    await make_source(source_url, SYMBOLS, all_rows())
    volume = CANDLES[1].volume.copy()
    volume[[5, 9]] += 1
    changed = Candles(*CANDLES[1].columns()[:-1], volume)[:20]
    later = random_candles(2, 2, NOW_S)
    await store.write_candles("BTCUSDT", False, changed)
    await store.write_candles("ETHUSDT", False, Candles.concatenate([CANDLES[7], later]))
    await store.write_candles("SOLUSDT", True, CANDLES[9])
    (first, second, third), verified = await moved(source_url, database)
    assert first.refusal == (
        "BTCUSDT has other values stored for 2 candles, "
        "the first at 2024-01-01 05:00 UTC: only volumes differ"
    )
    assert second.refusal is None
    assert third.refusal
    assert "synthetic" in third.refusal
    assert bits((await history_of(database, "BTCUSDT")).candles) == bits(changed)

    btc, eth, sol = (each.difference for each in verified)
    assert (btc.missing, btc.additional, btc.changed) == (HOURS - 20, 0, 2)
    assert btc.first_s == START_S + 5 * 3600
    assert (btc.source.candles, btc.here.candles) == (HOURS, 20)
    assert btc.source.checksum != btc.here.checksum
    assert (eth.missing, eth.additional, eth.changed) == (0, 2, 0)
    assert eth.here.last_s == eth.source.last_s + 7200
    assert sol is None


async def test_the_source_is_read_as_it_was_at_one_moment_and_not_written(source_url, database):
    await make_source(source_url, SYMBOLS, all_rows())
    async with Source.open(source_url, NAMES) as source:
        market = await source.market()
        moves = [each async for each in move(source, market.cryptos, database, NOW_S)]
        await execute(source_url, "DELETE FROM crypto_prices WHERE crypto_id = 7")
        verified = [each async for each in verify(source, market.cryptos, database, NOW_S)]
        assert len(moves) == 3
        assert not any(each.difference for each in verified)
        with pytest.raises(asyncpg.ReadOnlySQLTransactionError):
            await source._connection.execute("DELETE FROM crypto_prices")


async def test_rows_that_have_no_crypto_are_named(source_url, database):
    orphans = [(key, *row[1:]) for key in (5, None) for row in rows_of(1, CANDLES[1][:3])]
    unnamed = [(6, *row[1:]) for row in rows_of(1, CANDLES[1][:2])]
    await make_source(source_url, {**SYMBOLS, 6: "B T C"}, [*all_rows(), *orphans, *unnamed])
    async with Source.open(source_url, NAMES) as source:
        market = await source.market()
    assert [crypto.symbol for crypto in market.cryptos] == HERE
    assert sorted(market.left_out) == [
        "2 rows with crypto_id 6: their symbol: 'B T C' is not a symbol: 1 to 32 letters and digits, "
        "like BTCUSDT, BTCUSDT.P or BTCUSDT_240329",
        "3 rows with crypto_id 5 have no crypto in cryptos",
        "3 rows with crypto_id None have no crypto in cryptos",
    ]


@pytest.mark.parametrize(
    ("table", "symbols_table", "mappings", "message"),
    [
        ("prices", "cryptos", [], "--table: the source has no table 'prices'"),
        ("a.b.c", "cryptos", [], "--table: 'a.b.c' is not TABLE or SCHEMA.TABLE"),
        ("crypto_prices", "coins", [], "--symbols-table: the source has no table 'coins'"),
        (
            "crypto_prices",
            "cryptos",
            ["volume=vol"],
            "--map: crypto_prices has no column 'vol' for volume: it",
        ),
        (
            "crypto_prices",
            "cryptos",
            ["symbol=name"],
            "--map: cryptos has no column 'name' for symbol: it has id",
        ),
        ("crypto_prices", "cryptos", ["volume=note"], "--map: 'note' of crypto_prices is text, not a number"),
        ("crypto_prices", "cryptos", ["datetime=note"], "--map: 'note' of crypto_prices is text, not a time"),
        ("crypto_prices", "cryptos", ["id=symbol"], "--table: the source cannot be read: operator does not"),
        (
            "crypto_prices",
            "cryptos",
            ["time=t"],
            "--map: 'time=t' is not NAME=COLUMN; the names are crypto_id,",
        ),
        ("crypto_prices", "cryptos", ["volume"], "--map: 'volume' is not NAME=COLUMN"),
        ("crypto_prices", "cryptos", ["volume=a", "volume=b"], "--map: volume is given twice"),
        ("crypto_prices", "same", [], "--symbols-table: BTCUSDT occurs twice, as 1 and as 7"),
    ],
)
async def test_a_wrong_option_is_named(source_url, table, symbols_table, mappings, message):
    await make_source(source_url, SYMBOLS, all_rows())
    await execute(
        source_url,
        "ALTER TABLE crypto_prices ADD note text; "
        "CREATE VIEW same AS SELECT id, 'BTC' || CASE id WHEN 1 THEN '-' ELSE '' END || 'USDT' AS symbol "
        "FROM cryptos",
    )
    with pytest.raises(BackcastError) as refused:
        async with Source.open(source_url, SourceNames.parse(table, symbols_table, mappings)) as source:
            await source.market()
    assert str(refused.value).startswith(message)


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("nonsense", "URL: is not of the form postgresql://user:password@host:port/database"),
        ("postgresql://u:s3cret@[::1/x", "URL: is not of the form postgresql://"),
        ("postgresql://u:s3cret@127.0.0.1:1/x", "URL: no database answers there"),
        ("postgresql://u:s3cret@127.0.0.1:port/x", "URL: is not of the form postgresql://"),
    ],
)
async def test_a_wrong_url_is_named_and_not_shown(url, message):
    with pytest.raises(BackcastError) as refused:
        async with Source.open(url, NAMES):
            pass
    assert str(refused.value).startswith(message)
    assert "s3cret" not in str(refused.value)


async def test_an_unknown_database_is_named(server):
    with pytest.raises(BackcastError, match=r"^URL: there is no such database$"):
        async with Source.open(server.url.replace("postgres@/postgres?", "postgres@/nowhere?"), NAMES):
            pass
