"""What exchanges answer, saved as JSON: each in its own shape, all with the same candles."""

import gzip
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backcast_engine.errors import InvalidInput
from backcast_engine.interval import Interval
from services.ingest.detect import read_file
from tests.ingest.conftest import NOW_S, START_S, Read, refusal, rejected, rows_of
from tests.ingest.exchange_answers import (
    Record,
    binance,
    bybit,
    coinbase,
    deribit,
    dydx,
    dydx_in_an_envelope,
    freqtrade,
    htx,
    kraken,
    kraken_futures,
    kucoin,
    lighter,
    okx,
    okx_without_confirmation,
    okx_without_message,
    written,
)

# --- real answers


def real(market_data: Path, name: str) -> Path:
    return market_data / "exchange-rest-payloads" / name


@pytest.mark.parametrize(
    ("name", "file_format", "symbol", "rows"),
    [
        (
            "coinbase_http_candles.json",
            "coinbase-json",
            None,
            [
                (1712188800, 65984.18, 66387.77, 65857.35, 66314.59, 358.74851052),
                (1712192400, 66312.4, 66331.99, 66055.14, 66181.6, 355.82896243),
            ],
        ),
        (
            "kraken_http_futures_candles_trade.json",
            "kraken-futures-json",
            None,
            [
                (1731715200, 91069, 91373.5, 90956, 91045.5, 319499),
                (1731718800, 91045.5, 91488.5, 91045.5, 91415, 2407),
                (1731722400, 91415, 91490.5, 91415, 91490.5, 4995),
            ],
        ),
    ],
)
def test_hourly_answers_of_exchanges_are_read(
    market_data: Path, name: str, file_format: str, symbol: str | None, rows: list[Record]
) -> None:
    reading = read_file(real(market_data, name), Interval.HOUR_1, now_s=NOW_S)
    assert (reading.format, reading.symbol, reading.rejected) == (file_format, symbol, 0)
    assert rows_of(reading) == rows


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        (
            "binance_spot_http_json_klines_response.json",
            "its candles are 7 days long: 1h cannot be made of them",
        ),
        (
            "deribit_http_get_tradingview_chart_data.json",
            "its 5 candles are 1 minute long: too few for a whole candle",
        ),
        ("dydx_http_get_candles.json", "its 3 candles are 1 minute long: too few for a whole candle of 1h"),
    ],
)
def test_answers_without_a_whole_hour_have_no_candle(market_data: Path, name: str, reason: str) -> None:
    with pytest.raises(InvalidInput, match=f"^file: {reason}"):
        read_file(real(market_data, name), Interval.HOUR_1, now_s=NOW_S)


@pytest.mark.parametrize(
    ("name", "symbol", "reasons"),
    [
        ("bybit_http_get_klines_linear.json", "BTCUSDT.P", ["the time is not on the 1h grid"]),
        ("lighter_http_candles.json", None, ["the time is not on the grid of candles 1 minute long"] * 2),
    ],
)
def test_answers_whose_candles_are_all_rejected_list_their_rejections(
    market_data: Path, name: str, symbol: str | None, reasons: list[str]
) -> None:
    reading = read_file(real(market_data, name), Interval.HOUR_1, now_s=NOW_S)
    assert (reading.symbol, len(reading.candles)) == (symbol, 0)
    assert rejected(reading) == list(enumerate(reasons, 1))


def test_an_answer_whose_candles_are_all_open_has_no_candle(market_data: Path) -> None:
    path = real(market_data, "okx_http_get_candlesticks.json")
    reading = read_file(path, Interval.HOUR_1, now_s=NOW_S)
    assert (len(reading.candles), reading.still_open, rejected(reading)) == (0, 2, [])


