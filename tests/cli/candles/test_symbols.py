"""Symbols of every kind and script on their way: import, list, run, cached run, columns, dump, restore."""

import json
import unicodedata
from pathlib import Path
from urllib.parse import unquote

import pytest

from services.data.schema.migrate import migrate
from services.data.store.database import Database
from tests.candle_making import random_candles
from tests.cli.candles.test_db import backcast_db
from tests.cli.candles.test_db_move import new_url
from tests.cli.conftest import Cli, write_csv
from tests.data.conftest import history_of
from tests.data.transfer.source_tables import make_source, rows_of

# What the files are called, the symbol, its kind, and other spellings of it.
MARKET = {
    "S9WAY_USDT-1h.csv": ("S9WAYUSDT", "spot", ("s9way/usdt", "BINANCE:S9WAYUSDT")),
    "S9WAY_USDT_USDT-1h-futures.csv": ("S9WAYUSDT.P", "perpetual", ("S9WAY/USDT:USDT", "s9wayusdt_perp")),
    "S9WAYUSDT_240329-1h-2024-01.csv": ("S9WAYUSDT_240329", "dated future", ("S9WAY-USDT-29MAR24",)),
    "币安人生_USDT-1h.csv": ("币安人生USDT", "spot", ("币安人生-usdt",)),
    "비트코인USDT.P_1h.csv": (
        "비트코인USDT.P",
        "perpetual",
        (unicodedata.normalize("NFD", "비트코인USDT_PERP"),),
    ),
}
SYMBOLS = sorted(symbol for symbol, _, _ in MARKET.values())


@pytest.fixture(scope="session")
async def market(cli: Cli, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("symbols")
    for seed, name in enumerate(MARKET):
        write_csv(folder / name, 20 + seed)
    finished = await cli("import", folder)
    *lines, totals = finished.out.splitlines()
    assert sorted(line.split(":")[0] for line in lines) == SYMBOLS
    assert totals == f"{len(SYMBOLS)} files: {len(SYMBOLS)} imported"
    assert finished.status == 0


async def run(cli: Cli, *symbols: str) -> tuple[dict[str, dict[str, object]], int]:
    """Return the results by symbol, and how many of them came from the cache."""
    arguments = ("--start", "2024-01-02", "--end", "2024-01-20", "--format", "jsonl")
    finished = await cli("run", "rsi", "--symbols", ",".join(symbols), *arguments)
    assert finished.status == 0, finished.err
    events = list(map(json.loads, finished.out.splitlines()))
    results = {event["result"]["symbol"]: event["result"] for event in events if "result" in event}
    return results, max(event["progress"]["from_cache"] for event in events if "progress" in event)


@pytest.mark.usefixtures("market")
async def test_each_symbol_is_listed_with_its_kind(cli: Cli) -> None:
    lines = (await cli("cryptos")).out.splitlines()
    for symbol, kind, _ in MARKET.values():
        (line,) = (line for line in lines if line.split()[:1] == [symbol])
        assert " ".join(line.split()[1:]).startswith(f"{kind} 2024-01-01")


@pytest.mark.usefixtures("market")
async def test_each_symbol_is_run_under_every_spelling_and_then_cached(cli: Cli, short_folder: Path) -> None:
    first, from_cache = await run(cli, *SYMBOLS)
    assert (sorted(first), from_cache) == (SYMBOLS, 0)
    columns = {unquote(path.name.split("-")[0]) for path in (short_folder / "stack" / "columns").iterdir()}
    assert columns >= set(SYMBOLS)
    # Five cryptos, five results: none of them is another one's.
    assert len({json.dumps(result["metrics"], sort_keys=True) for result in first.values()}) == len(SYMBOLS)
    for symbol, _, spellings in MARKET.values():
        for spelling in spellings:
            again, from_cache = await run(cli, spelling)
            assert (list(again), from_cache) == ([symbol], 1)
            assert again[symbol]["metrics"] == first[symbol]["metrics"]
    table = await cli("run", "rsi", "--symbols", ",".join(SYMBOLS), "--start", "2024-01-02", COLUMNS="200")
    assert all(symbol in table.out for symbol in SYMBOLS)


@pytest.mark.usefixtures("market")
async def test_each_symbol_can_be_checked(cli: Cli) -> None:
    finished = await cli("data", "check", "s9way/usdt:usdt", "币安人生/USDT", "--format", "jsonl")
    checks = list(map(json.loads, finished.out.splitlines()))
    assert [check["symbol"] for check in checks] == ["S9WAYUSDT.P", "币安人生USDT"]
    assert [check["suspicions"] for check in checks] == [[], []]


async def test_folders_of_samples_are_imported_for_what_they_are(cli: Cli, import_cases: Path) -> None:
    cases = ("kinds-of-klines-mixed", "short-files-of-longer-candles", "symbol-column")
    finished = await cli("import", *(import_cases / case for case in cases))
    assert finished.status == 1
    *lines, totals = finished.out.splitlines()
    assert totals == "22 files: 10 imported, 12 refused"
    written = {line.split(":")[0]: line.split()[1] for line in lines if " written" in line}
    assert written == {
        **dict.fromkeys(("AQUSDT.P", "GGGUSDT", "GGGUSDT_240329"), "72"),
        **dict.fromkeys(("BTCUSDT.P", "VVAUSDT", "VVBUSDT", "VVDUSDT.P"), "48"),
        "OOOUSDT": "24",
    }
    refused = [line for line in lines if " written" not in line]
    assert sum("long: 1h cannot be made of them" in line for line in refused) == 9
    assert sum("not candles of a crypto: give --symbol" in line for line in refused) == 2
    assert (
        sum("its rows name VVHUSDT_250627, and the file is named for VVGUSDT" in line for line in refused)
        == 1
    )
    assert len(refused) == 12


async def test_a_move_and_a_dump_keep_symbols(postgres, tmp_path: Path) -> None:
    names = dict(
        enumerate(("BTC/USDT", "BTC/USDT:USDT", "BTC-USDT-240329", "币安人生/USDT", "BTC-27JUN25-1-C"))
    )
    candles = {key: random_candles(key, 50) for key in names}
    source, here, there = [await new_url(postgres) for _ in range(3)]
    await make_source(source, names, [row for key in names for row in rows_of(key, candles[key])])
    finished = await backcast_db("migrate-from", source, BACKCAST_DATABASE_URL=here)
    assert "BTC-27JUN25-1-C' is not a symbol: it is an option" in finished.out
    assert (await backcast_db("dump", str(tmp_path / "dump"), BACKCAST_DATABASE_URL=here)).status == 0
    async with Database.connect(there, 2) as database:
        await migrate(database)
    assert (await backcast_db("restore", str(tmp_path / "dump"), BACKCAST_DATABASE_URL=there)).status == 0
    async with Database.connect(there, 2) as database:
        for key, symbol in enumerate(("BTCUSDT", "BTCUSDT.P", "BTCUSDT_240329", "币安人生USDT")):
            assert len((await history_of(database, symbol)).candles) == 50, key
