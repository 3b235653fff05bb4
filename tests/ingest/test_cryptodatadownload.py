"""CryptoDataDownload's files: the crypto's own volume is taken, whatever its column is called."""

from pathlib import Path

import numpy as np
import pytest

from backcast_engine.interval import Interval
from services.ingest.detect import read_file
from tests.ingest.conftest import NOW_S, OHLCV, START_S, Read, iso, refusal, rows_of

BANNER = "Timestamps are UTC timezone,https://www.CryptoDataDownload.com\n"


@pytest.mark.parametrize(
    ("name", "symbol", "rows", "first", "last", "last_volume"),
    [
        ("Binance_BTCUSDT_1h.csv.gz", "BTCUSDT", 27_316, "2017-08-17T04", "2020-09-28T07", 258.5),
        ("Bitfinex_LTCUSD_1h.csv.gz", "LTCUSD", 26_039, "2017-10-09T09", "2020-09-28T07", 121.31),
        ("Bitfinex_XRPBTC_1h.csv.gz", "XRPBTC", 26_039, "2017-10-09T09", "2020-09-28T07", 4222.29),
        ("Coinbase_BTCUSD_1h.csv.gz", "BTCUSD", 20_111, "2017-07-01T11", "2019-10-17T09", 61.25),
        ("Poloniex_ETHUSD_1h.csv.gz", "ETHUSD", 28_368, "2017-07-01T11", "2020-09-28T07", 0.0),
        ("bitfinex-1h-btc-usd.csv.gz", "BTCUSD", 17_583, "2017-07-01T11", "2019-07-04T01", 303.61),
    ],
)
def test_real_files_of_cryptodatadownload_are_read(
    market_data: Path, name: str, symbol: str, rows: int, first: str, last: str, last_volume: float
) -> None:
    path = market_data / "cryptodatadownload-csv" / name
    if not path.exists():
        pytest.skip(f"NO REAL CANDLES: {path} is not there")
    reading = read_file(path, Interval.HOUR_1, now_s=NOW_S)
    candles = reading.candles
    assert (reading.format, reading.symbol) == ("cryptodatadownload", symbol)
    assert len(candles) + reading.duplicates + reading.rejected == rows
    assert iso(int(candles.open_time_s[0])).startswith(first)
    assert iso(int(candles.open_time_s[-1])).startswith(last)
    assert candles.volume[-1] == last_volume
    assert (np.diff(candles.open_time_s) > 0).all()


HEADERS = [
    ("Unix Timestamp,Date,Symbol,Open,High,Low,Close,Volume BTC,Volume USDT", "{s}.0,x,BTCUSDT,{p},10,99"),
    ("date,symbol,open,high,low,close,volume_btc,volume", "2020-01-01 12-AM,BTCUSDT,{p},10,99"),
    ("Date,Symbol,Open,High,Low,Close,VolumeFrom,VolumeTo", "2020-01-01 00:00,BTCUSDT,{p},10,99"),
    (
        "unix,date,symbol,open,high,low,close,Volume USDT,Volume BTC,tradecount",
        "{s}000,x,BTC/USDT,{p},99,10,7",
    ),
]


@pytest.mark.parametrize(("header", "row"), HEADERS)
@pytest.mark.parametrize("banner", [BANNER, "https://www.CryptoDataDownload.com\n"])
def test_each_header_of_cryptodatadownload_is_read(read: Read, header: str, row: str, banner: str) -> None:
    prices = OHLCV.rsplit(",", 1)[0]
    reading = read(f"{banner}{header}\n{row.format(s=START_S, p=prices)}\n")
    assert (reading.format, reading.symbol, reading.rejections) == ("cryptodatadownload", "BTCUSDT", ())
    assert rows_of(reading) == [(START_S, 2, 3, 1, 2.5, 10)]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (f"{BANNER}date,open,high,low,close,volume\n", "it has no column symbol"),
        (
            f"{BANNER}symbol,open,high,low,close,volumefrom\n",
            "it has no column of the time",
        ),
        (
            f"{BANNER}date,symbol,open,high,low,close,volume_eth,volume\n2020-01-01,BTCUSD,2,3,1,2.5,1,2\n",
            "its header does not name the volume in the crypto of 'BTCUSD'",
        ),
        (
            "date,symbol,open,high,low,close,volumefrom\n2020-01-01,BTCUSD,2,3,1,2.5,1\n"
            "2020-01-01,ETHUSD,2,3,1,2.5,1\n",
            "its rows are of several cryptos: 'BTCUSD' and 'ETHUSD'",
        ),
        (BANNER, "it has no column open"),
    ],
)
def test_ambiguous_content_is_refused(read: Read, content: str, reason: str) -> None:
    assert refusal(read, content).startswith(reason)


def test_plain_csv_may_have_a_column_of_the_symbol(read: Read) -> None:
    header = "time,pair,open,high,low,close,volume\n"
    assert read(f"{header}{START_S},eth/usdt:usdt,{OHLCV}\n").symbol == "ETHUSDT.P"
    assert read(f"{header}{START_S},,{OHLCV}\n").symbol is None
    reason = refusal(read, f"{header}{START_S},ETHUSDT,{OHLCV}\n{START_S + 3600},BTCUSDT,{OHLCV}\n")
    assert reason == "its rows are of several cryptos: 'ETHUSDT' and 'BTCUSDT'"
