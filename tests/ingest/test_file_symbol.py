"""Whose candles a file holds: its name and folders by a grammar."""

from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backcast_engine.errors import InvalidInput
from backcast_engine.interval import Interval
from services.domain.symbols import QUOTES, canonical_symbol
from services.ingest.detect import read_file
from services.ingest.identity.file_symbol import parse_file_name
from tests.ingest.conftest import HEADER, NOW_S, OHLCV, START_S


@pytest.mark.parametrize(
    ("name", "symbol", "length_s"),
    [
        *(("BTCUSDT.csv.gz", "BTCUSDT", None), ("BTCUSDT-1h-2023-01.csv.gz", "BTCUSDT", 3600)),
        *(("BTCUSDT-8h-2024-01-01.zip", "BTCUSDT", 28_800), ("BTC_USDT-1h.json.gz", "BTCUSDT", 3600)),
        *(("1INCH_USDT-1h.json", "1INCHUSDT", 3600), ("DATA_USDT-1h.json", "DATAUSDT", 3600)),
        *(("btcusdt.csv", "BTCUSDT", None), ("btc_usdt-1h.json", "BTCUSDT", 3600)),
        *(("ETHUSD_60.csv.gz", "ETHUSD", 3600), ("XBTUSD_1440.csv", "XBTUSD", 86_400)),
        *(("eth-btc.csv", "ETHBTC", None), ("ethbtc.csv", "ETHBTC", None), ("sol_eur.csv", "SOLEUR", None)),
        *(("PERP_USDT-1h.json", "PERPUSDT", 3600), ("PERPUSDT.csv", "PERPUSDT", None)),
        *(
            ("H_USDT-1h.csv", "HUSDT", 3600),
            ("DBTC.csv", "DBTC", None),
            ("btcusdt-perp.csv", "BTCUSDT.P", None),
        ),
        *(("SNX_BTC-1h.json", "SNXBTC", 3600), ("TUSDBTC-1h.csv", "TUSDBTC", 3600)),
        *(
            ("USDT_KRW.csv", "USDTKRW", None),
            ("EUR-USDT.csv", "EURUSDT", None),
            ("BTC-USD.csv", "BTCUSD", None),
            ("BTCUSDT", "BTCUSDT", None),
        ),
        *(("2Z_USDT-1h.json", "2ZUSDT", 3600), ("BTCUSDT (1).csv", "BTCUSDT", None)),
        *(("WBTC_USDT-1h.json", "WBTCUSDT", 3600), ("BTCEUR-1m-2020.csv", "BTCEUR", 60)),
        *(("Binance_BTCUSDT_1h.csv", "BTCUSDT", 3600), ("Binance_BTCUSDT_2020_1h.csv", "BTCUSDT", 3600)),
        *(("Gemini_BTCUSD_day.csv", "BTCUSD", 86_400), ("Binance_BTCUSDT_d.csv", "BTCUSDT", 86_400)),
        *(("BINANCE_BTCUSDT, 60.csv", "BTCUSDT", 3600), ("BINANCE_BTCUSDT, 1D.csv", "BTCUSDT", 86_400)),
        *(
            ("BINANCE_BTCUSDT.P, 60.csv", "BTCUSDT.P", 3600),
            ("BYBIT_BTCUSDT.P, 240_4f1c0.csv", "BTCUSDT.P", 14_400),
        ),
        *(
            ("CCFUSD_H1.csv", "CCFUSD", 3600),
            ("CCFUSD_M15.csv", "CCFUSD", 900),
            ("CCFUSD_D1.csv", "CCFUSD", 86_400),
        ),
        *(("BTCUSDT.P_1h.csv", "BTCUSDT.P", 3600), ("BTCUSDT_PERP-1h-2024-01.csv", "BTCUSDT.P", 3600)),
        *(("ETH_USDT_USDT-1m-futures.feather", "ETHUSDT.P", 60), ("BTC-PERPETUAL.csv", "BTC.P", None)),
        *(("BTCUSDT-1h-futures.csv", "BTCUSDT.P", 3600), ("BTC-USDT-SWAP_1H.csv", "BTCUSDT.P", 3600)),
        *(
            ("BTCUSDT_240329-1h-2024-01.csv", "BTCUSDT_240329", 3600),
            ("BTCUSDT-240329.csv", "BTCUSDT_240329", None),
        ),
        *(
            ("BTC-27JUN25.csv", "BTC_250627", None),
            ("BTC_USDT_USDT-250627-1h-futures.feather", "BTCUSDT_250627", 3600),
        ),
        *(
            ("币安人生USDT-1h-2025-10.csv", "币安人生USDT", 3600),
            ("币安人生_USDT-1h.json", "币安人生USDT", 3600),
        ),
        *(("BTCUSDT_1h_ohlcv.csv", "BTCUSDT", 3600), ("BTCUSD_2014-01-01_2024-12-31.csv", "BTCUSD", None)),
    ],
)
def test_names_in_the_grammar_contain_their_symbols(name: str, symbol: str, length_s: int | None) -> None:
    parsed = parse_file_name(Path("/data") / name)
    assert (parsed.symbol, parsed.no_candles) == (symbol, "")
    assert [each.length_s for each in parsed.lengths] == ([] if length_s is None else [length_s])