def test_twelve_hours_of_minutes_from_kraken_become_hours(market_data: Path) -> None:
    path = real(market_data, "kraken_http_ohlc.json")
    reading = read_file(path, Interval.HOUR_1, now_s=NOW_S)
    assert (reading.symbol, reading.length_s, reading.incomplete) == ("XBTUSDT", 60, 2)
    assert (reading.still_open, rejected(reading)) == (1, [])
    minutes = json.loads(path.read_text())["result"]["XBTUSDT"][:-1]
    rows = rows_of(reading)
    assert len(rows) == 11
    for time_s, open_, high, low, close, volume in rows:
        hour = [minute for minute in minutes if minute[0] // 3600 == time_s // 3600]
        assert (open_, close) == (float(hour[0][1]), float(hour[-1][4]))
        assert high == max(float(minute[2]) for minute in hour)
        assert low == min(float(minute[3]) for minute in hour)
        assert volume == float(sum(Decimal(minute[6]) for minute in hour))


@pytest.mark.parametrize("symbol", ["SOLUSDT", "DOTUSDT"])
def test_years_of_klines_from_binance_are_read(market_data: Path, symbol: str) -> None:
    path = market_data / "binance-rest-klines" / f"{symbol}-1h.json.gz"
    reading = read_file(path, Interval.HOUR_1, now_s=NOW_S)
    assert (reading.format, reading.symbol, reading.length_s) == ("binance-json", symbol, 3600)
    klines = json.loads(gzip.decompress(path.read_bytes()))
    expected = [(kline[0] // 1000, *map(float, kline[1:6])) for kline in klines]
    assert rows_of(reading) == expected
    assert reading.rejected == 0


# --- the same candles from each

ANSWERS = (
    *(binance, bybit, coinbase, deribit, dydx, dydx_in_an_envelope, freqtrade),
    *(kraken, kraken_futures, kucoin, htx, lighter, okx, okx_without_confirmation, okx_without_message),
)
WITH_SYMBOL = {
    **dict.fromkeys((bybit, kraken, htx), "ABCUSDT"),
    **dict.fromkeys((dydx, dydx_in_an_envelope), "ABCUSDT.P"),
}


PRICES = st.decimals(Decimal("0.00000001"), Decimal(10**6), places=8).map(str)


@st.composite
def market(draw: st.DrawFn) -> list[Record]:
    """Draw a few hourly candles, with gaps."""
    hours = sorted(draw(st.sets(st.integers(0, 500), min_size=2, max_size=8)))
    records = []
    for hour in hours:
        low, open_, close, high = sorted((draw(PRICES) for _ in range(4)), key=Decimal)
        records.append((START_S + 3600 * hour, open_, high, low, close, draw(PRICES)))
    # Two that follow each other, so that an hour is what candles are apart.
    return [(START_S - 3600, *records[0][1:]), (START_S, *records[0][1:]), *records[1:]]


# Freqtrade's lists have no names: test_column_order tests that their values decide the order.
@pytest.mark.parametrize("answer", [answer for answer in ANSWERS if answer is not freqtrade])
@given(records=market())
def test_candles_are_read_to_the_last_digit(read: Read, answer: Any, records: list[Record]) -> None:
    reading = read(written(answer(records)))
    assert reading.format.split("-")[0] == answer.__name__.split("_")[0]
    assert reading.symbol == WITH_SYMBOL.get(answer)
    assert rejected(reading) == []
    assert rows_of(reading) == [(time_s, *map(float, values)) for time_s, *values in records]


# --- errors name what is wrong

RECORDS: list[Record] = [(START_S + 3600 * hour, "2", "3", "1", "2.5", "10") for hour in range(4)]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ({"retCode": 10001, "retMsg": "Not supported symbols", "result": {}}, "'Not supported symbols'"),
        (
            {"code": "51001", "msg": "Instrument ID doesn't exist", "data": []},
            '"Instrument ID doesn\'t exist"',
        ),
        ({"error": ["EQuery:Unknown asset pair"]}, "'[\"EQuery:Unknown asset pair\"]'"),
        ({"jsonrpc": "2.0", "error": {"message": "Invalid params"}}, '\'{"message": "Invalid params"}\''),
        ({"candles": None, "message": "x" * 1000}, f"'{'x' * 32}…'"),
    ],
)
def test_an_exchange_that_refuses_is_quoted(read: Read, content: Any, reason: str) -> None:
    assert refusal(read, json.dumps(content)) == f"it is an answer without candles: {reason}"


@pytest.mark.parametrize("answer", [bybit, coinbase, kraken_futures, okx])
def test_an_answer_without_candles_is_reported(read: Read, answer: Any) -> None:
    assert refusal(read, written(answer([]))).startswith(
        ("it holds no candles", "it is an answer without candles: 'OK'")
    )


def test_misshapen_records_are_reported_by_their_number(read: Read) -> None:
    content = bybit(RECORDS)
    content["result"]["list"][1] = {"open": 1}
    content["result"]["list"][2].pop()
    assert rejected(read(json.dumps(content))) == [
        (2, "the record is '{…}', not a list"),
        (3, "the number of fields is 6, not 7"),
    ]
    content = coinbase(RECORDS)
    content["candles"][0] = ["1"]
    del content["candles"][1]["low"], content["candles"][1]["close"]
    content["candles"][2]["open"] = None
    assert rejected(read(json.dumps(content))) == [
        (1, "the record is '[…]', not an object"),
        (2, "the record has no low, close"),
        (3, "open is 'null', not a finite number"),
    ]


def test_several_pairs_and_unequal_lists_are_refused(read: Read) -> None:
    content = kraken(RECORDS)
    content["result"]["OTHER"] = []
    assert refusal(read, json.dumps(content)) == "its rows are of several cryptos: 'ABCUSDT' and 'OTHER'"
    content = deribit(RECORDS)
    content["result"]["low"].pop()
    assert refusal(read, written(content)) == "its lists are 3 to 4 values long"


def test_okx_marks_which_candles_were_closed(read: Read) -> None:
    content = okx(RECORDS)
    content["data"][0][-1] = "0"
    reading = read(json.dumps(content))
    assert len(reading.candles) == 3
    assert (reading.still_open, rejected(reading)) == (1, [])


def test_fields_of_exchanges_beside_the_candles_are_read(read: Read) -> None:
    content = htx(RECORDS)
    content["ch"] = "market.ABC-USDT.kline.60min"
    assert read(written(content)).symbol == "ABCUSDT.P"
    content["ch"] = "market.abcusdt.kline.4hour"
    assert "its content 4 hours, the distances between its times 1 hour" in refusal(
        read, written(content), length_s=None
    )
    futures = {"code": "200000", "data": [[f"{RECORDS[0][0]}000", "2", "3", "1", "2.5", "10", "25"]]}
    assert "KuCoin's futures, whose volume is counted in contracts" in refusal(read, json.dumps(futures))


def test_klines_of_binances_websocket_are_named(read: Read) -> None:
    kline = {"t": START_S * 1000, "T": START_S * 1000 + 3599999, "s": "ABCUSDT", "i": "1h", "f": 1, "L": 2}
    kline |= {"o": "2", "c": "2.5", "h": "3", "l": "1", "v": "10", "n": 2, "x": True, "q": "25", "V": "1"}
    event = {"e": "kline", "E": 1, "s": "ABCUSDT", "k": kline}
    lines = "\n".join([json.dumps(event)] * 3)
    for content in (json.dumps([event]), json.dumps([kline]), json.dumps(event), json.dumps(kline), lines):
        assert "its records are klines of Binance's websocket" in refusal(read, content)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=10,
)


@pytest.mark.parametrize("answer", ANSWERS)
@given(data=st.data())
def test_answers_with_anything_in_them_end_in_candles_or_one_clear_sentence(
    read: Read, answer: Any, data: st.DataObject
) -> None:
    content = json.loads(written(answer(RECORDS)))
    # Somewhere in it, something else.
    place = content
    while True:
        key = data.draw(st.sampled_from(sorted(place) if isinstance(place, dict) else range(len(place))))
        if not isinstance(place[key], list | dict) or not place[key] or data.draw(st.booleans()):
            place[key] = data.draw(JSON)
            break
        place = place[key]
    try:
        reading = read(json.dumps(content))
    except InvalidInput:
        assert refusal(read, json.dumps(content))
        return
    assert len(reading.candles) + reading.rejected + reading.still_open > 0
