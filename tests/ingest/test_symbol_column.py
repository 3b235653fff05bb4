"""Columns of a file that name its crypto."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from backcast_engine.errors import InvalidInput
from backcast_engine.interval import Interval
from services.ingest.detect import read_file
from tests.ingest.conftest import NOW_S, OHLCV, START_S


def table(name: str, *symbols: str) -> str:
    rows = [f"{symbol},{START_S + 3600 * hour},{OHLCV}" for hour, symbol in enumerate(symbols)]
    return "\n".join([f"{name},time,open,high,low,close,volume", *rows])


@pytest.mark.parametrize(
    ("file_name", "column", "symbol"),
    [
        *(("candles.csv", "BINANCE:AUSDT", "AUSDT"), ("AUSDT_a.csv", "A/USDT:USDT", "AUSDT.P")),
        *(
            ("AUSDT.csv", "a-usdt", "AUSDT"),
            ("x.csv", "AUSDT_250627", "AUSDT_250627"),
            ("AUSDT.csv", "", "AUSDT"),
        ),
    ],
)
@pytest.mark.parametrize(
    "name",
    [
        "symbol",
        "Pair",
        "instId",
        "product_id",
        "Symbol Name",
        "currency_pair",
        "market",
        "tradingPair",
        "crypto",
    ],
)
def test_a_column_names_the_crypto(
    tmp_path: Path, file_name: str, column: str, symbol: str, name: str
) -> None:
    file = tmp_path / file_name
    file.write_text(table(name, column, column))
    assert read_file(file, Interval.HOUR_1, now_s=NOW_S).symbol == symbol


@pytest.mark.parametrize(
    ("column", "reason"),
    [
        ("BINANCE", "its rows name the crypto 'BINANCE', which is no pair like BTCUSDT: give --symbol"),
        (
            "FOO:AUSDT",
            "of its rows, 'FOO:AUSDT' is not a symbol: FOO is not a known exchange: give --sym",
        ),
        ("KRW-BTC", "of its rows, 'KRW-BTC' is not a symbol: it is reversed: BTCKRW if"),
        ("A-27JUN25-60000-C", "of its rows, 'A-27JUN25-60000-C' is not a symbol: it is an option"),
        ("BUSDT", "its rows name BUSDT, and the file is named for AUSDT: give --symbol"),
        ("AUSDT.P", "its rows name AUSDT.P, and the file is named for AUSDT: give --symbol"),
    ],
)
def test_a_column_is_never_passed_over_for_the_name(tmp_path: Path, column: str, reason: str) -> None:
    file = tmp_path / "AUSDT.csv"
    file.write_text(table("symbol", column, column))
    with pytest.raises(InvalidInput) as caught:
        read_file(file, Interval.HOUR_1, now_s=NOW_S)
    assert str(caught.value).startswith(f"file: {reason}")
    assert read_file(file, Interval.HOUR_1, now_s=NOW_S, symbol="AUSDT").symbol == "AUSDT"


def write(file: Path, header: str, *cells: str) -> Path:
    """Write rows of these cells, behind those of a candle."""
    rows = [f"{START_S + 3600 * hour},{OHLCV},{cell}" for hour, cell in enumerate(cells)]
    file.write_text("\n".join([f"time,open,high,low,close,volume,{header}", *rows]))
    return file


@pytest.mark.parametrize(
    ("header", "cell", "expected"),
    [
        *(("coin", "BTC", "BTCUSDT"), ("Asset", "btc", "BTCUSDT"), ("base", "BTC", "BTCUSDT")),
        *(("base,quote", "BTC,USDT", "BTCUSDT"), ("Symbol,symbol", "BTC/USDT,BTCUSDT", "BTCUSDT")),
        *(("symbol_id", "BINANCE_SPOT_BTC_USDT", "BTCUSDT"), ("symbol,coin", "BTCUSDT,ETH", "BTCUSDT")),
        # These are no cryptos.
        *(("market", "spot", "BTCUSDT"), ("market", "Binance", "BTCUSDT"), ("asset", "17", "BTCUSDT")),
        *(("coin", "ETH", "its rows name the crypto 'ETH'"), ("asset", "X", "its rows name the crypto 'X'")),
        *(
            ("base,quote", "BTC,EUR", "rows name BTCEUR, and the file is named for"),
            ("market", "ETH-USDT", "name ETHUSDT"),
        ),
        *(
            ("Symbol,symbol", "ETHUSDT,BTCUSDT", "of several"),
            ("symbol,Symbol", "BTCUSDT,ETHUSDT", "several"),
        ),
        *(("instId", "BTC-USDT-SWAP", "name BTCUSDT.P"), ("product_id", "BTC-USD", "rows name BTCUSD, and")),
        *(
            ("base,quote", "BTC,FOO", "FOO is not a known quote currency"),
            ("base", "ETH", "its rows name the crypto 'ETH'"),
        ),
    ],
)
def test_columns_of_many_names_name_the_crypto(tmp_path: Path, header: str, cell: str, expected: str) -> None:
    file = write(tmp_path / "BTCUSDT.csv", header, cell, cell)
    if expected == "BTCUSDT":
        assert read_file(file, Interval.HOUR_1, now_s=NOW_S).symbol == expected
    else:
        with pytest.raises(InvalidInput, match=expected):
            read_file(file, Interval.HOUR_1, now_s=NOW_S)


@pytest.mark.parametrize(
    ("header", "cells"),
    [
        *(("coin", ("BTC", "ETH")), ("market", ("BTC-USDT", "ETH-USDT")), ("base", ("BTC", "ETH"))),
        *(("Symbol,symbol", ("BTCUSDT,BTCUSDT", "BTCUSDT,ETHUSDT")), ("base,quote", ("BTC,USDT", "BTC,EUR"))),
    ],
)
def test_a_column_of_several_cryptos_is_refused(tmp_path: Path, header: str, cells: tuple[str, ...]) -> None:
    file = write(tmp_path / "BTCUSDT.csv", header, *cells)
    with pytest.raises(InvalidInput, match="its rows are of several cryptos"):
        read_file(file, Interval.HOUR_1, now_s=NOW_S)


def test_columns_of_tables_name_the_crypto(tmp_path: Path) -> None:
    columns = {name: [1.0, 1.0] for name in ("open", "high", "low", "close", "volume")}
    columns |= {"time": [START_S, START_S + 3600]}
    file = tmp_path / "BTCUSDT.parquet"

    def symbol(**more: list[object]) -> str | None:
        pq.write_table(pa.table(columns | more), file)
        return read_file(file, Interval.HOUR_1, now_s=NOW_S).symbol

    assert symbol(base=["BTC", "BTC"], quote=["USDT", "USDT"]) == "BTCUSDT"
    assert symbol(asset=[17, 18]) == "BTCUSDT"
    for more in ({"coin": ["BTC", "ETH"]}, {"symbol": ["BTCUSDT"] * 2, "Symbol": ["BTCUSDT", "ETHUSDT"]}):
        with pytest.raises(InvalidInput, match="its rows are of several cryptos"):
            symbol(**more)
    with pytest.raises(InvalidInput, match="its rows name the crypto 'ETH'"):
        symbol(coin=["ETH", "ETH"])


def test_rows_of_several_cryptos_are_refused_whatever_is_given(tmp_path: Path) -> None:
    file = tmp_path / "AUSDT.csv"
    file.write_text(table("symbol", "AUSDT", "A/USDT"))  # one, in two spellings
    assert read_file(file, Interval.HOUR_1, now_s=NOW_S).symbol == "AUSDT"
    file.write_text(table("symbol", "AUSDT", "AUSDT.P"))
    with pytest.raises(InvalidInput, match=r"its rows are of several cryptos: 'AUSDT' and 'AUSDT.P'"):
        read_file(file, Interval.HOUR_1, now_s=NOW_S, symbol="AUSDT")