@pytest.mark.parametrize(
    "name",
    [
        *("candles.csv", "data.json.gz", "2023-01.csv", "data_BTC.csv", "USDT.csv", ".csv", "ÉUSDT.csv"),
        *(
            f"{'A' * 40}USDT.csv",
            "my-own-usdt.csv",
            "BTC.csv",
            "BINANCE.csv",
            "BINANCE_1h.csv",
            "prices_usd.csv",
        ),
        *("country.csv", "history_btc.csv", "BINANCEUSDT.csv", "BTCUSDT_a.csv", "BTCUSDT-1h-final.csv"),
        *(
            "BTCUSDT_ETHUSDT.csv",
            "BTCUSDT_241329.csv",
            "BTC-27JUN25-60000-C.csv",
            "my BTCUSDT.csv",
            "2024USD.csv",
        ),
        *(
            "BTCUSDT.P.bak",
            "BTCUSDT_1h_4h.csv",
            "FOO_BTCUSDT_1h.csv",
            "BTC USDT.csv",
            "BTCUSDT.",
            "btcUSDT.csv",
        ),
        # Words and a crypto.
        *("test_btc.csv", "train_btc.csv", "df_btc.csv", "perp_btc.csv", "mybtc.csv", "pricesusdt.csv"),
        *("daily_sol.csv", "1h_btc.csv", "1H_BTC.csv", "OHLCV_BTC.csv", "PERP_BTC.csv", "TEST_BTC.csv"),
        *("1h_usdt.csv", "H1_USDT.csv", "4H-USD.csv", "DAILY_USDT.csv", "OHLCV_USDT.csv", "perp_usdt.csv"),
        *(
            "test_usdt.csv",
            "testusdt.csv",
            "test2_usd.csv",
            "backtests_usdt.csv",
            "my-bnb.csv",
            "dailyusdt.csv",
        ),
        *("1H_BTCUSDT.csv", "prod_eth_1h.csv"),
    ],
)
def test_names_that_the_grammar_does_not_know_name_no_crypto(name: str) -> None:
    parsed = parse_file_name(Path("/BTCUSDT") / name)
    assert parsed.symbol is None
    assert parsed.reason.startswith("its name ")


