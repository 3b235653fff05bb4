"""Longer candles are refused whole, for row by row they would look right; shorter ones make hours."""

import io
import json
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from backcast_engine.breaks import find_breaks
from backcast_engine.errors import InvalidInput
from backcast_engine.interval import Interval
from services.ingest.detect import read_file
from services.ingest.identity.lengths import given_length
from tests.candle_making import START_S
from tests.ingest.conftest import NOW_S, Read, refusal, rows_of

HEADER = "time,open,high,low,close,volume\n"


def written(folder: Path, times_s: list[int]) -> Path:
    file = folder / "AUSDT.csv"
    file.write_text(HEADER + "".join(f"{time_s},1,1,1,1,1\n" for time_s in times_s))
    return file


@pytest.mark.parametrize(
    ("step_s", "reason"),
    [
        (7, "most of its times are not on the 1h grid"),
        (45 * 60, "most of its times are not on the 1h grid"),
        (14_400, "4 hours long"),
        (86_400, "1 day long"),
        (7 * 86_400, "7 days long"),
    ],
)
def test_other_intervals_are_refused(tmp_path: Path, step_s: int, reason: str) -> None:
    file = written(tmp_path, [START_S + step_s * number for number in range(200)])
    with pytest.raises(InvalidInput, match=reason):
        read_file(file, Interval.HOUR_1, now_s=NOW_S)


def test_a_real_daily_file_is_refused(market_data: Path) -> None:
    with pytest.raises(InvalidInput, match="1 day long"):
        read_file(market_data / "csv-1d" / "BTCUSDT.csv.gz", Interval.HOUR_1, now_s=NOW_S)


def test_hours_with_gaps_are_taken(tmp_path: Path) -> None:
    hours = [hour for hour in range(400) if hour % 7 and hour % 3]
    times = [START_S + 3600 * hour for hour in hours if hour % 5 > 2] + [START_S + 3600 * 401]
    assert len(read_file(written(tmp_path, times), Interval.HOUR_1, now_s=NOW_S).candles) == len(times)


@pytest.mark.parametrize(("step", "said"), [(24, "1 day"), (4, "4 hours")])
def test_an_odd_time_does_not_make_longer_candles_hours(tmp_path: Path, step: int, said: str) -> None:
    # Daily candles of a country are an hour earlier in summer.
    hours = [hour - (40 * step < hour < 60 * step) for hour in range(0, 100 * step, step)]
    # Some rows behind them are of hours.
    for more in ([], [hours[-1] + hour for hour in range(1, 40)]):
        file = written(tmp_path, [START_S + 3600 * hour for hour in (*hours, *more)])
        with pytest.raises(InvalidInput, match=f"its candles are {said} long"):
            read_file(file, Interval.HOUR_1, now_s=NOW_S)


# --- few rows


@pytest.mark.parametrize(
    ("hours", "reason"),
    [
        ((0,), "its one candle leaves open how long candles are, and neither a closing time nor the name"),
        ((0, 24), "its 2 candles leave open"),
        ((0, 4, 12), "its 3 candles leave open"),
        ((0, 24, 48, 72, 96), "its candles are 1 day long"),
        ((0, 8, 16), "its candles are 8 hours long"),
    ],
)
def test_few_candles_that_may_be_longer_are_refused(
    tmp_path: Path, hours: tuple[int, ...], reason: str
) -> None:
    file = written(tmp_path, [START_S + 3600 * hour for hour in hours])
    with pytest.raises(InvalidInput, match=reason):
        read_file(file, Interval.HOUR_1, now_s=NOW_S)
    # The user decides.
    reading = read_file(file, Interval.HOUR_1, now_s=NOW_S, length_s=3600)
    assert (len(reading.candles), reading.length_s) == (len(hours), 3600)


def test_two_candles_an_hour_apart_are_not_longer(tmp_path: Path) -> None:
    file = written(tmp_path, [START_S, START_S + 3600, START_S + 7 * 3600])
    assert len(read_file(file, Interval.HOUR_1, now_s=NOW_S).candles) == 3


