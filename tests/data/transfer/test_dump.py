"""A dump holds everything as it was at one moment, and a restore brings equal rows, or says why not."""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest

from backcast_engine.breaks import BreakState
from backcast_engine.candles import Candles
from backcast_engine.errors import InvalidInput
from backcast_engine.interval import Interval
from services.data.maintenance.retention import apply_retention
from services.data.schema.migrate import migrate
from services.data.store.asked_hours import Fetched
from services.data.store.break_edits import BreakStore
from services.data.store.catalog import CryptoStore
from services.data.store.database import Database
from services.data.store.writer import CandleStore
from services.transfer.dump import dump
from services.transfer.manifest import MANIFEST, read_manifest
from services.transfer.restore import RestoredCrypto, check_files, restore
from tests.candle_making import START_S, random_candles
from tests.data.conftest import Server, bits, history_of, listed, new_database
from tests.data.maintenance.test_retention import CANDLES, DAYS, NOW_S
from tests.data.store.test_breaks import at, flat, stretch

HOURS = 24 * 20
# Each crypto's rows of all tables, and what is known of it: everything but ids and fingerprints.
EVERYTHING = """
    SELECT '1h', symbol, NULL, ts, open, high, low, close, volume
    FROM cryptos JOIN candles_1h USING (crypto_id)
    UNION ALL SELECT '4h', symbol, h.candle_count, ts, open, high, low, close, volume
    FROM cryptos JOIN candles_4h AS h USING (crypto_id)
    UNION ALL SELECT '1d', symbol, d.candle_count, ts, open, high, low, close, volume
    FROM cryptos JOIN candles_1d AS d USING (crypto_id)
    UNION ALL SELECT '1w', symbol, w.candle_count, ts, open, high, low, close, volume
    FROM cryptos JOIN candles_1w AS w USING (crypto_id)
    ORDER BY 1, 2, 4
"""
KNOWN = (
    "SELECT symbol, synthetic, candle_count, first_ts, last_ts, price_scale, volume_scale, is_packed, "
    "source, asked_hours "
    "FROM cryptos ORDER BY symbol"
)
PACKED = (
    "SELECT symbol, column_name, ts, ticks FROM cryptos JOIN packed_hours USING (crypto_id) ORDER BY 1, 2, 3"
)


@pytest.fixture
async def other(server: Server) -> AsyncIterator[Database]:
    """A database to restore into."""
    async with new_database(server) as url, Database.connect(url, 5) as database:
        await migrate(database)
        yield database


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "dump"


@pytest.fixture
async def market(database: Database, store: CandleStore) -> Database:
    """Decimals, noise that is kept as bits, synthetic candles, and days that outlive their hours."""
    await store.write_candles("DECIMALUSDT", False, CANDLES)
    noise = random_candles(5, HOURS)
    noise.volume[[3, 7]] = 0.1 + 0.2, 1e-17
    for first, last in ((0, 100), (90, 200), (300, HOURS)):
        asked = Fetched("binance", *(START_S + 3600 * hour for hour in (first, last)))
        await store.write_candles("NOISEUSDT", False, noise[first:last], fetched=asked)
    await store.write_candles("SYNUSDT", True, random_candles(6, HOURS))
    assert await apply_retention(database, DAYS, NOW_S) > 0
    return database


async def everything(database: Database) -> list[list[object]]:
    async with database.connection() as connection:
        return [[list(row) for row in await connection.fetch(query)] for query in (EVERYTHING, KNOWN, PACKED)]


async def dumped(database: Database, folder: Path) -> list[str]:
    return [crypto.symbol async for crypto, _ in dump(database, folder)]


async def restored(database: Database, folder: Path) -> list[RestoredCrypto]:
    manifest = read_manifest(folder)
    assert len(list(check_files(folder, manifest))) == len(manifest.cryptos)
    return [each async for each in restore(database, folder, manifest)]


async def test_a_restore_brings_equal_rows(market, other, folder):
    assert await dumped(market, folder) == ["DECIMALUSDT", "NOISEUSDT", "SYNUSDT"]
    outcomes = await restored(other, folder)
    assert [(each.was_there, each.refusal) for each in outcomes] == [(False, None)] * 3
    assert await everything(other) == await everything(market)
    # Read like all others, and by a fingerprint of their own.
    for symbol in ("DECIMALUSDT", "NOISEUSDT"):
        for interval in Interval:
            there = await history_of(market, symbol, interval)
            here = await history_of(other, symbol, interval)
            assert bits(here.candles) == bits(there.candles)
            assert here.fingerprint != there.fingerprint


async def test_what_is_imported_afterwards_is_right(market, other, folder):
    await dumped(market, folder)
    await restored(other, folder)
    late = random_candles(8, 48, int(CANDLES.open_time_s[-1]) + 7200)
    for database in (market, other):
        await CandleStore(database).write_candles("DECIMALUSDT", False, late)
    assert await everything(other) == await everything(market)


async def test_a_restore_goes_on_after_an_interruption(market, other, folder):
    await dumped(market, folder)
    going = restore(other, folder, read_manifest(folder))
    assert (await anext(going)).refusal is None
    await going.aclose()
    outcomes = await restored(other, folder)
    assert outcomes[0].was_there
    assert await everything(other) == await everything(market)
    before = await listed(CryptoStore(other))
    assert [(each.was_there, each.refusal) for each in await restored(other, folder)] == [(True, None)] * 3
    assert await listed(CryptoStore(other)) == before


