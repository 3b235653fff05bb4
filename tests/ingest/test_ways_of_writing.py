"""The same candles, written in all the ways that people have: read as the same, or refused in a sentence."""

import csv
import io
import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backcast_engine.errors import InvalidInput
from backcast_engine.interval import Interval
from services.ingest.detect import read_file
from tests.ingest.conftest import NOW_S, Read, Row, refusal, rejected, rows_of

# The hours of 30 December to 2 January: no day of it can be a month, and a year changes.
START_S = 1_703_894_400  # 2023-12-30T00:00:00Z
HOURS = 96
NAMES = ("time", "open", "high", "low", "close", "volume")


def candles(hours: int = HOURS, start_s: int = START_S, seed: int = 1) -> list[Row]:
    """Make candles that follow each other, with prices of two decimals above and below a thousand."""
    random = np.random.default_rng(seed)
    closes = np.round(1000 * np.exp(np.cumsum(random.normal(0, 0.02, hours))), 2).tolist()
    opens = [1000.25, *closes[:-1]]
    return [
        (
            start_s + 3600 * hour,
            open_,
            round(max(open_, close) * 1.01 + 0.01, 2),
            round(min(open_, close) * 0.99 - 0.01, 2),
            close,
            round(0.125 + hour * 13.5, 3),
        )
        for hour, (open_, close) in enumerate(zip(opens, closes, strict=True))
    ]


def stamp(format_: str) -> Callable[[int], str]:
    return lambda time_s: datetime.fromtimestamp(time_s, UTC).strftime(format_)


TIMES: dict[str, Callable[[int], str]] = {
    **{
        format_: stamp(format_)
        for format_ in (
            *("%Y-%m-%d %H:%M:%S UTC", "%Y-%m-%d %H:%M GMT", "%Y-%m-%dT%H:%M:%S.0000000Z", "%Y/%m/%d %H:%M"),
            *(
                "%Y-%m-%dT%H:%M:%S.000000000Z",
                "%Y.%m.%d %H:%M",
                "%Y%m%d %H%M%S",
                "%Y%m%d %H:%M",
                "%Y%m%d%H%M%S",
            ),
            *("%Y-%m-%d %H:%M:%S+0000", "%Y-%m-%d %H:%M:%S +00:00", "%d/%m/%Y %H:%M", "%m/%d/%Y %I:%M:%S %p"),
            *(
                "%d.%m.%Y %H:%M:%S.000",
                "%d-%m-%Y %H:%M",
                "%m-%d-%Y %I:%M %p",
                "%d %b %Y %H:%M",
                "%d-%b-%Y %H:%M",
            ),
            *("%b %d %Y %I:%M %p", "%a, %d %b %Y %H:%M:%S GMT", "%d.%m.%Y %H:%M:%S.000 GMT+0000"),
        )
    },
    "s": str,
    "ms": lambda time_s: f"{time_s}000",
}
NUMBERS: dict[str, Callable[[float], str]] = {
    "1234.5": str,
    "1234,5": lambda number: str(number).replace(".", ","),
    "1,234.5": lambda number: f"{number:,}",
    "1.234,5": lambda number: f"{number:,}".translate(str.maketrans(",.", ".,")),
    "1 234.5": lambda number: f"{number:,}".replace(",", " "),
    "1 234,5": lambda number: f"{number:,}".translate(str.maketrans(",.", "\u00a0,")),
    "1'234.5": lambda number: f"{number:,}".replace(",", "'"),
}
HEADERS = [
    NAMES,
    ("Open Time", "Open", "High", "Low", "Close", "Volume"),
    ("OpenTime", "OPEN", "HIGH", "LOW", "CLOSE", "VOLUME"),
    ("Gmt time", "Open", "High", "Low", "Close", "Volume"),
    ("Date(UTC)", "o", "h", "l", "c", "v"),
    ("t", "o", "h", "l", "c", "v"),
    ("", "open", "high", "low", "close", "volume"),
    ("Unnamed: 0", "Open", "High", "Low", "Close", "Vol."),
    ("time_period_start", "price_open", "price_high", "price_low", "price_close", "volume_traded"),
    ("timestamp", "open_price", "high_price", "low_price", "close_price", "Volume_(ABC)"),
    ("<DATE>", "<OPEN>", "<HIGH>", "<LOW>", "<CLOSE>", "<VOL>"),
]


