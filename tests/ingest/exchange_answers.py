"""The answers of exchanges for given candles, each in its own shape."""

import json
from typing import Any

from tests.ingest.conftest import iso

# Opening time in Unix seconds, open, high, low, close and volume.
Record = tuple[int, str, str, str, str, str]

COLUMNS = ("open", "high", "low", "close", "volume")


def binance(records: list[Record]) -> Any:
    return [
        [time_s * 1000, *values, time_s * 1000 + 3_599_999, "1.5", 7, "1", "1", "0"]
        for time_s, *values in records
    ]


def bybit(records: list[Record]) -> Any:
    rows = [[str(time_s * 1000), *values, "9"] for time_s, *values in reversed(records)]
    return {"retCode": 0, "retMsg": "OK", "result": {"category": "spot", "symbol": "ABCUSDT", "list": rows}}


def coinbase(records: list[Record]) -> Any:
    return {
        "candles": [
            {"start": str(time_s), "low": low, "high": high, "open": open_, "close": close, "volume": volume}
            for time_s, open_, high, low, close, volume in reversed(records)
        ]
    }


def deribit(records: list[Record]) -> Any:
    ticks, *columns = zip(*records, strict=True)
    lists = {name: [Number(value) for value in column] for name, column in zip(COLUMNS, columns, strict=True)}
    return {
        "result": {**lists, "ticks": [time_s * 1000 for time_s in ticks], "status": "ok"},
        "jsonrpc": "2.0",
    }


def dydx(records: list[Record]) -> Any:
    return {
        "candles": [
            {
                "startedAt": f"{iso(time_s)[:19]}.000Z",
                "ticker": "ABC-USDT",
                "resolution": "1HOUR",
                **{"open": open_, "high": high, "low": low, "close": close},
                "baseTokenVolume": volume,
                "usdVolume": "3",
            }
            for time_s, open_, high, low, close, volume in reversed(records)
        ]
    }


def dydx_in_an_envelope(records: list[Record]) -> Any:
    return {"requestId": "1", "status": "success", "result": dydx(records)}


def freqtrade(records: list[Record]) -> Any:
    return [[time_s * 1000, *map(Number, values)] for time_s, *values in records]


def kraken(records: list[Record]) -> Any:
    rows = [[time_s, *prices, "8", volume, 5] for time_s, *prices, volume in records]
    return {"error": [], "result": {"ABCUSDT": rows, "last": records[-1][0]}}


def kraken_futures(records: list[Record]) -> Any:
    candles = [
        {"time": time_s * 1000, **dict(zip(COLUMNS, values, strict=True))} for time_s, *values in records
    ]
    return {"candles": candles, "more_candles": False}


def lighter(records: list[Record]) -> Any:
    letters = ("o", "h", "l", "c", "v")
    candles = [
        {"t": time_s * 1000, **dict(zip(letters, map(Number, values), strict=True)), "V": 1, "i": 2}
        for time_s, *values in records
    ]
    return {"code": 200, "r": "1h", "c": candles}


def okx(records: list[Record]) -> Any:
    rows = [[str(time_s * 1000), *values, "0", "0", "1"] for time_s, *values in reversed(records)]
    return {"code": "0", "msg": "", "data": rows}


def okx_without_confirmation(records: list[Record]) -> Any:
    rows = [[str(time_s * 1000), *values, "0"] for time_s, *values in reversed(records)]
    return {"code": "0", "msg": "", "data": rows}


def okx_without_message(records: list[Record]) -> Any:
    return {name: value for name, value in okx(records).items() if name != "msg"}


def kucoin(records: list[Record]) -> Any:
    rows = [
        [str(time_s), open_, close, high, low, volume, "9.5"]
        for time_s, open_, high, low, close, volume in reversed(records)
    ]
    return {"code": "200000", "data": rows}


def htx(records: list[Record]) -> Any:
    names = ("open", "high", "low", "close", "amount")
    candles = [
        {"id": time_s, **dict(zip(names, map(Number, values), strict=True)), "vol": 7, "count": 5}
        for time_s, *values in reversed(records)
    ]
    return {"ch": "market.abcusdt.kline.60min", "status": "ok", "ts": 1, "data": candles}


class Number(float):
    """A number whose text in JSON is that which it was made of."""

    def __new__(cls, text: str) -> "Number":
        number = super().__new__(cls, text)
        number.text = text
        return number

    text: str

    def __repr__(self) -> str:
        return self.text


def written(answer: Any) -> str:
    """Write JSON with each `Number` as its text."""
    if isinstance(answer, Number):
        return answer.text
    if isinstance(answer, dict):
        return (
            "{" + ", ".join(f"{json.dumps(name)}: {written(value)}" for name, value in answer.items()) + "}"
        )
    if isinstance(answer, list):
        return "[" + ", ".join(map(written, answer)) + "]"
    return json.dumps(answer)
