"""Files of candles are read to the last digit, and errors name the line."""

import csv
import gzip
import io
import json
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backcast_engine.errors import InvalidInput
from backcast_engine.interval import Interval
from services.domain.conflict_rule import ConflictRule
from services.ingest.columns.time_column import MAX_TIME_S, read_times
from services.ingest.detect import read_file
from services.ingest.formats.delimited import MAX_LINE_CHARACTERS
from tests.ingest.conftest import GOOD, HEADER, NOW_S, OHLCV, START_S, Read, iso, refusal, rejected, rows_of
from tests.ingest.written_candles import candles

ROWS = candles(24, START_S)
LONG = "1" * MAX_LINE_CHARACTERS

# --- real files


def exact(text: str) -> float:
    """Return the nearest double by arithmetic of integers, not by the parser that is tested."""
    fraction = Fraction(text)
    return fraction.numerator / fraction.denominator


@pytest.mark.parametrize(
    ("folder", "file_format", "count"),
    [
        ("csv-1h", "plain-csv", 11),
        ("binance-vision", "binance-csv", 19),
        ("freqtrade-json-1h", "freqtrade-json", 47),
        ("kraken-csv", "kraken-csv", 2),
    ],
)
def test_real_files_are_read_whole_and_exactly(
    market_data: Path, folder: str, file_format: str, count: int
) -> None:
    paths = sorted((market_data / folder).iterdir())
    assert len(paths) == count
    for path in paths:
        reading = read_file(path, Interval.HOUR_1, now_s=NOW_S)
        assert (reading.format, reading.rejections, reading.duplicates) == (file_format, (), 0), path
        assert reading.symbol == path.name.split("-")[0].split(".")[0].removesuffix("_60").replace("_", "")
        text = gzip.decompress(path.read_bytes()).decode()
        if file_format == "freqtrade-json":
            records: list[list[str]] = json.loads(text, parse_float=str, parse_int=str)
        else:
            records = [row for row in csv.reader(io.StringIO(text)) if row[1] != "open"]
        assert len(reading.candles) == len(records)
        step = max(1, len(records) // 1000)
        for record, row in list(zip(records, rows_of(reading), strict=True))[::step]:
            assert row[1:] == tuple(map(exact, record[1:6])), path
            assert record[0].startswith((str(row[0]), iso(row[0]).replace("T", " "))), path


def test_full_histories_have_the_hours_of_the_readme(market_data: Path) -> None:
    candles = read_file(market_data / "csv-1h" / "BTCUSDT.csv.gz", Interval.HOUR_1, now_s=NOW_S).candles
    assert len(candles) == 55_779
    assert iso(int(candles.open_time_s[0])) == "2020-01-01T00:00:00+00:00"
    assert iso(int(candles.open_time_s[-1])) == "2026-05-14T10:00:00+00:00"
    assert (candles.open_time_s[-1] - candles.open_time_s[0]) // 3600 + 1 - len(candles) == 32
    assert np.count_nonzero(candles.volume == 0) == 2
    matic = read_file(market_data / "csv-1h" / "MATICUSDT.csv.gz", Interval.HOUR_1, now_s=NOW_S).candles
    assert iso(int(matic.open_time_s[-1])).startswith("2024-09")
    chz = read_file(
        market_data / "freqtrade-json-1h" / "CHZ_USDT-1h.json.gz", Interval.HOUR_1, now_s=NOW_S
    ).candles
    gaps = np.diff(chz.open_time_s) // 3600 - 1
    assert (int(np.count_nonzero(gaps)), int(gaps.sum())) == (4, 7)


def test_daily_files_are_the_days_of_hourly_ones(market_data: Path) -> None:
    hours = read_file(market_data / "csv-1h" / "ETHUSDT.csv.gz", Interval.HOUR_1, now_s=NOW_S).candles
    days = read_file(market_data / "csv-1d" / "ETHUSDT.csv.gz", Interval.DAY_1, now_s=NOW_S)
    assert days.rejections == ()
    starts = np.flatnonzero(np.diff(hours.open_time_s // 86_400, prepend=-1))
    complete = slice(0, len(starts) - 1)
    candles = days.candles
    assert (candles.open_time_s == hours.open_time_s[starts] // 86_400 * 86_400).all()
    assert (candles.open == hours.open[starts]).all()
    assert (candles.high == np.maximum.reduceat(hours.high, starts))[complete].all()
    assert (candles.low == np.minimum.reduceat(hours.low, starts))[complete].all()
    assert (candles.close[:-1] == hours.close[starts[1:] - 1]).all()


def test_microseconds_of_2025_and_headers_of_2023_give_the_months_of_the_names(market_data: Path) -> None:
    for path in (market_data / "binance-vision").iterdir():
        month = path.name.removesuffix(".csv.gz")[-7:]
        times = read_file(path, Interval.HOUR_1, now_s=NOW_S).candles.open_time_s.tolist()
        assert {iso(time_s)[:7] for time_s in times} == {month}
        assert iso(times[0]).startswith(f"{month}-01T00:00:00")


# --- rows that are rejected, by line


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("{t},abc,3,1,2.5,10", "open is 'abc', not a finite number"),
        (f"{{t}},{'7x' * 40},3,1,2.5,10", f"open is '{'7x' * 16}…', not a finite number"),
        ("{t},x,y,1,-2.5,z", "open is 'x', not a finite number"),
        ("x,y,3,1,2.5,10", "the time is 'x', not a time"),
        ("{t},2,nan,1,2.5,10", "high is 'nan', not a finite number"),
        ("{t},2,3,-inf,2.5,10", "low is '-inf', not a finite number"),
        ("{t},2,1e400,1,2.5,10", "high is '1e400', not a finite number"),
        ("{t},2,3,1,NULL,10", "close is 'NULL', not a finite number"),
        ("{t},2,3,1,2.5,", "volume is empty"),
        ("{t},2,3,1,2.5, ", "volume is empty"),
        ("{t},2,3,1,2.5,1_0", "volume is '1_0', not a finite number"),
        ("{t},٢,3,1,2.5,10", "open is '٢', not a finite number"),
        ("{t},2,3,0,2.5,10", "low is not positive"),
        ("{t},-2,3,1,2.5,10", "open is not positive"),
        ("{t},2,3,1,2.5,-1e-9", "volume is negative"),
        ("{t},2,1,3,2.5,10", "high is below low"),
        ("{t},3.00000000001,3,1,2.5,10", "open is not between low and high"),
        ("{t},2,3,1,0.99999999999,10", "close is not between low and high"),
        ("2020-01-01T01:30:00Z,2,3,1,2.5,10", "the time is not on the 1h grid"),
        ("2020-01-01T10:28:14Z,2,3,1,2.5,10", "the time is not on the 1h grid"),
        ("1577840400001,2,3,1,2.5,10", "the time '1577840400001' is not a whole second"),
        ("yesterday,2,3,1,2.5,10", "the time is 'yesterday', not a time"),
        ("2019-10-17 13-AM,2,3,1,2.5,10", "the time is '2019-10-17 13-AM', not a time"),
        ("2020-01-01x01:00,2,3,1,2.5,10", "the time is '2020-01-01x01:00', not a time"),
        ("2020-02-30,2,3,1,2.5,10", "the time is '2020-02-30', not a time"),
        ("inf,2,3,1,2.5,10", "the time is 'inf', not a time"),
        ("١٥٧٧٨٤٠٤٠٠,2,3,1,2.5,10", "the time is '١٥٧٧٨٤٠٤٠٠', not a time"),
        (",2,3,1,2.5,10", "the time is empty"),
        ("1969-12-31T23:00:00Z,2,3,1,2.5,10", "the time '1969-12-31T23:00:00Z' is before 1970"),
        ("-3600,2,3,1,2.5,10", "the time '-3600' is before 1970"),
        ("9999-12-31T23:00:00Z,2,3,1,2.5,10", "the time '9999-12-31T23:00:00Z' is after 2262"),
        ("9223372800,2,3,1,2.5,10", "the time '9223372800' is after 2262"),
        ("1e300,2,3,1,2.5,10", "the time '1e300' is after 2262"),
        (f"{'9' * 60},2,3,1,2.5,10", f"the time '{'9' * 32}…' is after 2262"),
        (f"{'9' * 6000},2,3,1,2.5,10", f"the time is '{'9' * 32}…', not a time"),
        ("0001-01-01T00:00:00+23:00,2,3,1,2.5,10", "the time '0001-01-01T00:00:00+23:00' is before 1970"),
        ("{t},2,3,1,2.5", "the number of fields is 5, not 6"),
        ("{t},2,3,1,2.5,10,11", "the number of fields is 7, not 6"),
        (f"{{t}},{OHLCV},{{t}},{OHLCV}", "the number of fields is 12, not 6"),
        ('"{t},2,3,1,2.5,10', "the number of fields is 1, not 6"),
        (f"{{t}},{LONG},3,1,2,1", f"the line is {MAX_LINE_CHARACTERS + 34} characters long"),
    ],
)  # fmt: skip
def test_a_bad_row_is_named_and_the_others_are_taken(read: Read, row: str, reason: str) -> None:
    row = row.replace("{t}", iso(START_S + 3600))
    after = f"{iso(START_S + 7200)},{OHLCV}\n"
    for blank in ("", "\n"):  # a blank line counts
        reading = read(f"{HEADER}{GOOD}{blank}{row}\n{after}")
        assert rejected(reading) == [(3 + len(blank), reason)]
        assert rows_of(reading) == [(START_S, 2, 3, 1, 2.5, 10), (START_S + 7200, 2, 3, 1, 2.5, 10)]


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        ('[1577840400000, "x", 3, 1, 2.5, 10]', "open is 'x', not a finite number"),
        ("[1577840400000, 2, NaN, 1, 2.5, 10]", "high is 'NaN', not a finite number"),
        ("[1577840400000, 2, 3, 1, null, 10]", "close is 'null', not a finite number"),
        ("[1577840400000, true, 3, 1, 2.5, 10]", "open is 'true', not a finite number"),
        ("[1577840400000, [[2]], 3, 1, 2.5, 10]", "open is '[…]', not a finite number"),
        ("[1577840400000, 2, 1E+400, 1, 2.5, 10]", "high is '1E+400', not a finite number"),
        ("[1577840400000, 2, 3, 1, 2.5]", "the number of fields is 5, not 6"),
        ("[1577840400000, 2, 3, 1, 2.5, 10, 11]", "the number of fields is 7, not 6"),
        (f"[{'1' * 5000}, 2, 3, 1, 2.5, 10]", f"the time is '{'1' * 32}…', not a time"),
        ('{"t": 1577840400000}', "the record is '{…}', not a list"),
    ],
)
def test_a_bad_record_is_named_by_its_number(read: Read, record: str, reason: str) -> None:
    good = [[row[0] * 1000, *row[1:]] for row in ROWS]
    before, after = json.dumps(good[:1])[:-1], json.dumps(good[2:])[1:]
    reading = read(f"{before},\n\n{record}, {after}")
    assert rejected(reading) == [(2, reason)]
    assert rows_of(reading) == [ROWS[0], *ROWS[2:]]


