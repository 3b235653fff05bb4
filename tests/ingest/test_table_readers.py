"""Arrow and Parquet: columns of any types that hold times and numbers, to the last digit."""

import gzip
import io
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backcast_engine.errors import InvalidInput
from backcast_engine.interval import Interval
from services.ingest.detect import read_file
from tests.ingest.conftest import NOW_S, OHLCV, START_S, Read, Row, refusal, rejected, rows_of

Write: TypeAlias = Callable[[pa.Table], bytes]

VALUES = dict(zip(("open", "high", "low", "close", "volume"), map(float, OHLCV.split(",")), strict=True))
CANDLE: Row = (START_S, *VALUES.values())  # type: ignore[assignment]  # five of them


def parquet(table: pa.Table) -> bytes:
    sink = io.BytesIO()
    pq.write_table(table, sink, row_group_size=3)
    return sink.getvalue()


def feather(table: pa.Table) -> bytes:
    sink = io.BytesIO()
    pyarrow.feather.write_feather(table, sink, chunksize=3)
    return sink.getvalue()


def table_of(count: int = 1, **columns: pa.Array) -> pa.Table:
    """Make a table of hourly candles that are all the same, but for some columns."""
    times = pa.array([datetime.fromtimestamp(START_S + 3600 * hour, UTC) for hour in range(count)])
    return pa.table(
        {"date": times, **{name: pa.array([value] * count) for name, value in VALUES.items()}} | columns
    )


@pytest.fixture(params=[parquet, feather], ids=["parquet", "arrow"])
def write(request: pytest.FixtureRequest) -> Write:
    """Write a table as a file of either format, three rows a piece."""
    written: Write = request.param
    return written


# --- real files