def binance_row(time_s: int, length_s: int, unit: int = 1000) -> list[str]:
    closing = (time_s + length_s) * unit - 1
    return [str(time_s * unit), "1", "2", "1", "2", "5", str(closing), "9", "3", "1", "1", "0"]


def as_csv(rows: list[list[str]], header: bool) -> str:
    names = "open_time,open,high,low,close,volume,close_time,quote_volume,count,a,b,ignore"
    return "\n".join([*([names] if header else []), *(",".join(row) for row in rows)]) + "\n"


def as_json(rows: list[list[str]], _: bool) -> str:
    return json.dumps([[int(row[0]), *row[1:6], int(row[6]), *row[7:]] for row in rows])


@pytest.mark.parametrize("unit", [1000, 10**6])
@pytest.mark.parametrize("header", [True, False])
@pytest.mark.parametrize("write", [as_csv, as_json])
def test_close_times_determine_the_length(
    read: Read, write: Callable[[list[list[str]], bool], str], header: bool, unit: int
) -> None:
    def content(length_s: int) -> str:
        return write([binance_row(START_S, length_s, unit)], header)

    reading = read(content(3600), length_s=None)
    assert (reading.length_s, rows_of(reading)) == (3600, [(START_S, 1, 2, 1, 2, 5)])
    for length_s, said in ((4 * 3600, "4 hours"), (8 * 3600, "8 hours"), (86_400, "1 day")):
        reason = refusal(read, content(length_s), length_s=None)
        assert reason == (
            f"its candles are {said} long: 1h cannot be made of them; "
            "import hourly or shorter ones, of which 4h, 1d and 1w are made"
        )
    assert len(read(content(86_400), length_s=3600).candles) == 1


@pytest.mark.parametrize(
    ("name", "close_time", "length_s"),
    [
        *(("close_time", "2024-01-01 00:59:59.999", 3600), ("Close time", "2024-01-01T00:59:59Z", 3600)),
        *(("time_period_end", "2024-01-01T01:00:00.0000000Z", 3600), ("close_time", "1704069000", 1800)),
        *(("EndTime", "01.01.2024 01:00", 3600), ("Close Time", "2024/01/01 00:30 UTC", 1800)),
    ],
)
def test_close_times_of_any_notation_are_read(read: Read, name: str, close_time: str, length_s: int) -> None:
    # The second row has no close time: not the fast way.
    rows = f"{START_S},1,1,1,1,1,{close_time}\n{START_S + 3600},1,1,1,1,1,\n"
    content = f"{HEADER.strip()},{name}\n{rows}"
    if length_s == 3600:
        assert len(read(content, length_s=None).candles) == 2
    else:
        reason = refusal(read, content, length_s=None)
        assert "its close time 30 minutes, the distances between its times 1 hour" in reason


def test_close_times_have_the_order_of_day_and_month_of_the_opening_times(read: Read) -> None:
    # Only the opening times go over midnight, in one order of day and month.
    rows = "05/01/2024 23:00,1,1,1,1,1,05/01/2024 23:30\n06/01/2024 00:00,1,1,1,1,1,\n"
    reason = refusal(read, f"{HEADER.strip()},close_time\n{rows}", length_s=None)
    assert "its close time 30 minutes, the distances between its times 1 hour" in reason


@pytest.mark.parametrize("close_time", [pa.timestamp("ms"), pa.timestamp("ns", "UTC"), pa.int64()])
def test_tables_have_close_times_too(read: Read, close_time: pa.DataType) -> None:
    def content(length_s: int) -> bytes:
        table = pa.table(
            {
                "time": pa.array([START_S]),
                **{name: pa.array([1.0]) for name in ("open", "high", "low", "close", "volume")},
                "close_time": pa.array([(START_S + length_s) * 1000 - 1])
                .cast(pa.timestamp("ms") if pa.types.is_timestamp(close_time) else pa.int64())
                .cast(close_time),
                "symbol": pa.array(["ABCUSDT"]).dictionary_encode(),
            }
        )
        sink = io.BytesIO()
        pq.write_table(table, sink)
        return sink.getvalue()

    reading = read(content(3600), length_s=None)
    assert (len(reading.candles), reading.symbol) == (1, "ABCUSDT")
    assert "4 hours long" in refusal(read, content(14_400), length_s=None)