def test_headerless_files_are_found_although_their_first_line_is_bad(read: Read) -> None:
    binance = f"{START_S}000,{OHLCV},{START_S + 3599}999,1,2,3,4,ignored\n"
    reading = read(f"bad,{binance}{binance}")
    assert (reading.format, [rejection.line for rejection in reading.rejections]) == ("binance-csv", [1])
    assert rows_of(reading) == [(START_S, 2, 3, 1, 2.5, 10)]
    kraken = "".join(f"{','.join(map(str, row))},7\n" for row in ROWS)
    reading = read(f"bad,{kraken}")
    assert (reading.format, [rejection.line for rejection in reading.rejections]) == ("kraken-csv", [1])
    assert rows_of(reading) == ROWS[1:]
    reading = read(json.dumps([[1, 2], *([row[0] * 1000, *row[1:]] for row in ROWS)]))
    assert (reading.format, rejected(reading)) == (
        "freqtrade-json",
        [(1, "the number of fields is 2, not 6")],
    )


def test_a_file_of_bad_rows_only_gives_no_candles(read: Read) -> None:
    reading = read(f"{HEADER}x,{OHLCV}\n1,2\n")
    assert len(reading.candles) == 0
    assert [rejection.line for rejection in reading.rejections] == [2, 3]


# --- order and duplicates


