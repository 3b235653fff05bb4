"""The same candles, written in all the ways that people have: read as the same, or refused in a sentence."""

import csv
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backcast_engine.errors import InvalidInput
from backcast_engine.interval import Interval
from services.ingest.detect import read_file
from tests.ingest.conftest import NOW_S, Read, refusal, rejected, rows_of
from tests.ingest.written_candles import HOURS, NAMES, candles, stamp, table

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


def test_a_bad_cell_is_quoted_as_it_is_written(read: Read) -> None:
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
    ("cells", "wanted"),
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
    read: Read, cells: str, wanted: tuple[float, ...] | str
) -> None:
    content = table([[*NAMES], *([str(row[0]), *cells.split()] for row in candles())], ";")
    if isinstance(wanted, str):
        assert refusal(read, content) == wanted
    else:
        assert [row[1:] for row in rows_of(read(content))] == [wanted] * HOURS


def test_a_point_alone_is_a_decimal_mark(read: Read) -> None:
    rows = [[str(row[0]), "42.100", "42.900", "41.500", "42.200", "1.250"] for row in candles()]
    assert rows_of(read(table([[*NAMES], *rows], ";")))[0][1:] == (42.1, 42.9, 41.5, 42.2, 1.25)


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
def test_a_header_below_other_words_is_named_in_the_error(read: Read, behind: list[str]) -> None:
    names = ["time", "close", "high", "low", "open", "volume", *"abcdef"][: 6 + len(behind)]
    rows = [[*map(str, (row[0], *row[4:1:-1], row[1], row[5])), *behind] for row in candles()]
    content = table([names, *rows])
    assert refusal(read, f"Candles of a crypto\n{content}").startswith(
        "line 2 names its columns, 'time,close"
    )


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
    ("header", "row", "wanted"),
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
    tmp_path: Path, header: str, row: str, wanted: float | str
) -> None:
    lines = [row.format(t=time_s, n=time_s + 3600, p="2,3,1,2.5") for time_s, *_ in candles()]
    file = tmp_path / "ABCUSDT-1h.csv"
    file.write_text("\n".join([header, *lines]))
    if isinstance(wanted, str):
        with pytest.raises(InvalidInput, match=wanted):
            read_file(file, Interval.HOUR_1, now_s=NOW_S)
    else:
        reading = read_file(file, Interval.HOUR_1, now_s=NOW_S)
        assert rows_of(reading) == [(row[0], 2, 3, 1, 2.5, wanted) for row in candles()]


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
