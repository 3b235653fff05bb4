"""`--map`: what the user says that columns are called, and the last bits of highs and lows."""

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backcast_engine.errors import InvalidInput
from backcast_engine.interval import Interval
from services.ingest.columns.names import GivenNames
from services.ingest.detect import read_file
from services.ingest.report import FileReading
from tests.ingest.conftest import HEADER, NOW_S, START_S, Read, rejected, rows_of

TIMES = [START_S + 3600 * hour for hour in range(24)]
ODD = {"Zeit": TIMES, "Auf": 2.0, "Hoch": 3.0, "Tief": 1.0, "Zu": 2.5, "Menge": 10.0, "Paar": "ABCUSDT"}
MAPPINGS = [
    *("datetime=Zeit", "open_price=Auf", "high_price=Hoch", "low_price=Tief", "close_price=Zu"),
    *("volume=Menge", "symbol=Paar"),
]
RECORDS = [{**ODD, "Zeit": time_s} for time_s in TIMES]


def read_mapped(folder: Path, content: str | bytes, *mappings: str) -> FileReading:
    file = folder / "file"
    file.write_bytes(content.encode() if isinstance(content, str) else content)
    return read_file(file, Interval.HOUR_1, now_s=NOW_S, given=GivenNames.parse(mappings))


def csv_of(*names: str, separator: str = ",") -> str:
    lines = [separator.join(str(record[name]) for name in names) for record in RECORDS]
    return "\n".join([separator.join(names), *lines])


def parquet(folder: Path) -> bytes:
    pq.write_table(pa.Table.from_pylist(RECORDS), folder / "table")
    return (folder / "table").read_bytes()


@pytest.mark.parametrize("kind", ["csv", "semicolons", "json", "json lines", "parquet"])
def test_columns_of_any_name_are_read_where_they_are_said(tmp_path: Path, kind: str) -> None:
    contents: dict[str, str | bytes] = {
        "csv": csv_of(*ODD),
        "semicolons": csv_of(*ODD, separator=";"),
        "json": json.dumps(RECORDS),
        "json lines": "\n".join(map(json.dumps, RECORDS)),
        "parquet": parquet(tmp_path),
    }
    content = contents[kind]
    with pytest.raises(InvalidInput):
        read_mapped(tmp_path, content)
    reading = read_mapped(tmp_path, content, *MAPPINGS)
    assert (reading.symbol, rows_of(reading)) == ("ABCUSDT", [(time_s, 2, 3, 1, 2.5, 10) for time_s in TIMES])
    without = read_mapped(tmp_path, content, *MAPPINGS[:5], "volume=", "symbol=")
    assert (without.symbol, rows_of(without)) == (None, [(time_s, 2, 3, 1, 2.5, 0) for time_s in TIMES])


def test_given_names_take_precedence_over_file_names(tmp_path: Path) -> None:
    lines = [f"{time_s},2,3,1,2.5,10,7" for time_s in TIMES]
    content = "\n".join(["time,open,high,low,close,volume,Volume USD", *lines])
    assert read_mapped(tmp_path, content).candles.volume.tolist() == [10] * 24
    assert read_mapped(tmp_path, content, "volume=Volume USD").candles.volume.tolist() == [7] * 24
    assert read_mapped(tmp_path, content, "volume=volume_usd").candles.volume.tolist() == [7] * 24
    five = "\n".join(
        f"{time_s},{20 + hour},{22 + hour},{19 + hour},{21 + hour}" for hour, time_s in enumerate(TIMES)
    )
    assert read_mapped(tmp_path, five, "volume=").candles.volume.tolist() == [0] * 24
    with pytest.raises(InvalidInput, match="its rows have no volume: --map volume= takes them"):
        read_mapped(tmp_path, five)


@pytest.mark.parametrize(
    ("mappings", "reason"),
    [
        (["close"], r"--map: 'close' is not NAME=COLUMN; the names are datetime, open_price, "),
        (["close=x"], r"--map: 'close=x' is not NAME=COLUMN"),
        (["volume=a", "volume=b"], "--map: volume is given twice"),
        (["datetime="], "--map: datetime cannot be without a column"),
        (["volume=Meng"], "file: it has no column 'Meng', as --map says: its columns are 'Zeit', 'Auf'"),
        ([*MAPPINGS[:5], "volume=Zu"], "file: --map gives one of its columns to two names"),
    ],
)
def test_names_and_columns_that_are_not_known_are_refused(
    tmp_path: Path, mappings: list[str], reason: str
) -> None:
    with pytest.raises(InvalidInput, match=reason):
        read_mapped(tmp_path, csv_of(*ODD), *mappings)


def test_formats_without_names_are_refused(tmp_path: Path) -> None:
    with pytest.raises(
        InvalidInput, match="--map is for files that name their columns, and its format is freq"
    ):
        read_mapped(tmp_path, json.dumps([[time_s, 2, 3, 1, 2.5, 10] for time_s in TIMES]), "volume=")


# --- the last bits of highs and lows


@given(st.floats(1e-8, 1e8), st.floats(0.5, 2), st.sampled_from([1 - 4e-16, 1 + 4e-16, 1 - 9e-13, 1 + 9e-13]))
def test_edges_that_are_off_by_the_last_bits_are_set_right(
    read: Read, open_: float, ratio: float, off: float
) -> None:
    close = open_ * ratio
    high, low = max(open_, close) * off, min(open_, close) / off
    content = HEADER + "".join(f"{time_s},{open_!r},{high!r},{low!r},{close!r},1\n" for time_s in TIMES)
    reading = read(content)
    assert reading.rejected == 0
    assert rows_of(reading)[0] == (
        *(TIMES[0], open_, max(open_, close, high), min(open_, close, low), close, 1),
    )


def test_edges_that_are_off_by_more_are_rejected_with_their_values(read: Read) -> None:
    good = [f"{time_s},2,3,1,2.5,10" for time_s in TIMES]
    bad = [
        f"{TIMES[0] - 3600},2,2.49999999999,1,2.5,10",
        f"{TIMES[0] - 7200},0.1,3,0.30000000000000004,2.5,10",
    ]
    reading = read(
        HEADER + "\n".join([*good, *bad, f"{TIMES[0] + 1},2,3,1,2.5,10", f"{TIMES[0]},x,3,1,2.5,10"])
    )
    assert rejected(reading) == [
        (26, "close is not between low and high"),
        (27, "open is not between low and high"),
        (28, "the time is not on the 1h grid"),
        (29, "open is 'x', not a finite number"),
    ]
    assert [rejection.values for rejection in reading.rejections] == [
        "2019-12-31 23:00 UTC, open 2.0, high 2.49999999999, low 1.0, close 2.5, volume 10.0",
        "2019-12-31 22:00 UTC, open 0.1, high 3.0, low 0.30000000000000004, close 2.5, volume 10.0",
        "2020-01-01T00:00:01, open 2.0, high 3.0, low 1.0, close 2.5, volume 10.0",
        "",
    ]