@pytest.mark.parametrize("rule", [ConflictRule.REPLACE, ConflictRule.KEEP])
@given(rows=st.lists(st.tuples(st.integers(0, 4), st.sampled_from(["2", "2.0", "2.5", "bad"])), min_size=1))
def test_any_order_becomes_ascending_and_the_last_or_the_first_of_an_hour_stays(
    read: Read, rows: list[tuple[int, str]], rule: ConflictRule
) -> None:
    content = HEADER + "".join(f"{iso(START_S + 3600 * hour)},{p},3,1,2,0\n" for hour, p in rows)
    reading = read(content, rule)
    good = [(line, hour, float(price)) for line, (hour, price) in enumerate(rows, 2) if price != "bad"]
    # Of pairs with the same key, a dict keeps the last one.
    taken = {
        hour: (line, price) for line, hour, price in (good if rule is ConflictRule.REPLACE else good[::-1])
    }
    expected = {
        line: "open is 'bad', not a finite number"
        for line, (_, price) in enumerate(rows, 2)
        if price == "bad"
    }
    for line, hour, price in good:
        if price != taken[hour][1]:
            time = f"2020-01-01 0{hour}:00 UTC"
            expected[line] = f"line {taken[hour][0]} has other values for {time} and was taken"
    assert rejected(reading) == sorted(expected.items())
    assert reading.rejected == len(expected)
    assert reading.conflicts == sum("taken" in reason for reason in expected.values())
    assert reading.duplicates == len(rows) - len(expected) - len(taken)
    assert rows_of(reading) == [(START_S + 3600 * h, taken[h][1], 3, 1, 2, 0) for h in sorted(taken)]


