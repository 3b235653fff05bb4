"""Longer candles are refused whole, for row by row they would look right; shorter ones make hours."""

from pathlib import Path

import pytest

from services.data.readers.detect import read_file
from services.shared.errors import InvalidInput
from services.shared.interval import Interval
from tests.candle_making import START_S
from tests.data.conftest import NOW_S, Read, refusal, rows_of

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
    times = [START_S + 3600 * hour for hour in range(0, 400, 24)] + [START_S + 3600 * 401]
    assert len(read_file(written(tmp_path, times), Interval.HOUR_1, now_s=NOW_S).candles) == len(times)


def test_a_few_candles_may_be_far_apart(tmp_path: Path) -> None:
    file = written(tmp_path, [START_S + 86_400 * number for number in range(5)])
    assert len(read_file(file, Interval.HOUR_1, now_s=NOW_S).candles) == 5


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
    reading = read(minutes(4 * parts - 1, length, (parts + 1,)))
    assert (reading.length_s, reading.incomplete, reading.rejected) == (60 * length, 2, 0)
    volume = float(f"{parts / 10:.1f}")  # a sum of decimals: ten times 0.1 is 1
    assert rows_of(reading) == [
        (START_S + 3600 * h, 100 + n, 200 + n + parts - 1, 50 + n, 101 + n + parts - 1, volume)
        for h, n in ((0, 0), (2, 2 * parts))
    ]


def test_a_few_wrong_times_do_not_make_candles_shorter(read: Read) -> None:
    times = [START_S + 3600 * hour for hour in range(20)] + [START_S + 1800, START_S + 5400, START_S + 60]
    reading = read(HEADER + "".join(f"{time_s},1,1,1,1,1\n" for time_s in times))
    assert (reading.length_s, len(reading.candles), reading.rejected) == (3600, 20, 3)
    reading = read(minutes(180).replace(f"{START_S + 600},", f"{START_S + 614},"))
    assert (reading.length_s, len(reading.candles), reading.rejected, reading.incomplete) == (60, 2, 1, 1)


def test_minutes_that_make_no_hour_are_told_in_one_line(read: Read) -> None:
    assert refusal(read, minutes(59)) == "its 59 candles are 1 minute long: they make no whole one of 1h"


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
