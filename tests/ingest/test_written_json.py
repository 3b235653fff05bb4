"""JSON files that other programs write."""

import json

import pytest

from tests.ingest.conftest import Read, refusal, rejected, rows_of
from tests.ingest.written_candles import HOURS, NAMES, candles

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


def test_fields_of_json_beside_its_candles_are_compared(read: Read) -> None:
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
def test_values_without_names_are_reported(read: Read, content: str) -> None:
    assert refusal(read, content) == "its values have no names"


def test_broken_records_are_reported_by_their_lines_or_numbers(read: Read) -> None:
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
