"""Symbols: however exchanges write them, one name that says its kind; and nothing else."""

import unicodedata
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backcast_engine.errors import InvalidInput
from services.domain.symbols import (
    EXCHANGES,
    MONEY,
    QUOTES,
    CryptoKind,
    canonical_symbol,
    kind_of,
    parse_symbol,
    renamed,
)

HOSTILE = [
    *("", " ", "-", "A\0B", "\u202eTDSU", "BTC\u200bUSDT", "ВТСUSDT", "ſUSDT", "٣USDT", "ß", "ﬀ", "½"),
    *("'; DROP TABLE cryptos; --", "%s%n", "{0}", "../etc/passwd", "A" * 33, "A" * 65_536, "\U0001f680"),
]


@pytest.mark.parametrize(
    "text",
    [
        *(
            "BINANCE_SPOT_BTC_USDT",
            "BTCUSDT",
            "btc/usdt",
            " BTC-USDT ",
            "btc_usdt",
            "BINANCE:BTCUSDT",
            "binance:btcusdt",
        ),
        "COINBASE:BTC-USDT",
    ],
)
def test_spellings_of_one_pair_are_one_symbol(text: str) -> None:
    assert canonical_symbol(text) == "BTCUSDT"
    assert kind_of("BTCUSDT") is CryptoKind.SPOT


@pytest.mark.parametrize(
    ("text", "symbol"),
    [
        *((text, "BTCUSDT.P") for text in ("BTCUSDT.P", "btcusdt.p", "BTCUSDT_PERP", "BTC/USDT:USDT")),
        *((text, "BTCUSDT.P") for text in ("BTC-USDT-SWAP", "BTC_USDT_USDT", "BYBIT:BTCUSDT.P")),
        *(("BTC-PERP", "BTC.P"), ("BTC-PERPETUAL", "BTC.P"), ("BTC_USDC-PERPETUAL", "BTCUSDC.P")),
    ],
)
def test_spellings_of_a_perpetual_are_one_symbol(text: str, symbol: str) -> None:
    assert canonical_symbol(text) == symbol
    assert kind_of(symbol) is CryptoKind.PERPETUAL


@pytest.mark.parametrize(
    ("text", "symbol"),
    [
        *(("BTCUSDT_240329", "BTCUSDT_240329"), ("btcusdt-240329", "BTCUSDT_240329")),
        *(("BTC/USDT:USDT-250627", "BTCUSDT_250627"), ("BTC_USDT_USDT-250627", "BTCUSDT_250627")),
        *(("BTC-USDT-250627", "BTCUSDT_250627"), ("BTCUSDT-27JUN25", "BTCUSDT_250627")),
        *(
            ("BTC-27JUN25", "BTC_250627"),
            ("BTC-7JUN25", "BTC_250607"),
            ("BTC_USDC-27JUN25", "BTCUSDC_250627"),
        ),
    ],
)
def test_spellings_of_a_dated_future_are_one_symbol(text: str, symbol: str) -> None:
    assert canonical_symbol(text) == symbol
    assert kind_of(symbol) is CryptoKind.DATED_FUTURE


@pytest.mark.parametrize(
    ("symbol", "kind"),
    [
        *(("BTCUSDTPERP", CryptoKind.PERPETUAL), ("BTCUSDT240329", CryptoKind.DATED_FUTURE)),
        *(
            ("PERPUSDT", CryptoKind.SPOT),
            ("PERP", CryptoKind.SPOT),
            ("BTCUSDT241399", CryptoKind.SPOT),
            ("240329", CryptoKind.SPOT),
        ),
    ],
)
def test_what_earlier_versions_stored_keeps_its_name_and_has_a_kind(symbol: str, kind: CryptoKind) -> None:
    assert (canonical_symbol(symbol), kind_of(symbol)) == (symbol, kind)
    names = {"BTCUSDTPERP": "BTCUSDT.P", "BTCUSDT240329": "BTCUSDT_240329"}
    assert renamed(symbol) == names.get(symbol)
    assert renamed(names.get(symbol, symbol)) is None


@pytest.mark.parametrize("text", HOSTILE, ids=ascii)
def test_a_malformed_symbol_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match=r"^symbols\[3\]: ") as caught:
        canonical_symbol(text, "symbols[3]")
    # Its sentence is short, and can be printed.
    assert len(str(caught.value)) < 400
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("BTC-27JUN25-60000-C", "it is an option"),
        ("BTC/USDT:USDT-250627-100000-P", "it is an option"),
        ("BTC/USD:BTC", "it is priced in USD and settled in BTC"),
        ("KRW-BTC", "it is reversed: BTCKRW if these are prices of BTC in KRW"),
        *((text, "reversed: BTCUSD") for text in ("usdt_btc", "USD/BTC", "POLONIEX:USDT_BTC")),
        ("USD-ETH-SWAP", "reversed: ETHUSD if"),
        ("FOO:BTCUSDT", "FOO is not a known exchange"),
        ("BTCUSDT_1h", "1H is not a known quote currency"),
        ("BTCUSDT_241329", "241329 is no day"),
        ("BTC-31FEB25", "31FEB25 is no day"),
        *(
            (text, "letters and digits")
            for text in ("BTC--USDT", "BTCUSDT.", "BTCUSDT.PP", ".P", "BTC/USDT:")
        ),
        *((text, "letters and digits") for text in ("BTC.USDT", "B T C", "BTC-", "ＢＴＣUSDT", "ÉUSDT")),
        ("BTCUSDT_2403290", "2403290 is not a known quote currency"),
        ("币あUSDT", "it mixes letters of several scripts"),
        ("币" * 21 + "USDT", "longer than 32 characters, or than 64 bytes"),
    ],
)
def test_what_is_almost_a_symbol_is_refused_with_the_reason(text: str, reason: str) -> None:
    with pytest.raises(InvalidInput, match=f"is not a symbol: .*{reason}"):
        canonical_symbol(text)


