"""What is measured of candles, each next to a floor: the same rows with nothing of ours around them."""

import shutil
import time
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow.csv
from google.protobuf.timestamp_pb2 import Timestamp

from backcast.marketdata.v1 import market_data_service_pb2 as pb
from backcast_engine.candles import VALUE_COLUMNS
from backcast_engine.interval import Interval
from backcast_engine.times import utc
from services.compute.candles.column_files import ColumnFiles
from services.compute.candles.column_provider import ColumnProvider
from services.compute.candles.file_header import HEADER_WORDS
from services.compute.candles.location import DataVersion
from services.compute.candles.source import CandleSource
from services.compute.candles.stored import SUFFIX, StoredCandles
from services.imports.candle_writer import write_candles
from services.ingest.detect import read_file
from services.wire.candles import interval_to
from tests.bench.candles.market import END_S, HOURS, Market, big_market

_ONE = 100
_YEAR_S = 365 * 86_400
# Before the market begins, where chunks are not compressed yet.
_EARLIER_S = 10 * _YEAR_S
_ALL_COLUMNS = ", ".join(("ts", *VALUE_COLUMNS))


@dataclass(frozen=True, slots=True)
class Measure:
    """Something to measure, its floor, and under how many seconds it is to stay."""

    name: str
    run: Callable[[], Awaitable[float]]
    floor_name: str
    floor: Callable[[], Awaitable[float]]
    goal_s: float | None = None
    candles: int | None = None


def measures(market: Market, folder: Path) -> list[Measure]:
    """Return everything that is measured; `folder` is for column files and for a CSV file."""
    crypto_id = market.crypto_ids[market.symbols[_ONE]]
    columns, fresh, late = folder / "columns", folder / "fresh.csv", folder / "late.csv"
    _write_csv(fresh, -_EARLIER_S)
    _write_csv(late, 0)
    supply = ColumnProvider(ColumnFiles(columns, 10), CandleSource(market.data))
    year = Timestamp(seconds=END_S - _YEAR_S)

    async def cold() -> float:
        shutil.rmtree(columns, ignore_errors=True)
        return await _into_compute(market, supply)

    return [
        Measure(
            "one crypto, five years hourly, all columns",
            lambda: _streamed(market, [market.symbols[_ONE]], Interval.HOUR_1, HOURS),
            "COPY",
            lambda: _copied(
                market, f"SELECT {_ALL_COLUMNS} FROM candles_1h WHERE crypto_id = {crypto_id} ORDER BY ts"
            ),
            0.025,
        ),
        Measure(
            "one crypto, one year daily, all columns",
            lambda: _streamed(market, [market.symbols[_ONE]], Interval.DAY_1, 365, start_time=year),
            "COPY",
            lambda: _copied(
                market,
                f"SELECT {_ALL_COLUMNS} FROM candles_1d WHERE crypto_id = {crypto_id} "
                f"AND ts >= to_timestamp({END_S - _YEAR_S}) ORDER BY ts",
            ),
            0.008,
        ),
        Measure(
            "all 211, five years hourly, time and close: cold, from the database into compute",
            cold,
            "COPY",
            lambda: _copied(market, "SELECT crypto_id, ts, close FROM candles_1h"),
            2.0,
        ),
        Measure(
            "the same again from the column files",
            lambda: _into_compute(market, supply),
            "summing them",
            lambda: _summed(columns),
            0.15,
        ),
        Measure(
            "all 211, five years daily, all columns",
            lambda: _streamed(market, market.symbols, Interval.DAY_1, None),
            "aggregating the hours",
            lambda: _copied(market, _DAYS_BY_HAND),
            0.4,
        ),
        Measure(
            "one history from CSV text, written",
            lambda: _imported(market, fresh),
            "pyarrow reads it",
            lambda: _parsed(fresh),
            HOURS / 150_000,
            HOURS,
        ),
        Measure(
            "the same, of a time whose chunks are compressed",
            lambda: _imported(market, late),
            "pyarrow reads it",
            lambda: _parsed(late),
            candles=HOURS,
        ),
    ]