def table(rows: list[list[str]], separator: str = ",", quoting: int = csv.QUOTE_MINIMAL) -> str:
    text = io.StringIO()
    csv.writer(text, delimiter=separator, quoting=quoting, lineterminator="\n").writerows(rows)  # type: ignore[arg-type]
    return text.getvalue()


# --- separators, numbers, headers, times


@given(
    st.sampled_from(",;\t|"),
    st.sampled_from(sorted(TIMES)),
    st.sampled_from(sorted(NUMBERS)),
    st.sampled_from(HEADERS),
    st.permutations(range(6)),
    st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
)
def test_any_way_of_writing_gives_the_same_candles(
    read: Read,
    separator: str,
    time: str,
    number: str,
    header: tuple[str, ...],
    order: list[int],
    quoting: int,
    encoding: str,
) -> None:
    if header[0] in ("", "Unnamed: 0"):
        order = sorted(order)  # an index comes first
    cells = [
        list(header),
        *([TIMES[time](row[0]), *map(NUMBERS[number], row[1:])] for row in candles()),
    ]
    content = table([[row[place] for place in order] for row in cells], separator, quoting)
    reading = read(content.encode(encoding))
    assert reading.rejections == ()
    assert rows_of(reading) == candles()


def test_a_bad_cell_is_told_as_it_is_written(read: Read) -> None:
    rows = [[TIMES["%d/%m/%Y %H:%M"](row[0]), *map(NUMBERS["1.234,5"], row[1:])] for row in candles()]
    rows[10][2] = "1.23,45"
    rows[20][0] = "31/13/2023 05:00"
    reading = read(table([[*NAMES], *rows], ";"))
    assert rejected(reading) == [
        (12, "high is '1.23,45', not a finite number"),
        (22, "the time is '31/13/2023 05:00', not a time"),
    ]
    assert rows_of(reading) == [row for hour, row in enumerate(candles()) if hour not in (10, 20)]


@pytest.mark.parametrize(
    ("cells", "told"),
    [
        (
            "42,100 42,900 41,500 42,200 12",
            "its number '42,100' may be 42.1 or 42,100.0: write decimal points",
        ),
        ("1.5 1,234 1.234 1.5 1", (1.5, 1234, 1.234, 1.5, 1)),  # the points of 1.5 decide
        ("1,5 1,678 1,234 1,5 1", (1.5, 1.678, 1.234, 1.5, 1)),  # the commas of 1,5 decide
        ("0,123 0,234 0,100 0,200 1,250", (0.123, 0.234, 0.1, 0.2, 1.25)),  # no thousands begin with 0
        ("1,234,567 1,300,000 1,200,000 1,250,000 1", (1_234_567, 1_300_000, 1_200_000, 1_250_000, 1)),
    ],
)
def test_numbers_that_may_be_two_things_are_refused(
    read: Read, cells: str, told: tuple[float, ...] | str
) -> None:
    content = table([[*NAMES], *([str(row[0]), *cells.split()] for row in candles())], ";")
    if isinstance(told, str):
        assert refusal(read, content) == told
    else:
        assert [row[1:] for row in rows_of(read(content))] == [told] * HOURS


def test_a_point_alone_is_a_decimal_mark(read: Read) -> None:
    rows = [[str(row[0]), "42.100", "42.900", "41.500", "42.200", "1.250"] for row in candles()]
    assert rows_of(read(table([[*NAMES], *rows], ";")))[0][1:] == (42.1, 42.9, 41.5, 42.2, 1.25)


# --- days and months


@pytest.mark.parametrize("format_", ["%d/%m/%Y %H:%M", "%m/%d/%Y %H:%M"])
def test_an_order_is_right_in_which_hours_run_over_midnight(read: Read, format_: str) -> None:
    early = candles(48, 1_704_067_200)  # 1 and 2 January: 01/02 could be February
    rows = [[stamp(format_)(row[0]), *map(str, row[1:])] for row in early]
    assert rows_of(read(table([[*NAMES], *rows]))) == early


@pytest.mark.parametrize("rows", [slice(24, 48), slice(0, 48, 24)], ids=["one day", "days"])
def test_an_order_that_nothing_tells_is_refused_with_line_value_and_forms(read: Read, rows: slice) -> None:
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
def test_dates_tell_their_own_order_where_another_one_is_usual(read: Read, format_: str, hours: int) -> None:
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


# --- lines above the header