def test_with_fail_a_conflict_refuses_the_file_and_names_both_lines(read: Read) -> None:
    again, other = f"{HEADER}{GOOD}{GOOD}", f"{HEADER}{GOOD}\n{GOOD.replace('2.5', '2.6')}"
    assert read(again, ConflictRule.FAIL).duplicates == 1
    with pytest.raises(InvalidInput, match="lines 2 and 4 have different values for 2020-01-01 00:00 UTC"):
        read(other, ConflictRule.FAIL)


def test_json_has_records_and_no_lines(read: Read) -> None:
    records = [[row[0] * 1000, *row[1:]] for row in ROWS]
    content = (
        f"[{json.dumps(records[0])},\n\n{json.dumps([*records[0][:5], 1e4])}, {json.dumps(records[1:])[1:]}"
    )
    assert rejected(read(content)) == [
        (1, "record 2 has other values for 2020-01-01 00:00 UTC and was taken")
    ]
    with pytest.raises(InvalidInput, match="records 1 and 2 have different values"):
        read(content, ConflictRule.FAIL)


# --- the plain CSV's header, and ways of writing times


@pytest.mark.parametrize("name", ["timestamp", "Date", "DATETIME", "time", "open_time", "Open Time", "unix"])
def test_columns_are_found_by_name_in_any_order_and_case(read: Read, name: str) -> None:
    reading = read(
        f"\ufeffvolume,trades,Low,{name},HIGH, close ,open,trades\r\n10,7,1,{START_S},3,2.5,2,x\r\n"
    )
    assert (reading.format, reading.rejections) == ("plain-csv", ())
    assert rows_of(reading) == [(START_S, 2, 3, 1, 2.5, 10)]


@pytest.mark.parametrize(
    "written",
    [
        *("2020-06-01T05:00:00Z", "2020-06-01 05:00:00", "2020-06-01T05:00", "2020-06-01 05:00:00.000+00:00"),
        *("2020-06-01T07:00:00+02:00", "2020-05-31T23:30:00-05:30", " 2020-06-01T05:00:00 "),
        *("1590987600", "1590987600000", "1590987600000000", "1590987600000000000"),
        *("1590987600.0", "1.5909876E12", "1590987600000.000"),
    ],
)
def test_times_of_any_notation_are_read(read: Read, written: str) -> None:
    # Row by row: the row before is written in another unit, or in another way.
    reading = read(f"{HEADER}{START_S}000,{OHLCV}\n{written},{OHLCV}\n")
    assert reading.rejections == ()
    assert reading.candles.open_time_s.tolist() == [START_S, 1_590_987_600]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_lines_of_all_systems_and_quotes_are_read(read: Read, end: str) -> None:
    quoted = f'"{iso(START_S)}","2","3","1","2.5","10"'
    reading = read(end.join([HEADER.strip(), quoted, "bad", f"{iso(START_S + 3600)},{OHLCV}"]))
    assert rejected(reading) == [(3, "the number of fields is 1, not 6")]
    assert reading.candles.open.tolist() == [2, 2]
    quoted_header = ",".join(f'"{name}"' for name in HEADER.strip().split(","))
    assert rows_of(read(f"{quoted_header}{end}{quoted}")) == rows_of(reading)[:1]


