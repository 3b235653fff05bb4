"""Readers end well on any content, and their quick ways give what their careful ones do."""

import gzip
import io
import json
import os
import zipfile
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from backcast_engine.errors import InvalidInput
from backcast_engine.interval import Interval
from services.ingest.columns.number_column import read_numbers
from services.ingest.columns.time_column import MAX_TIME_S, read_times
from services.ingest.detect import read_file
from services.ingest.files import text_file
from services.ingest.files.text_file import open_file
from services.ingest.files.text_rows import TextRows
from services.ingest.formats.delimited import read_lines
from tests.ingest.conftest import GOOD, HEADER, NOW_S, OHLCV, START_S, Read, iso, refusal, rows_of

# --- files that are no candles at all


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "it is empty"),
        (b" \r\n\n", "it is empty"),
        (gzip.compress(b""), "it is empty"),
        (HEADER.encode(), "it holds no candles"),
        (HEADER.strip().encode(), "it holds no candles"),
        (b"[]", "it holds no candles"),
        (b"hello, world\n", "it begins with 'hello, world': no known format"),
        (b"\x1b[2J\x00", "it begins with '\\x1b[2J\\x00': no known format"),
        (b"caf\xe9", "it is not text: byte 4 is not UTF-8"),
        (HEADER.encode("utf-16"), "it holds no candles"),
        (HEADER.encode("utf-16") + b"\x00", "it is not text: its UTF-16 is broken"),
        (HEADER.encode("utf-16-le"), "it is UTF-16 without a mark at its beginning: save it as UTF-8"),
        (b"\x1f\x8bnonsense", "its gzip compression is broken"),
        (gzip.compress(GOOD.encode())[:-9], "its gzip compression is broken"),
        (gzip.compress(GOOD.encode())[:-8] + b"12345678", "its gzip compression is broken"),
        (gzip.compress(GOOD.encode())[:10] + b"\xff" * 40, "its gzip compression is broken"),
        (b"PK\x03\x04....", "its zip archive is broken"),
        (b"[[1577836800000,2,3,1,2.5,10],\n[15", "its JSON is broken in line 2, column 4"),
        (b"[" * 1_000_000, "its JSON is nested too deeply"),
    ],
)
def test_what_is_no_file_of_candles_is_refused_in_one_line(read: Read, content: bytes, reason: str) -> None:
    assert refusal(read, content).startswith(reason)