def test_one_longer_candle_among_hours_is_found(read: Read) -> None:
    rows = [binance_row(START_S + 3600 * hour, 3600) for hour in range(40)]
    early = [*rows[:20], binance_row(START_S + 3600 * 20, 1200), *rows[21:]]
    assert len(read(as_csv(early, header=True), length_s=None).candles) == 40
    longer = [*rows, binance_row(START_S + 3600 * 40, 14_400)]
    reason = refusal(read, as_csv(longer, header=True), length_s=None)
    assert reason == "by its closing times, its candles differ in length: 1 hour of 40, 4 hours of 1"


@pytest.mark.parametrize(
    ("name", "stated"),
    [
        *(("AUSDT-8h-2024-01-01.csv", "8 hours"), ("AUSDT, 240.csv", "4 hours"), ("AUSDT_1D.csv", "1 day")),
        *(("AUSDT_H4.csv", "4 hours"), ("candles 4h.csv", "4 hours"), ("AUSDT-1M.csv", "30 days")),
        ("4h/AUSDT.csv", "4 hours"),
    ],
)
def test_a_name_that_states_another_length_is_refused(tmp_path: Path, name: str, stated: str) -> None:
    file = tmp_path / name
    file.parent.mkdir(exist_ok=True)
    for count in (1, 2, 30):
        file.write_text(HEADER + "".join(f"{START_S + 3600 * hour},1,1,1,1,1\n" for hour in range(count)))
        with pytest.raises(InvalidInput) as caught:
            read_file(file, Interval.HOUR_1, now_s=NOW_S)
        source = "its folder" if "/" in name else "its name"
        assert (
            f"{stated} long" if count == 1 else f"{source} {stated}, the distances between its times 1 hour"
        ) in str(caught.value)
        assert len(read_file(file, Interval.HOUR_1, now_s=NOW_S, length_s=3600).candles) == count


@pytest.mark.parametrize(
    "name", ["AUSDT-1h.csv", "AUSDT, 60.csv", "AUSDT_H1.csv", "1h/AUSDT.csv", "a_hour.csv"]
)
def test_a_name_says_that_one_candle_is_an_hour(tmp_path: Path, name: str) -> None:
    file = tmp_path / name
    file.parent.mkdir(exist_ok=True)
    file.write_text(f"{HEADER}{START_S},1,1,1,1,1\n")
    if name == "a_hour.csv":  # not a name in the grammar: its words are only words
        with pytest.raises(InvalidInput, match="leaves open"):
            read_file(file, Interval.HOUR_1, now_s=NOW_S)
    else:
        assert len(read_file(file, Interval.HOUR_1, now_s=NOW_S).candles) == 1


@pytest.mark.parametrize(
    ("text", "length_s"),
    [("1m", 60), ("30m", 1800), ("60m", 3600), ("1h", 3600), ("M5", 300), ("15min", 900), ("1H", 3600)],
)
def test_a_length_can_be_given(text: str, length_s: int) -> None:
    assert given_length(text, Interval.HOUR_1, "--interval") == length_s


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        *(("4h", "4 hours is longer than 1 hour: hours cannot be made of it"), ("1M", "30 days is longer")),
        *(("7m", "1 hour is not a whole number of 7 minutes"), ("30s", "not a whole number of")),
        *(("60", "'60' is no length of candles"), ("", "'' is no length"), ("0m", "'0m' is no length")),
    ],
)
def test_another_length_is_refused(text: str, reason: str) -> None:
    with pytest.raises(InvalidInput, match=f"^--interval: .*{reason}"):
        given_length(text, Interval.HOUR_1, "--interval")