@pytest.mark.parametrize(
    ("name", "pair", "expected"),
    [
        *(("KRW-BTC.csv", "BTCKRW", "BTC in KRW"), ("USDT_BTC-1h.json", "BTCUSDT", "BTC in USDT")),
        *(("Upbit_KRW-ETH_1h.csv", "ETHKRW", "ETH in KRW"), ("usd-btc.csv", "BTCUSD", "BTC in USD")),
        ("TUSD-BTC.csv", "BTCTUSD", "BTC in TUSD"),
    ],
)
def test_a_pair_in_reverse_order_names_no_crypto(name: str, pair: str, expected: str) -> None:
    parsed = parse_file_name(Path(name))
    assert parsed.symbol is None
    assert f"reversed (--symbol {pair} if these are prices of {expected})" in parsed.reason


@pytest.mark.parametrize(
    ("path", "what"),
    [
        *(
            ("um/markPriceKlines/AUSDT/1h/AUSDT-1h-2024-01.csv", "mark prices"),
            ("mark/AUSDT.csv", "mark prices"),
        ),
        ("futures/um/monthly/indexPriceKlines/AUSDT/1h/AUSDT-1h-2024-01.csv", "index prices"),
        ("um/premiumIndexKlines/AUSDT/1h/2024/AUSDT-1h-2024-01.csv", "premium index prices"),
        *(
            ("fundingRate/AUSDT/AUSDT-fundingRate-2024-01.csv", "funding rates"),
            ("aggTrades/AUSDT.csv", "trades"),
        ),
        *(
            ("A_USDT_USDT-1h-mark.feather", "mark prices"),
            ("A_USDT_USDT-8h-funding_rate.feather", "funding rates"),
        ),
        *(("AUSDT-premiumIndex-1h.csv", "premium index prices"), ("INDEX_AUSD, 60.csv", "index prices")),
        *(
            ("AUSDT_HeikinAshi_1h.csv", "Heikin-Ashi candles"),
            ("BINANCE_AUSDT, 60 (Heikin Ashi).csv", "Heikin-Ashi"),
        ),
        *(("AUSDT_1h_HA.csv", "Heikin-Ashi candles"), ("AUSDT-trades-2024-01.csv", "trades")),
    ],
)
def test_what_is_no_candles_of_the_pair_is_refused(tmp_path: Path, path: str, what: str) -> None:
    file = tmp_path / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f"{HEADER}{START_S},{OHLCV}\n{START_S + 3600},{OHLCV}\n")
    with pytest.raises(InvalidInput) as caught:
        read_file(file, Interval.HOUR_1, now_s=NOW_S)
    assert what in str(caught.value)
    assert "not candles of a crypto: give --symbol" in str(caught.value)
    reading = read_file(file, Interval.HOUR_1, now_s=NOW_S, symbol="AUSDTMARK", length_s=3600)
    assert (reading.symbol, len(reading.candles)) == ("AUSDTMARK", 2)


