"""The order of day and month, and what else dates may leave open."""

import pytest

from tests.ingest.conftest import Read, refusal, rows_of
from tests.ingest.written_candles import NAMES, START_S, candles, stamp, table


@pytest.mark.parametrize("format_", ["%d/%m/%Y %H:%M", "%m/%d/%Y %H:%M"])
def test_an_order_is_right_in_which_hours_run_over_midnight(read: Read, format_: str) -> None:
    early = candles(48, 1_704_067_200)  # 1 and 2 January: 01/02 could be February
    rows = [[stamp(format_)(row[0]), *map(str, row[1:])] for row in early]
    assert rows_of(read(table([[*NAMES], *rows]))) == early


@pytest.mark.parametrize("rows", [slice(24, 48), slice(0, 48, 24)], ids=["one day", "days"])
def test_an_ambiguous_order_is_refused_with_line_value_and_forms(read: Read, rows: slice) -> None:
    early = [[stamp("%d/%m/%Y %H:%M")(row[0]), *map(str, row[1:])] for row in candles(48, 1_704_067_200)]
    reason = refusal(read, table([[*NAMES], *early[rows]]))
    number = 2 if rows == slice(24, 48) else 3
    assert reason.startswith(
        f"line {number}: it is not clear whether the day or the month is first in '02/01/2024"
    )
    assert reason.endswith("write 2024-01-31 13:00, or an epoch")


def test_dates_that_contradict_each_other_are_refused(read: Read) -> None:
    rows = [["13/01/2024 00:00", "1", "1", "1", "1", "1"], ["01/14/2024 00:00", "1", "1", "1", "1", "1"]]
    assert "it is not clear whether the day or the month" in refusal(read, table([[*NAMES], *rows]))


@pytest.mark.parametrize("format_", ["%m.%d.%Y %H:%M", "%d.%m.%Y %H:%M", "%Y/%d/%m %H:%M", "%Y/%m/%d %H:%M"])
@pytest.mark.parametrize("hours", [48, 10 * 24, 20 * 24, 60 * 24])
def test_dates_determine_their_order_where_another_one_is_usual(read: Read, format_: str, hours: int) -> None:
    rows = candles(hours, 1_704_067_200)  # 2024-01-01
    content = table([[*NAMES], *([stamp(format_)(row[0]), *map(str, row[1:])] for row in rows)])
    reading = read(content)
    assert (reading.rejections, rows_of(reading)) == ((), rows)


@pytest.mark.parametrize("format_", ["%m.%d.%Y", "%d.%m.%Y", "%Y/%d/%m", "%Y/%m/%d"])
def test_one_date_in_another_order_is_not_passed_over(read: Read, format_: str) -> None:
    rows = [
        [stamp(f"{format_} %H:%M")(row[0]), *map(str, row[1:])] for row in candles(20 * 24, 1_704_067_200)
    ]
    swapped = format_.translate(str.maketrans("dm", "md"))
    rows[300][0] = stamp(f"{swapped} %H:%M")(1_704_067_200 + 300 * 3600)
    assert "it is not clear whether the day or the month is first" in refusal(read, table([[*NAMES], *rows]))


def test_eight_digits_are_a_date(read: Read) -> None:
    days = [(START_S + 86_400 * day, *row[1:]) for day, row in enumerate(candles(24))]
    content = table([[*NAMES], *([stamp("%Y%m%d")(row[0]), *map(str, row[1:])] for row in days)])
    assert rows_of(read(content)) == days
    assert "its candles are 1 day long" in refusal(read, content, length_s=None)
    broken = content.replace("\n", "\nx,1,1,1,1,1\n", 1)
    assert rows_of(read(broken)) == days


@pytest.mark.parametrize("format_", ["%Y%m%d%H", "%Y%m%d%H%M"])
def test_dates_with_their_hours_in_digits_alone_are_named(read: Read, format_: str) -> None:
    rows = [[stamp(format_)(row[0]), *map(str, row[1:])] for row in candles()]
    for content in (table([[*NAMES], *rows]), table(rows)):
        reason = refusal(read, content)
        assert f"the time '{rows[0][0]}' looks like a date with its hour in digits alone" in reason
        assert reason.startswith("line ")
        assert "write 2024-01-31 13:00, 20240131 1300, or an epoch" in reason


def test_local_times_are_read_with_their_offset_only(read: Read) -> None:
    header = ["Local time", *NAMES[1:]]
    rows = [[stamp("%d.%m.%Y %H:%M:%S.000")(row[0] + 7200), *map(str, row[1:])] for row in candles()]
    assert "have no offset from UTC" in refusal(read, table([header, *rows]))
    assert rows_of(read(table([header, *([f"{row[0]} GMT+0200", *row[1:]] for row in rows)]))) == candles()