@pytest.mark.parametrize(
    ("text", "time_s"),
    [
        *((str(MAX_TIME_S), MAX_TIME_S), (str(MAX_TIME_S + 1), None), ("99999999999", None)),
        *(("100000000000", 10**8), ("100000000000000", 10**8), ("100000000000000000", 10**8)),
        *((f"{MAX_TIME_S}000000000", MAX_TIME_S), (f"{MAX_TIME_S + 1}000000000", None)),
    ],
)
def test_the_unit_of_an_epoch_is_detected_by_its_size(text: str, time_s: int | None) -> None:
    for column in ([text], [text, "bad"]):
        times, reasons = read_times(column)
        assert (0 in reasons) == (time_s is None)
        assert time_s is None or times[0] == time_s


@pytest.mark.parametrize(
    ("written", "hour"), [("12-AM", 0), ("01-AM", 1), ("11-AM", 11), ("12-PM", 12), ("11-PM", 23)]
)
def test_times_with_am_and_pm_are_read(read: Read, written: str, hour: int) -> None:
    reading = read(f"{HEADER}2020-01-01 {written},{OHLCV}\n")
    assert reading.candles.open_time_s.tolist() == [START_S + 3600 * hour]


def test_an_epoch_is_taken_where_there_is_a_date_too(read: Read) -> None:
    reading = read(f"date,unix,open,high,low,close,volume\n17.10.2019,{START_S},{OHLCV}\n")
    assert reading.candles.open_time_s.tolist() == [START_S]


@pytest.mark.parametrize("extra", ["trades", "a,b,c,d,e,f"])
def test_a_header_decides_where_rows_look_like_those_of_other_formats(read: Read, extra: str) -> None:
    # As many columns as Kraken's and Binance's, all numbers.
    width = len(extra.split(","))
    reading = read(f"{extra},close,open,low,high,volume,unix\n{'9,' * width}2.5,2,1,3,10,{START_S}\n")
    assert (reading.format, rows_of(reading)) == ("plain-csv", [(START_S, 2, 3, 1, 2.5, 10)])


def test_binance_files_have_a_header_or_none(read: Read) -> None:
    header = "open_time,open,high,low,close,volume,close_time,quote_volume,count,base,quote,ignore\n"
    row = f"{START_S}000000,{OHLCV},{START_S + 3599}999999,1,2,3,4,0\n"
    for content in (row, header + row):
        reading = read(content)
        assert (reading.format, reading.rejections) == ("binance-csv", ())
        assert rows_of(reading) == [(START_S, 2, 3, 1, 2.5, 10)]


@pytest.mark.parametrize("missing", ["open", "high", "low", "close", "volume"])
def test_a_missing_column_is_named(read: Read, missing: str) -> None:
    header = HEADER.replace(missing, "x")
    assert refusal(read, header + GOOD) == f"it has no column {missing}"


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        ("when,open,high,low,close,volume", "it has no column of the time, named one of "),
        ("time,open,high,low,close,volume,Open", "it has the column open twice"),
        ("time,open,high,low,close,volume,TIME", "it has the column time twice"),
        (
            "close_time,open,high,low,close,volume",
            "it has closing times of its candles, but no opening times",
        ),
        ("date,close", "it has no column open, high, low, volume"),
    ],
)
def test_an_ambiguous_header_is_refused(read: Read, header: str, reason: str) -> None:
    assert refusal(read, f"{header}\n{GOOD}").startswith(reason)