@pytest.mark.parametrize(
    ("path", "symbol"),
    [
        *(("um/klines/AUSDT/1h/AUSDT-1h-2024-01.csv", "AUSDT.P"), ("futures/AUSDT.csv", "AUSDT.P")),
        *(
            ("futures/um/daily/klines/AUSDT/1h/AUSDT-1h-2024-01-01.csv", "AUSDT.P"),
            ("um/AUSDT_240329.csv", "AUSDT_240329"),
        ),
        *(
            ("spot/monthly/klines/AUSDT/1h/AUSDT-1h-2024-01.csv", "AUSDT"),
            ("futures/spot/AUSDT.csv", "AUSDT"),
        ),
        *(
            ("futures/mine/AUSDT.csv", "AUSDT"),
            ("home/mark/AUSDT.csv", "AUSDT"),
            ("trades/of/mine/AUSDT.csv", "AUSDT"),
        ),
    ],
)
def test_folders_of_archives_name_the_market(path: str, symbol: str) -> None:
    parsed = parse_file_name(Path("/") / path)
    assert (parsed.symbol, parsed.no_candles) == (symbol, "")


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("kinds-of-klines-mixed/BTCUSDT.P_1h.csv", "BTCUSDT.P"),
        ("kinds-of-klines-mixed/quarter/GGGUSDT-1h-2024-01.csv", "GGGUSDT"),
        ("kinds-of-klines-mixed/quarter/GGGUSDT_240329-1h-2024-01.csv", "GGGUSDT_240329"),
        ("kinds-of-klines-mixed/um/klines/AQUSDT/1h/AQUSDT-1h-2024-01.csv", "AQUSDT.P"),
        ("kinds-of-klines-mixed/um/markPriceKlines/AQUSDT/1h/AQUSDT-1h-2024-01.csv", "it holds mark prices"),
        (
            "kinds-of-klines-mixed/um/premiumIndexKlines/AQUSDT/1h/AQUSDT-1h-2024-01.csv",
            "premium index prices",
        ),
        ("symbol-column/VVAUSDT_a.csv", "VVAUSDT"),
        ("symbol-column/candles_b.csv", "VVBUSDT"),
        ("symbol-column/VVCUSDT_c.csv", "VVDUSDT.P"),
        ("symbol-column/VVGUSDT.csv", "its rows name VVHUSDT_250627, and the file is named for VVGUSDT"),
    ],
)
def test_samples_of_file_names_contain_their_symbols(import_cases: Path, path: str, expected: str) -> None:
    try:
        assert read_file(import_cases / path, Interval.HOUR_1, now_s=NOW_S).symbol == expected
    except InvalidInput as refused:
        assert " " in expected
        assert expected in str(refused)


# No word begins so: a file whose name has SYMBOL9_XBT does not name its symbol.
BASES = st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ", min_size=3, max_size=6).map(lambda base: f"ZQ{base}9")


SYMBOLS = (
    "{b}{q}",
    "{b}_{q}",
    "{b}-{q}",
    "{b}{q}.P",
    "{b}{q}_PERP",
    "{b}_{q}_{q}",
    "{b}{q}_{d}",
    "{b}_{q}_{q}-{d}",
)


NAMES = ("{s}.csv", "{s}-1h-2024-01.csv", "BINANCE_{s}, 60.csv", "Binance_{s}_2020_1h.csv", "{s}_H1.csv.gz")


@st.composite
def named(draw: st.DrawFn) -> tuple[str, str]:
    """Draw a file's name from the grammar, and its symbol."""
    parts = {
        "b": draw(BASES),
        "q": draw(st.sampled_from(sorted(QUOTES))),
        "d": f"{draw(st.dates(date(2020, 1, 1), date(2068, 12, 31))):%y%m%d}",
    }
    symbol = draw(st.sampled_from(SYMBOLS)).format(**parts)
    return draw(st.sampled_from(NAMES)).format(s=symbol), canonical_symbol(symbol)


@given(named())
def test_names_from_the_grammar_contain_their_symbol(drawn: tuple[str, str]) -> None:
    name, symbol = drawn
    assert parse_file_name(Path(name)).symbol == symbol


@given(named(), st.data())
def test_a_name_near_the_grammar_has_the_same_symbol_or_none(
    drawn: tuple[str, str], data: st.DataObject
) -> None:
    """A word more in a name never makes it the name of another crypto; nor does a sign that is lost."""
    name, symbol = drawn
    stem, dot, ending = name.partition(".csv")
    word = data.draw(
        st.sampled_from(["x", "old", "mark", "index", "copy of", "USDTperp", "premium", "2nd", "."])
    )
    places = [0, *(place + 1 for place, sign in enumerate(stem) if sign in "-_ "), len(stem)]
    place = data.draw(st.sampled_from(places))
    begin, end = stem[:place], stem[place:]
    edited = f"{begin}_{word}" if not end else f"{begin}{word}{data.draw(st.sampled_from('-_ '))}{end}"
    parsed = parse_file_name(Path(f"{edited}{dot}{ending}"))
    assert parsed.symbol in (symbol, None) or parsed.no_candles