_DAYS_BY_HAND = """
SELECT crypto_id, date_bin('1 day', ts, TIMESTAMPTZ '2001-01-01 00:00+00') AS day,
    (array_agg(open ORDER BY ts))[1], max(high), min(low), (array_agg(close ORDER BY ts DESC))[1], sum(volume)
FROM candles_1h GROUP BY crypto_id, day
"""


async def _streamed(
    market: Market, symbols: list[str], interval: Interval, expected: int | None, **window: Timestamp
) -> float:
    request = pb.StreamCandlesRequest(symbols=symbols, interval=interval_to(interval), **window)
    count = 0
    began = time.perf_counter()
    async for response in market.data.StreamCandles(request):
        count += sum(len(block.columns.open_time_s) // 8 for block in response.blocks)
    took_s = time.perf_counter() - began
    if expected is not None and abs(count - expected) > 1:
        raise RuntimeError(f"{count} candles came, not {expected}")
    return took_s


async def _copied(market: Market, query: str) -> float:
    async def count(chunk: bytes) -> None:
        pass

    async with market.database.connection() as connection:
        began = time.perf_counter()
        await connection.copy_from_query(query, output=count, format="binary")
        return time.perf_counter() - began


async def _into_compute(market: Market, supply: ColumnProvider) -> float:
    """Have the columns of all cryptos mapped, and nothing of them computed."""
    listed = await market.data.ListCryptos(pb.ListCryptosRequest(page_size=10_000, symbols=market.symbols))
    cryptos = [DataVersion(crypto.symbol, crypto.fingerprint) for crypto in listed.cryptos]
    count = 0
    began = time.perf_counter()
    async with aclosing(supply.columns(cryptos, Interval.HOUR_1, ("close",))) as supplied:
        async for group in supplied:
            for _, columns in group:
                if not isinstance(columns, StoredCandles):
                    raise columns
                count += len(columns.map().candles)
    took_s = time.perf_counter() - began
    if count != len(market.symbols) * HOURS:
        raise RuntimeError(f"{count} candles came")
    return took_s


async def _summed(columns: Path) -> float:
    """Read every price of the files once, as the kernels will."""
    began = time.perf_counter()
    for path in sorted(columns.glob(f"*{SUFFIX}")):
        # The closes are the last column, with room for later ones after them, and there is no break.
        words = np.memmap(path, np.float64, "r")
        words[(len(words) + HEADER_WORDS) // 2 :][:HOURS].sum()
    return time.perf_counter() - began


def _write_csv(path: Path, shift_s: int) -> None:
    """Write a history whose times are shifted."""
    candles = next(candles for number, (_, candles) in enumerate(big_market()) if number == _ONE)
    lines = zip(*(column.tolist() for column in candles.columns()), strict=True)
    text = "".join(
        f"{utc(time_s + shift_s)[:16]}:00+00:00,{','.join(map(repr, values))}\n" for time_s, *values in lines
    )
    path.write_text(f"datetime,{','.join(VALUE_COLUMNS)}\n{text}")


async def _imported(market: Market, csv: Path) -> float:
    """Read and write a file as `backcast import` does, as a crypto that is new each time."""
    symbol = f"CSV{time.monotonic_ns()}USDT"
    began = time.perf_counter()
    reading = read_file(csv, Interval.HOUR_1, now_s=END_S)
    answer = await write_candles(market.data, symbol, reading.candles)
    took_s = time.perf_counter() - began
    if answer.inserted != HOURS:
        raise RuntimeError(f"not {HOURS} candles were written: {answer}")
    return took_s


async def _parsed(csv: Path) -> float:
    began = time.perf_counter()
    pyarrow.csv.read_csv(csv)
    return time.perf_counter() - began