def test_what_cannot_be_opened_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def reason(path: Path) -> str:
        with pytest.raises(InvalidInput) as caught:
            read_file(path, Interval.HOUR_1, now_s=NOW_S)
        return str(caught.value)

    os.mkfifo(tmp_path / "pipe")  # opening it would wait for a writer
    assert reason(tmp_path) == reason(tmp_path / "pipe") == "file: it is not a file"
    assert reason(tmp_path / "nothing") == "file: it does not exist"
    assert reason(tmp_path / "\0").startswith("file: it ")
    unreadable = tmp_path / "unreadable"
    unreadable.write_text(HEADER + GOOD)

    def denied(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")  # root may read all

    with monkeypatch.context() as patched:
        patched.setattr(Path, "open", denied)
        assert reason(unreadable) == "file: it cannot be read: Permission denied"
    monkeypatch.setattr(text_file, "MAX_WHOLE_BYTES", 2**20)
    (tmp_path / "bomb").write_bytes(gzip.compress(b"[[" + bytes(2**20)))
    assert reason(tmp_path / "bomb") == "file: it is larger than 1 MB"
    (tmp_path / "line").write_bytes(gzip.compress(HEADER.encode() + bytes(6 * 2**20)))
    assert reason(tmp_path / "line") == "file: line 2 is longer than 1 MB"


@pytest.mark.parametrize(
    "content",
    [
        HEADER.encode() + b"1" * 10**7,
        HEADER.encode() + b"," * 10**7,
        HEADER.encode() + b'"' + b"\n" * 10**6,
        b"[[1577836800000,2,3,1,2.5," + b"1" * 10**7 + b"]]",
        b"[[" + b"1" * 10**7 + b",2,3,1,2.5,1]]",
    ],
    ids=["digits", "commas", "quote", "JSON price", "JSON time"],
)
def test_endless_lines_and_numbers_are_rejected(read: Read, content: bytes) -> None:
    reading = read(content)
    assert len(reading.candles) == 0
    assert len(reading.rejections) == 1


FRAGMENTS = [
    *("datetime", "open", "high", "low", "close", "volume", HEADER, GOOD),
    "open_time,open,high,low,close,volume,close_time,1,2,3,4,5\n",
    *(HEADER.replace(",", mark) for mark in ";\t|"),
    *("<DATE>\t<TIME>\t", "Price,", "Ticker,", "Datetime,,,,,\n", "Unnamed: 0,", ";", "\t"),
    *("01/02/2024 05:00,", "31.12.2023 1:00 PM;", "20240101 000000;", "2024-01-01T05:00:00.0000001Z,"),
    *("1.234,5;", "1'234 ", " UTC"),
    *('{"open": {"0": 1}', '{"time": 1, "open": 2}', "{}", "[]", '"columns": [', '"data": [[', '"index": '),
    *(",", "\n", "\r", '"', "[", "]", "{", "1", "-", "e9", ".", "nan", "null", " ", "\x00", "é", "\u2028"),
    *("[[1577836800000,2,3,1,2.5,10]", f"{START_S},{OHLCV},7\n", f"{START_S}000,{OHLCV},1,2,3,4,5,0\n"),
]  # fmt: skip
KEYS = st.sampled_from(
    [*HEADER.strip().split(","), "columns", "index", "data", "t", "o", "x", "symbol", "close_time"]
)
with zipfile.ZipFile(_packed := io.BytesIO(), "w", zipfile.ZIP_DEFLATED) as _archive:
    _archive.writestr("file.csv", HEADER + GOOD)
ZIPPED = _packed.getvalue()
CONTENT = st.one_of(
    st.binary(),
    st.binary().map(lambda tail: b"\x1f\x8b\x08\x00" + tail),
    st.tuples(st.integers(0, 80), st.binary(max_size=4)).map(
        lambda cut: gzip.compress((HEADER + GOOD).encode())[: cut[0]] + cut[1]
    ),
    st.lists(st.sampled_from(FRAGMENTS), max_size=40).map(lambda parts: "".join(parts).encode()),
    st.text().map(lambda tail: (HEADER + GOOD + tail).encode(errors="replace")),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(), lambda v: st.lists(v, max_size=6)
    ).map(lambda value: f"[[{START_S}000,{OHLCV}], {json.dumps(value)}]".encode()),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.just(START_S),
        lambda v: st.lists(v, max_size=6) | st.dictionaries(KEYS, v, max_size=8),
    ).map(lambda value: json.dumps(value).encode()),
    st.lists(st.dictionaries(KEYS, st.integers() | st.text()), min_size=2, max_size=4).map(
        lambda records: "\n".join(map(json.dumps, records)).encode()
    ),
    st.binary().map(lambda tail: b"PK\x03\x04" + tail),
    st.tuples(st.integers(0, 200), st.binary(max_size=4)).map(lambda cut: ZIPPED[: cut[0]] + cut[1]),
    st.text().map(lambda tail: (HEADER + GOOD + tail).encode("utf-16", errors="replace")),
)


@given(CONTENT)
def test_any_content_gives_candles_or_one_clear_sentence(read: Read, content: bytes) -> None:
    try:
        reading = read(content)
    except InvalidInput:
        refusal(read, content)
        return
    assert len(reading.candles) + len(reading.rejections) > 0
    times = reading.candles.open_time_s
    assert (np.diff(times) > 0).all()
    for time_s, open_, high, low, close, volume in rows_of(reading):
        assert 0 <= time_s <= MAX_TIME_S
        assert time_s % 3600 == 0
        assert 0 < low <= min(open_, close) <= max(open_, close) <= high < float("inf")
        assert 0 <= volume < float("inf")


# --- the fast way and the careful way: one bad value in a column, or line in a file, leads to the latter