def test_short_archive_files_of_longer_candles_are_refused(import_cases: Path) -> None:
    files = sorted((import_cases / "short-files-of-longer-candles" / "tree").iterdir())
    assert len(files) == 12
    for file in files:
        if "-1h-" in file.name:
            assert len(read_file(file, Interval.HOUR_1, now_s=NOW_S).candles) == 24
            continue
        with pytest.raises(InvalidInput, match=r"(4 hours|8 hours|1 day) long: 1h cannot be made of them"):
            read_file(file, Interval.HOUR_1, now_s=NOW_S)


# --- shorter candles


def minutes(count: int, length: int = 1, missing: tuple[int, ...] = ()) -> str:
    return HEADER + "".join(
        f"{START_S + 60 * length * n},{100 + n},{200 + n},{50 + n},{101 + n},0.1\n"
        for n in range(count)
        if n not in missing
    )


@pytest.mark.parametrize("length", [1, 3, 5, 15, 30])
def test_shorter_candles_make_hours_of_all_their_parts(read: Read, length: int) -> None:
    parts = 60 // length
    # The second hour lacks one, the fourth is not over.
    reading = read(minutes(4 * parts - 1, length, (parts + 1,)), length_s=None)
    assert (reading.length_s, reading.incomplete, reading.rejected) == (60 * length, 2, 0)
    volume = float(f"{parts / 10:.1f}")  # a sum of decimals: ten times 0.1 is 1
    assert rows_of(reading) == [
        (START_S + 3600 * h, 100 + n, 200 + n + parts - 1, 50 + n, 101 + n + parts - 1, volume)
        for h, n in ((0, 0), (2, 2 * parts))
    ]


def test_a_few_wrong_times_do_not_make_candles_shorter(read: Read) -> None:
    times = [START_S + 3600 * hour for hour in range(20)] + [START_S + 1800, START_S + 5400, START_S + 60]
    reading = read(HEADER + "".join(f"{time_s},1,1,1,1,1\n" for time_s in times), length_s=None)
    assert (reading.length_s, len(reading.candles), reading.rejected) == (3600, 20, 3)
    reading = read(minutes(180).replace(f"{START_S + 600},", f"{START_S + 614},"), length_s=None)
    assert (reading.length_s, len(reading.candles), reading.rejected, reading.incomplete) == (60, 2, 1, 1)


def test_minutes_that_make_no_hour_are_reported_in_one_line(read: Read) -> None:
    reason = refusal(read, minutes(59), length_s=None)
    assert reason == "its 59 candles are 1 minute long: too few for a whole candle of 1h"


@pytest.mark.parametrize(
    ("now_s", "taken", "still_open", "in_future"),
    [
        (START_S + 3 * 3600, 3, 0, 2),
        (START_S + 3 * 3600 - 1, 2, 1, 2),
        (START_S + 5 * 3600 - 1, 4, 1, 0),
        (START_S + 5 * 3600, 5, 0, 0),
        (START_S - 1, 0, 0, 5),
    ],
)
def test_candles_that_have_not_ended_are_left_out(
    read: Read, now_s: int, taken: int, still_open: int, in_future: int
) -> None:
    content = HEADER + "".join(f"{START_S + 3600 * n},1,1,1,1,1\n" for n in range(5))
    reading = read(content, now_s=now_s)
    in_future -= now_s == START_S + 3 * 3600  # it opens this very second
    still_open += now_s == START_S + 3 * 3600
    assert (len(reading.candles), reading.still_open, reading.rejected) == (taken, still_open, in_future)
    assert all("is in the future" in rejection.reason for rejection in reading.rejections)


# --- longer candles among hours