@pytest.mark.parametrize(
    "above",
    ["# BTC, from nowhere\n", "\n\n", "sep=,\n", '"sep=,"\n', "SEP=,\n\n# a\n#\n", "#" * 200 + "\n"],
)
@pytest.mark.parametrize("names", [NAMES, ["x", *NAMES[1:5], "VOLUME", *"abcdef"]])
def test_a_header_below_comments_and_blank_lines_is_found(read: Read, above: str, names: list[str]) -> None:
    # The other one's low and close are swapped, so that it is not read as a file without header.
    names = [names[0].replace("x", "time"), names[1], names[2], names[4], names[3], *names[5:]]
    rows = [[*map(str, (*row[:3], row[4], row[3], row[5])), *"123456"][: len(names)] for row in candles()]
    reading = read(above + table([names, *rows]))
    assert (reading.rejections, rows_of(reading)) == ((), candles())
    reading = read(above + table([names, rows[0], ["x"], *rows[1:]]))
    assert [rejection.line for rejection in reading.rejections] == [above.count("\n") + 3]


@pytest.mark.parametrize("behind", [[], ["5"], ["5"] * 6])
def test_a_header_below_other_words_is_told(read: Read, behind: list[str]) -> None:
    names = ["time", "close", "high", "low", "open", "volume", *"abcdef"][: 6 + len(behind)]
    rows = [[*map(str, (row[0], *row[4:1:-1], row[1], row[5])), *behind] for row in candles()]
    content = table([names, *rows])
    assert refusal(read, f"Candles of a crypto\n{content}").startswith(
        "line 2 names its columns, 'time,close"
    )


# --- exports


def test_exports_of_metatrader_are_read(read: Read) -> None:
    header = ["<DATE>", "<TIME>", "<OPEN>", "<HIGH>", "<LOW>", "<CLOSE>", "<TICKVOL>", "<VOL>", "<SPREAD>"]
    rows = [
        [stamp("%Y.%m.%d")(row[0]), stamp("%H:%M:%S")(row[0]), *map(str, row[1:5]), "52", "0", "5"]
        for row in candles()
    ]
    expected = [(*row[:5], 0.0) for row in candles()]  # the number of ticks is no volume
    assert rows_of(read(table([header, *rows], "\t"))) == expected
    four = [[row[0], row[1][:5], *row[2:7]] for row in rows]
    digits = [[row[0].replace(".", ""), f"{row[1].replace(':', '')}00", *row[2:]] for row in four]
    for written in (four, digits):
        reading = read(table(written))
        expected = [(*row[:5], 52.0) for row in candles()]
        assert (reading.format, rows_of(reading)) == ("headerless-csv", expected)


def test_a_date_and_a_time_belong_together_unless_one_is_whole(read: Read) -> None:
    def content(date: str, clock: str) -> str:
        rows = [[stamp(date)(row[0]), stamp(clock)(row[0]), *map(str, row[1:])] for row in candles()]
        return table([["Date", "Time", *NAMES[1:]], *rows])

    for date, clock in (
        *(
            ("%Y-%m-%d", "%H:%M"),
            ("%Y%m%d", "%H%M%S"),
            ("%m/%d/%Y", "%I:%M %p"),
            ("%Y-%m-%d", "%H:%M:%S.000"),
        ),
        *(("%Y-%m-%d", "%s"), ("%Y-%m-%d %H:%M", "%H:%M"), ("%d.%m.%Y", "%Y-%m-%d %H:%M")),
    ):
        assert rows_of(read(content(date, clock))) == candles(), (date, clock)


def test_yfinances_three_lines_of_header(read: Read) -> None:
    rows = [
        [stamp("%Y-%m-%d %H:%M:%S+00:00")(row[0]), *(str(row[place]) for place in (4, 2, 3, 1, 5))]
        for row in candles()
    ]
    prices = ["Price", "Close", "High", "Low", "Open", "Volume"]
    tickers, times = ["Ticker", *["ABC-USD"] * 5], ["Datetime", *[""] * 5]
    reading = read(table([prices, tickers, times, *rows]))
    assert (reading.format, reading.symbol, rows_of(reading)) == ("yfinance-csv", "ABCUSD", candles())
    tickers[3] = "XYZ-USD"
    assert "of several cryptos: 'ABC-USD' and 'XYZ-USD'" in refusal(
        read, table([prices, tickers, times, *rows])
    )