async def test_a_crypto_that_differs_is_left_and_named(market, other, folder):
    await dumped(market, folder)
    store = CandleStore(other)
    differing = random_candles(6, HOURS)
    differing.volume[0] += 1
    await store.write_candles("SYNUSDT", True, differing)
    await store.write_candles("NOISEUSDT", True, random_candles(5, HOURS))
    decimal, noise, synthetic = await restored(other, folder)
    assert decimal.refusal is None
    assert noise.refusal == "it has synthetic candles here, and market ones in the dump"
    assert synthetic.refusal == "it has other 1h candles here: 480 here, 480 in the dump"
    assert bits((await history_of(other, "SYNUSDT")).candles) == bits(differing)


async def test_equal_numbers_of_another_scale_are_equal(database, store, other, folder):
    coarse = Candles(np.array([0, 3600]), *(np.array([2.0, 1.0]) for _ in range(5)))
    await store.write_candles("AUSDT", False, coarse)
    await dumped(database, folder)
    fine = Candles(coarse.open_time_s, *(column + 0.25 for column in coarse.columns()[1:]))
    await CandleStore(other).write_candles("AUSDT", False, fine)
    await CandleStore(other).write_candles("AUSDT", False, coarse)
    (outcome,) = await restored(other, folder)
    assert outcome.was_there


async def test_a_dump_is_of_one_moment(market, other, folder):
    store = CandleStore(market)
    for number in range(8):
        await store.write_candles(f"Z{number}USDT", False, random_candles(number, 5))
    before = await everything(market)
    dumping = dump(market, folder)
    await anext(dumping)
    # Some are read ahead, and these are not among them.
    await store.write_candles("Z7USDT", False, random_candles(9, 6))
    await store.write_candles("Z8USDT", False, random_candles(1, 3))
    async for _ in dumping:
        pass
    await restored(other, folder)
    assert await everything(other) == before


async def test_an_empty_database_can_be_dumped_and_restored(database, other, folder):
    assert await dumped(database, folder) == []
    assert await restored(other, folder) == []


async def test_a_dump_needs_a_new_folder(market, folder):
    folder.mkdir()
    (folder / "precious").write_text("mine")
    with pytest.raises(InvalidInput, match=r"^FOLDER: .* is not empty: a dump needs a new folder$"):
        await dumped(market, folder)
    with pytest.raises(InvalidInput, match=r"^FOLDER: .* cannot be created: "):
        await dumped(market, folder / "precious")
    assert [path.name for path in folder.iterdir()] == ["precious"]


async def test_a_dump_that_was_broken_off_is_none(market, folder):
    dumping = dump(market, folder)
    await anext(dumping)
    await dumping.aclose()
    assert list(folder.rglob("*.parquet"))
    with pytest.raises(InvalidInput, match=r"is no dump, or one that was not finished: it has no manifest"):
        read_manifest(folder)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda manifest: manifest.update(format="other"), "is no manifest of a dump"),
        (lambda manifest: manifest.update(version=2), "the dump has version 2: this can read version 1"),
        (lambda manifest: manifest.pop("cryptos"), "is damaged: cryptos"),
        (lambda manifest: manifest["cryptos"][0].update(symbol="../x"), "is damaged: cryptos.0.symbol"),
        (lambda manifest: manifest["cryptos"][0].update(price_scale=99), "is damaged: cryptos.0.price_scale"),
        (lambda manifest: manifest["cryptos"][1].update(first_s=10**15), "is damaged: cryptos.1.first_s"),
    ],
)
async def test_a_damaged_manifest_is_refused(market, folder, change, message):
    await dumped(market, folder)
    manifest = json.loads((folder / MANIFEST).read_bytes())
    change(manifest)
    (folder / MANIFEST).write_text(json.dumps(manifest))
    with pytest.raises(InvalidInput) as refused:
        read_manifest(folder)
    assert str(refused.value).startswith("FOLDER: ")
    assert str(refused.value).endswith(message)


async def test_damaged_and_missing_files_are_found_before_anything_is_written(market, folder):
    await dumped(market, folder)
    file = folder / "1d" / "NOISEUSDT.parquet"
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    with pytest.raises(InvalidInput, match=r"1d/NOISEUSDT.parquet is damaged: its checksum is not the manif"):
        list(check_files(folder, read_manifest(folder)))
    file.unlink()
    with pytest.raises(InvalidInput, match=r"^FOLDER: .*1d/NOISEUSDT.parquet is missing$"):
        list(check_files(folder, read_manifest(folder)))


async def test_breaks_and_what_was_said_of_them_come_along(database, store, cryptos, other, folder):
    candles = flat(stretch(0, 100, 5.0) | stretch(100, 200, 5000.0) | stretch(200, 300, 5.0))
    await store.write_candles("AUSDT", False, candles)
    breaks = BreakStore(database, cryptos)
    await breaks.update("AUSDT", at(200), BreakState.REMOVED)
    said = await breaks.update("AUSDT", at(50), BreakState.CONFIRMED)
    await dumped(database, folder)
    await restored(other, folder)
    there = BreakStore(other, CryptoStore(other))
    assert await there.of("AUSDT") == said
    assert [each.state for each in said] == [
        BreakState.CONFIRMED,
        BreakState.DETECTED,
        BreakState.REMOVED,
    ]


async def test_breaks_of_a_dump_without_any_are_found(database, store, cryptos, other, folder):
    await store.write_candles("AUSDT", False, flat(stretch(0, 100, 5.5) | stretch(100, 200, 5000.0)))
    await dumped(database, folder)
    manifest = json.loads((folder / MANIFEST).read_text())
    for crypto in manifest["cryptos"]:
        del crypto["breaks"]
    (folder / MANIFEST).write_text(json.dumps(manifest))
    await restored(other, folder)
    there = await BreakStore(other, CryptoStore(other)).of("AUSDT")
    assert there == await BreakStore(database, cryptos).of("AUSDT")
    assert len(there) == 1