@pytest.mark.parametrize("base", ["币安人生", "龙虾", "ビット", "비트코인", "1000币"])
def test_symbols_may_have_letters_of_scripts_that_exchanges_list(base: str) -> None:
    for text in (f"{base}USDT", f"{base}/usdt", unicodedata.normalize("NFD", f"{base}_USDT")):
        assert canonical_symbol(text) == f"{base}USDT"
    assert canonical_symbol(f"{base}USDT.P") == f"{base}USDT.P"


# --- generated


BASES = st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", min_size=1, max_size=8).filter(
    lambda base: base not in MONEY
) | st.text("币安人生龙虾我踏马来了", min_size=1, max_size=5)
EXPIRIES = st.dates(date(2015, 1, 1), date(2068, 12, 31))
SPELLINGS = {
    CryptoKind.SPOT: ("{b}{q}", "{b}/{q}", "{b}-{q}", "{b}_{q}", "KRAKEN:{b}{q}"),
    CryptoKind.PERPETUAL: (
        "{b}{q}.P",
        "{b}{q}_PERP",
        "{b}-{q}-SWAP",
        "{b}/{q}:{q}",
        "{b}_{q}_{q}",
        "{b}{q}-PERP",
    ),
    CryptoKind.DATED_FUTURE: (
        "{b}{q}_{d:%y%m%d}",
        "{b}-{q}-{d:%y%m%d}",
        "{b}/{q}:{q}-{d:%y%m%d}",
        "{b}{q}-{d:%d%b%y}",
    ),
}
SUFFIXES = {
    CryptoKind.SPOT: "",
    CryptoKind.PERPETUAL: ".P",
    CryptoKind.DATED_FUTURE: "_{d:%y%m%d}",
}


@st.composite
def spelled(draw: st.DrawFn) -> tuple[str, str, CryptoKind]:
    """Draw a symbol in one of its spellings, its canonical form and its kind."""
    kind = draw(st.sampled_from(CryptoKind))
    parts = {"b": draw(BASES), "q": draw(st.sampled_from(sorted(QUOTES))), "d": draw(EXPIRIES)}
    text = draw(st.sampled_from(SPELLINGS[kind])).format(**parts)
    if draw(st.booleans()):
        text = text.lower()
    return text, ("{b}{q}" + SUFFIXES[kind]).format(**parts), kind


@given(spelled())
def test_every_spelling_is_one_symbol_of_one_kind(drawn: tuple[str, str, CryptoKind]) -> None:
    text, canonical, kind = drawn
    symbol = parse_symbol(text)
    assert (symbol.canonical, symbol.kind) == (canonical, kind)
    assert parse_symbol(canonical) == symbol


@given(spelled(), st.data())
def test_another_sign_is_the_same_symbol_or_refused(
    drawn: tuple[str, str, CryptoKind], data: st.DataObject
) -> None:
    """A sign more or less, or another one, makes no other kind of the same pair, and no other day of it.

    Where it makes one word of two, the root is longer than the one that was meant: nobody's pair. Only two
    signs write a shorter one: the point of a perpetual (XCOP is X in Colombian pesos, XCO.P a perpetual of
    XCO) and the colon after an exchange (OKX:AEUR).
    """
    text, canonical, _ = drawn
    position = data.draw(st.integers(0, len(text)))
    sign = data.draw(st.sampled_from(["", *"-_/:. ,@"]))
    is_sign = position < len(text) and not text[position].isalnum()
    edited = f"{text[:position]}{sign}{text[position + is_sign :]}"
    try:
        other = parse_symbol(edited)
    except InvalidInput:
        return
    meant = parse_symbol(text)
    writes_shorter_root = (sign == "." and other.canonical == f"{meant.root[:-1]}.P") or (
        sign == ":" and edited[:position].upper() in EXCHANGES
    )
    assert other.canonical == canonical or len(other.root) > len(meant.root) or writes_shorter_root


@given(st.text(max_size=40) | st.text("BTCUSDT.P_/-:2403", max_size=20))
def test_whatever_is_taken_keeps_its_name(text: str) -> None:
    try:
        symbol = canonical_symbol(text)
    except InvalidInput:
        return
    assert canonical_symbol(symbol) == symbol
    assert symbol.replace(".", "").replace("_", "").isalnum()
    assert len(symbol.encode()) <= 64