@pytest.mark.parametrize(
    ("header", "row", "told"),
    [
        ("time_period_start,time_period_end,time_open,open,high,low,close,volume", "{t},{n},{n},{p},7", 7),
        ("timestamp,open,high,low,close,adj close,volume", "{t},{p},1,7", 7),
        ("timestamp,open,high,low,close,volume usdt,volume abc", "{t},{p},99,7", 7),
        ("timestamp,open,high,low,close,volume,volume abc", "{t},{p},99,7", 7),
        ("timestamp,open,high,low,close,Volume_(ABC),Volume_(Currency)", "{t},{p},7,99", 7),
        ("symbol,timestamp,open,high,low,close,volume,volume abc", "BINANCE:ABCUSDT,{t},{p},99,7", 7),
        ("timestamp,open,high,low,close,volume ma,volume", "{t},{p},99,7", 7),
        ("timestamp,open,high,low,close,tick_volume,real_volume", "{t},{p},99,7", 7),
        ("timestamp,open,high,low,close,volume usdt", "{t},{p},99", "does not name the volume in the crypto"),
        (
            "timestamp,open,high,low,close,quote_volume",
            "{t},{p},99",
            "its volume is not counted in the crypto",
        ),
        (
            "timestamp,open,high,low,close,tick_volume",
            "{t},{p},99",
            "its volume is not counted in the crypto",
        ),
        ("timestamp,open,close,low,high,amount,vol", "{t},2,2.5,1,3,7,99", "vol or amount is its volume"),
        (
            "close_time,open,high,low,close,volume",
            "{t},{p},99",
            "it has closing times of its candles, but no",
        ),
        (",open,high,low,close,volume", "7,{p},99", "it has no column of the time"),
        (
            "Zeit,Eröffnung,x,y,z,w",
            "{t},{p},99",
            r"none of its columns \(Zeit, Eröffnung, x, y, z, w\) is known: "
            "name them, as in --map datetime=Zeit",
        ),
    ],
)
def test_columns_are_found_by_what_their_names_mean(
    tmp_path: Path, header: str, row: str, told: float | str
) -> None:
    lines = [row.format(t=time_s, n=time_s + 3600, p="2,3,1,2.5") for time_s, *_ in candles()]
    file = tmp_path / "ABCUSDT-1h.csv"
    file.write_text("\n".join([header, *lines]))
    if isinstance(told, str):
        with pytest.raises(InvalidInput, match=told):
            read_file(file, Interval.HOUR_1, now_s=NOW_S)
    else:
        reading = read_file(file, Interval.HOUR_1, now_s=NOW_S)
        assert rows_of(reading) == [(row[0], 2, 3, 1, 2.5, told) for row in candles()]


# --- JSON

RECORDS = [dict(zip(NAMES, (row[0] * 1000, *row[1:]), strict=True)) for row in candles()]
INDEXED = [(str(record["time"]), {name: record[name] for name in NAMES[1:]}) for record in RECORDS]


@pytest.mark.parametrize(
    "content",
    [
        json.dumps(RECORDS),
        json.dumps(RECORDS, indent=1),
        json.dumps({"schema": {"fields": []}, "data": RECORDS}),
        json.dumps({name: {str(n): record[name] for n, record in enumerate(RECORDS)} for name in NAMES}),
        json.dumps({name: {time: row[name] for time, row in INDEXED} for name in NAMES[1:]}),
        json.dumps(dict(INDEXED)),
        json.dumps({"columns": NAMES, "index": [*range(HOURS)], "data": [[*r.values()] for r in RECORDS]}),
        json.dumps(
            {
                "columns": NAMES[1:],
                "index": [int(time) for time, _ in INDEXED],
                "data": [[*row.values()] for _, row in INDEXED],
            }
        ),
        json.dumps({"s": "ok", **{name[0]: [record[name] for record in RECORDS] for name in NAMES}}),
        "\n".join(map(json.dumps, RECORDS)),
        "\n".join(json.dumps([*record.values()]) for record in RECORDS),
    ],
    ids=[
        *("records", "lines of records", "table", "columns", "indexed columns", "index", "split"),
        *("indexed split", "lists", "JSON lines", "lines of lists"),
    ],
)
def test_json_that_names_its_values_is_read(read: Read, content: str) -> None:
    reading = read(content)
    assert (reading.rejections, rows_of(reading)) == ((), candles())