@pytest.mark.parametrize(
    ("hourly", "longer", "step", "said"),
    [
        (100, 99, 24, "from 2024-01-06 00:00 UTC to 2024-04-13 00:00 UTC its candles are 1 day apart"),
        (100, 60, 4, "from 2024-01-05 0[48]:00 UTC to .* its candles are 4 hours apart"),
        (30, 28, 8, "from 2024-01-02 08:00 UTC to .* its candles are 8 hours apart"),
        (100, 6, 12, "from 2024-01-05 12:00 UTC to 2024-01-08 00:00 UTC its candles are 12 hours apart"),
    ],
)
def test_longer_candles_among_hours_are_refused(
    tmp_path: Path, hourly: int, longer: int, step: int, said: str
) -> None:
    first = -(-hourly // step) * step
    hours = [*range(hourly), *range(first, first + longer * step, step)]
    file = written(tmp_path, [START_S + 3600 * hour for hour in hours])
    with pytest.raises(InvalidInput, match=f"{said}, and others 1 hour: give --interval"):
        read_file(file, Interval.HOUR_1, now_s=NOW_S)
    assert len(read_file(file, Interval.HOUR_1, now_s=NOW_S, length_s=3600).candles) == len(set(hours))
    # The older ones may be the longer ones.
    file = written(tmp_path, [START_S + 3600 * (hours[-1] - hour) for hour in hours])
    with pytest.raises(InvalidInput, match=r"its candles are .* apart, and others 1 hour: give --interval"):
        read_file(file, Interval.HOUR_1, now_s=NOW_S)


def test_gaps_of_the_same_length_are_gaps(tmp_path: Path) -> None:
    # Four in a row; and as many as there may be, with an hour between them.
    hours = [*range(50), *range(54, 71, 5), *range(75, 100), *(h for h in range(200, 400) if h % 6 < 2)]
    file = written(tmp_path, [START_S + 3600 * hour for hour in hours])
    assert len(read_file(file, Interval.HOUR_1, now_s=NOW_S).candles) == len(hours)
    hours = [*range(50), *range(52, 64, 4), 66, *range(70, 82, 4), 83]
    file = written(tmp_path, [START_S + 3600 * hour for hour in hours])
    assert len(read_file(file, Interval.HOUR_1, now_s=NOW_S).candles) == len(hours)


def test_a_refusal_of_the_length_names_rejected_rows(read: Read) -> None:
    rows = [f"{START_S + 3600 * hour},1,1,1,1,1" for hour in range(4)]
    rows[1], rows[2] = rows[1].replace(",1,", ",x,", 1), rows[2].replace(",1,", ",-1,", 1)
    reason = refusal(read, HEADER + "\n".join([rows[0], *rows[1:3]]) + "\n", length_s=None)
    assert reason.startswith("its one candle leaves open how long candles are")
    assert reason.endswith(
        "give --interval; 2 rows were rejected, the first in line 3: open is 'x', not a finite number"
    )


# --- breaks within an hour


def priced(prices: list[float]) -> str:
    return HEADER + "".join(
        f"{START_S + 60 * minute},{price},{price * 1.01},{price * 0.99},{price * 1.001},1\n"
        for minute, price in enumerate(prices)
    )


def test_a_split_within_an_hour_is_a_break_and_no_candle(read: Read) -> None:
    reading = read(priced([100.0] * 630 + [100_000.0] * 630), length_s=None)
    assert (reading.with_jump, reading.incomplete, len(reading.candles)) == (1, 0, 20)
    before_s, after_s = START_S + 9 * 3600, START_S + 11 * 3600
    (found,) = find_breaks(reading.candles)
    assert (found.before_s, found.after_s) == (before_s, after_s)
    # At a full hour, the break is between two hours.
    reading = read(priced([100.0] * 600 + [100_000.0] * 600), length_s=None)
    assert (reading.with_jump, len(reading.candles)) == (0, 20)
    assert [found.after_s for found in find_breaks(reading.candles)] == [START_S + 10 * 3600]


def test_a_crash_within_an_hour_is_a_candle(read: Read) -> None:
    prices = [100.0] * 630 + [100.0 * 0.8**minute for minute in range(30)] + [0.1] * 60
    reading = read(priced(prices), length_s=None)
    assert (reading.with_jump, len(reading.candles)) == (0, 12)