CELL = st.text("0123456789.eE+-_:TZ naif\x1f٢") | st.sampled_from(["1", "2020-01-01", "1e5", ""]) | st.text()
CELLS = st.lists(CELL)
CLEAN_NUMBERS = st.lists(st.floats(allow_nan=False, allow_infinity=False).map(repr), min_size=1)
MOMENTS = st.datetimes(datetime(1960, 1, 1), datetime(2300, 1, 1)).map(lambda moment: moment.isoformat(" "))
OFFSETS = st.integers(-1439, 1439).map(lambda minutes: timezone(timedelta(minutes=minutes)))
AWARE = st.datetimes(timezones=OFFSETS).map(datetime.isoformat)
EPOCHS = st.integers(-10, 10**20) | st.sampled_from([10**11, 10**14, 10**17]).flatmap(
    lambda limit: st.integers(limit - 2, limit + 2)
)
EPOCH_TEXTS = EPOCHS.map(str) | st.integers(0, MAX_TIME_S + 5).map(str)
CLEAN_TIMES = st.lists(EPOCH_TEXTS, min_size=1) | st.lists(MOMENTS | AWARE, min_size=1)


@given(CELLS | CLEAN_NUMBERS | CLEAN_TIMES)
@example(["20200101"])
@example(["2020-01-01", "20200101"])
@example(["2020-01-01", "1612112312345"])  # 1612-11-23T23:45, to Python
@example(["20200101T00:00:00"])
@example([f"{'0' * 60}1577836800"])
def test_fast_and_slow_parsing_read_the_same_numbers_and_times(column: list[str]) -> None:
    def read_open(texts: list[str]) -> tuple[Any, dict[int, str]]:
        return read_numbers("open", texts)

    for read_column in (read_open, read_times):
        values, reasons = read_column(column)
        careful_values, careful_reasons = read_column([*column, "bad"])
        assert set(careful_reasons) == {*reasons, len(column)}
        for position, (value, careful) in enumerate(zip(values, careful_values, strict=False)):
            if position not in reasons:
                assert value.tobytes() == careful.tobytes()
            else:
                assert reasons[position] == careful_reasons[position]


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("lines") / "file"


@given(st.lists(st.lists(st.text("01.x "), min_size=3, max_size=3), min_size=1), st.booleans())
def test_fast_and_slow_parsing_find_the_same_fields(file: Path, rows: list[list[str]], header: bool) -> None:
    def read_rows(text: str) -> TextRows:
        file.write_text(text)
        with open_file(file) as opened:
            (found,) = read_lines(opened, int(header), 3, [2, 0])
        return found

    text = "head\n" * header + "".join(f"{','.join(row)}\n" for row in rows)
    fast, careful = read_rows(text), read_rows(f'{text}"')
    assert fast.misshapen == ()
    assert not any(isinstance(column, list) for column in fast.columns)
    assert [list(map(str, column)) for column in fast.columns] == [*careful.columns]
    assert [*careful.columns] == [[row[2] for row in rows], [row[0] for row in rows]]
    assert [*fast.lines] == careful.lines == list(range(1 + header, 1 + header + len(rows)))
    assert [rejection.line for rejection in careful.misshapen] == [1 + header + len(rows)]


PRICES = st.lists(st.floats(1e-300, 1e300), min_size=4, max_size=4).map(sorted)
CANDLES = st.dictionaries(st.integers(0, 10**6), st.tuples(PRICES, st.floats(0, 1e300)), min_size=1)
WAYS = [iso, str, "{}000".format, "{}000000".format, "{}000000000".format, "{}.0".format]


@given(CANDLES, st.lists(st.sampled_from(WAYS), min_size=1), st.randoms(use_true_random=False))
def test_candles_come_back_as_written_by_fast_and_by_slow_parsing(
    read: Read,
    candles: dict[int, tuple[list[float], float]],
    ways: list[Callable[[int], str]],
    random: Random,
) -> None:
    rows = [
        (START_S + 3600 * hour, prices[1], prices[3], prices[0], prices[2], volume)
        for hour, (prices, volume) in candles.items()
    ]
    random.shuffle(rows)
    text = HEADER + "".join(
        f"{ways[i % len(ways)](row[0])},{','.join(map(repr, row[1:]))}\n" for i, row in enumerate(rows)
    )
    fast, careful = read(text), read(f"{text}bad,bad,bad,bad,bad,bad\n\n1,2\n")
    assert fast.rejections == ()
    assert [rejection.line for rejection in careful.rejections] == [len(rows) + 2, len(rows) + 4]
    assert rows_of(fast) == rows_of(careful) == sorted(rows)