@pytest.mark.parametrize(
    "content",
    [
        {"symbol": "ABC/USDT", "interval": "1h", "candles": RECORDS},
        {"symbol": "ABCUSDT", "timeframe": "60", "data": RECORDS},
        {"status": "ok", "Pair": "ABC-USDT", "result": {"ohlc": RECORDS}},
        {"symbol": "ABCUSDT", "columns": list(NAMES), "data": candles()},
        {"symbol": "ABCUSDT", **dict(zip(NAMES, zip(*candles(), strict=True), strict=True))},
        {"Response": "Success", "Data": {"Data": [{**record, "symbol": "ABCUSDT"} for record in RECORDS]}},
    ],
)
def test_json_may_hold_more_than_its_candles(read: Read, content: dict[str, object]) -> None:
    reading = read(json.dumps(content))
    assert (reading.format, reading.rejections, rows_of(reading)) == ("json", (), candles())
    assert reading.symbol == "ABCUSDT"


def test_what_json_tells_beside_its_candles_is_compared(read: Read) -> None:
    content: dict[str, object] = {"symbol": "ABCUSDT", "interval": "4h", "data": RECORDS[:2]}
    reason = refusal(read, json.dumps(content), length_s=None)
    assert "its content 4 hours, the distances between its times 1 hour: give --interval" in reason
    content["data"] = [{**record, "symbol": "XYZUSDT"} for record in RECORDS]
    assert "of several cryptos: 'ABCUSDT' and 'XYZUSDT'" in refusal(read, json.dumps(content))
    content["more"] = {"interval": "1h"}
    assert "several lengths of its candles" in refusal(read, json.dumps(content))
    content = {"one": {"data": RECORDS}, "other": {"data": RECORDS}}
    assert "it has 2 lists of candles: one is needed" in refusal(read, json.dumps(content))


@pytest.mark.parametrize("content", ["[{}]", '{"data": [[1, 2, 3]]}', '{"code": 1, "data": [[1, 2], 3]}'])
def test_values_without_names_are_told(read: Read, content: str) -> None:
    assert refusal(read, content) == "its values have no names"


def test_broken_records_are_told_by_their_lines_or_numbers(read: Read) -> None:
    lines = [json.dumps(record) for record in RECORDS]
    lines[4:6] = ['{"time": 17', "7", ""]
    reading = read("\n".join([*lines, "[1704067"]))
    assert (reading.format, reading.row_name) == ("json-lines", "line")
    assert rejected(reading) == [
        (5, "the line is not JSON: '{\"time\": 17'"),
        (6, "the record is '7', not a list"),
        (HOURS + 2, "the line is not JSON: '[1704067'"),
    ]
    some = [*RECORDS[:3], {"time": RECORDS[3]["time"]}, 7, *RECORDS[5:]]
    reading = read(json.dumps(some))
    assert (reading.row_name, rejected(reading)) == (
        "record",
        [(4, "open is empty"), (5, "the record is '7', not a list")],
    )


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("{}", "its JSON is an object without candles, of nothing"),
        ('{"hello": 1}', "its JSON is an object without candles, of 'hello'"),
        ('[{"a": 1}]', "it names no prices of candles: its columns are 'a'"),
        ('{"time": [1], "open": [1, 2]}', "its columns are 1 to 2 values long"),
        ('{"time": {"0": 1}, "open": {"1": 2}}', "its columns are not of the same rows"),
    ],
)
def test_json_that_is_no_table_of_candles_is_refused(read: Read, content: str, reason: str) -> None:
    assert refusal(read, content).startswith(reason)


# --- the samples of shapes that people have


@pytest.mark.parametrize(
    "folder", ["separators-and-numbers", "time-formats", "orders-of-columns", "column-names"]
)
def test_samples_are_all_the_same_candles(import_cases: Path, folder: str) -> None:
    files = [file for file in sorted((import_cases / folder).rglob("*")) if file.is_file()]
    assert files
    for file in files:
        reading = read_file(file, Interval.HOUR_1, now_s=NOW_S)
        assert (len(reading.candles), reading.rejections) == (48, ()), file
        first = (1_704_067_200, 100.0, 100.17, 99.67, 99.74, 5.287)
        assert rows_of(reading)[0] == (first if "CCF" not in file.name else (*first[:5], 0.0)), file
        assert rows_of(reading)[-1][:5] == (1_704_236_400, 92.13, 92.27, 90.91, 91.07), file


def test_samples_off_by_the_last_bit_are_all_taken(import_cases: Path) -> None:
    (file,) = (import_cases / "ulp-rejections").iterdir()
    reading = read_file(file, Interval.HOUR_1, now_s=NOW_S)
    assert (len(reading.candles), reading.rejected) == (300, 0)