def test_a_real_file_of_minutes_makes_whole_hours(market_data: Path) -> None:
    (path,) = (market_data / "freqtrade-feather-1m").iterdir()
    reading = read_file(path, Interval.HOUR_1, now_s=NOW_S)
    assert (reading.format, reading.symbol, reading.length_s) == ("arrow", "ETHUSDT.P", 60)
    assert (len(reading.candles), reading.incomplete, reading.rejected) == (1002, 2, 0)
    minutes = pyarrow.feather.read_table(path)
    times = minutes["date"].cast(pa.int64()).to_numpy() // 10**9
    for time_s, open_, high, low, close, volume in rows_of(reading)[::50]:
        hour = minutes.take(np.flatnonzero(times // 3600 == time_s // 3600)).to_pydict()
        assert (open_, close) == (hour["open"][0], hour["close"][-1])
        assert (high, low) == (max(hour["high"]), min(hour["low"]))
        # The minutes' volumes add up as the decimals that they are.
        assert volume == float(sum(map(Decimal, map(repr, hour["volume"]))))


# --- types


@pytest.mark.parametrize(
    "times",
    [
        *(
            pa.array([START_S]).cast(pa.timestamp("s")).cast(pa.timestamp(unit))
            for unit in ("s", "ms", "us", "ns")
        ),
        pa.array([datetime.fromtimestamp(START_S, UTC)], pa.timestamp("ns", "America/New_York")),
        pa.array([START_S // 86_400], pa.int32()).cast(pa.date32()),
        pa.array([START_S // 86_400], pa.int32()).cast(pa.date32()).cast(pa.date64()),
        *(pa.array([START_S * unit]) for unit in (1, 10**3, 10**6, 10**9)),
        pa.array([START_S], pa.uint32()),
        pa.array([START_S * 1000.0]),
        pa.array(["2020-01-01T02:00:00+02:00"]),
        pa.array(["2020-01-01 00:00"], pa.large_string()),
        pa.array(["2020-01-01"]).dictionary_encode(),
    ],
    ids=lambda column: f"{column.type} {column[0]}",
)
def test_times_of_any_type_are_read(read: Read, write: Write, times: pa.Array) -> None:
    assert rows_of(read(write(table_of(date=times)))) == [CANDLE]


@pytest.mark.parametrize(
    ("column", "number"),
    [
        (pa.array([1.1]), 1.1),
        (pa.array([1.1], pa.float32()), 1.1),
        (pa.array([Decimal("1.10")], pa.decimal128(20, 2)), 1.1),
        (pa.array([Decimal("1.1000000000000000000000001")], pa.decimal256(50, 25)), 1.1),
        (pa.array([2], pa.int8()), 2.0),
        (pa.array([2**53 + 1], pa.uint64()), 2.0**53),
        (pa.array(["1.10"]), 1.1),
        (pa.array(["11e-1"]).dictionary_encode(), 1.1),
    ],
    ids=lambda column: str(getattr(column, "type", "")),
)
def test_numbers_of_any_type_are_read(read: Read, write: Write, column: pa.Array, number: float) -> None:
    (row,) = rows_of(read(write(table_of(volume=column))))
    assert row[-1] == number


@given(
    st.lists(st.floats(1e-30, 1e30), min_size=1, max_size=10),
    st.sampled_from([parquet, feather]),
    st.sampled_from([pa.float64(), pa.float32(), pa.string()]),
    st.booleans(),
)
def test_numbers_are_read_to_the_last_digit(
    read: Read, prices: list[float], write: Write, type_: pa.DataType, has_null: bool
) -> None:
    column = pa.array(np.array(prices), pa.float64()).cast(type_)
    # What a single-precision number is meant to be is what it is printed as.
    meant = [float(str(np.float32(price))) if type_ == pa.float32() else price for price in prices]
    columns = dict.fromkeys(("open", "high", "low", "close", "volume"), column)
    if has_null:  # not the fast way
        columns["volume"] = pa.concat_arrays([column[:-1], pa.nulls(1, type_)])
    reading = read(write(table_of(len(prices), **columns)))
    assert [row[1] for row in rows_of(reading)] == meant[: len(prices) - has_null]
    assert reading.rejected == has_null


def test_an_index_without_a_name_is_the_time(read: Read, write: Write) -> None:
    table = table_of()
    names = ["__index_level_0__" if name == "date" else name for name in table.column_names]
    assert rows_of(read(write(table.rename_columns(names)))) == [CANDLE]
    counted = table.set_column(0, "__index_level_0__", pa.array([0]))
    assert refusal(read, write(counted)).startswith("it has no column of the time")


def test_columns_are_found_by_name_and_name_the_symbol(read: Read, write: Write) -> None:
    table = (
        table_of(2)
        .append_column("note", pa.array([[1], None]))
        .append_column("Pair", pa.array(["ABC/USDT", None]))
    )
    upper = table.rename_columns([name.upper() for name in table.column_names])
    reading = read(write(upper.select(list(reversed(upper.column_names)))))
    assert reading.symbol == "ABCUSDT"
    assert rows_of(reading)[0] == CANDLE
    two = table_of(5).append_column("symbol", pa.array(["AUSD"] * 3 + ["BUSD"] * 2))
    assert refusal(read, write(two)) == "its rows are of several cryptos: 'AUSD' and 'BUSD'"


# --- errors name what is wrong


def test_bad_records_are_reported_by_their_number(read: Read, write: Write) -> None:
    times = [START_S * 1000 + 3_600_000 * hour for hour in range(9)]
    times[1], times[2], times[3] = -3_600_000, times[2] + 1, times[3] + 60_000
    date = pa.concat_arrays([pa.array(times).cast(pa.timestamp("ms")), pa.nulls(1, pa.timestamp("ms"))])
    closes = [2.5, 2.5, 2.5, 2.5, None, float("nan"), 9.0, 2.5, 2.5, 2.5]
    opens = ["2"] * 7 + ["NULL", "-1", "2"]
    reading = read(write(table_of(10, date=date, close=pa.array(closes), open=pa.array(opens))))
    assert rows_of(reading) == [CANDLE]
    assert rejected(reading) == [
        (2, "the time 1969-12-31T23:00:00.000 is before 1970"),
        (3, "the time 2020-01-01T02:00:00.001 is not a whole second"),
        (4, "the time is not on the 1h grid"),
        (5, "close is empty"),
        (6, "close is 'nan', not a finite number"),
        (7, "close is not between low and high"),
        (8, "open is 'NULL', not a finite number"),
        (9, "open is not positive"),
        (10, "the time is empty"),
    ]


@pytest.mark.parametrize(
    ("columns", "reason"),
    [
        ({"open": pa.array([[1.0]])}, "its column open is of the type list<"),
        ({"date": pa.array([{"a": 1}])}, "its column time is of the type struct<"),
        ({"OPEN": pa.array([1.0])}, "it has the column open twice"),
    ],
)
def test_columns_that_are_no_candles_are_refused(
    read: Read, write: Write, columns: dict[str, pa.Array], reason: str
) -> None:
    assert refusal(read, write(table_of(**columns))).startswith(reason)


def test_missing_columns_are_named(read: Read, write: Write) -> None:
    assert refusal(read, write(table_of().drop_columns(["close", "low"]))) == "it has no column low, close"
    assert refusal(read, write(table_of(0))) == "it holds no candles"


def test_packed_files_are_read_too(read: Read, write: Write) -> None:
    assert rows_of(read(gzip.compress(write(table_of())))) == [CANDLE]


@given(st.sampled_from([parquet, feather]), st.data())
def test_damaged_files_end_in_candles_or_one_clear_sentence(
    read: Read, write: Write, data: st.DataObject
) -> None:
    texts = pa.array(["2.5"] * 7)
    content = bytearray(write(table_of(7, close=texts)))
    match data.draw(st.sampled_from(["cut", "flipped", "nonsense"])):
        case "cut":
            content = content[: data.draw(st.integers(8, len(content) - 1))]
        case "flipped":
            for position in data.draw(st.lists(st.integers(8, len(content) - 1), min_size=1, max_size=3)):
                content[position] ^= data.draw(st.integers(1, 255))
        case _:
            content[8:] = data.draw(st.binary())
    try:
        reading = read(bytes(content))
    except InvalidInput:
        assert refusal(read, bytes(content))
        return
    assert len(reading.candles) + reading.rejected + reading.duplicates > 0
