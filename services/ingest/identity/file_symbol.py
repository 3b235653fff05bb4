"""The crypto and the length of candles by a file's name and folders.

A name is parsed by a grammar, from its first to its last character:

    [EXCHANGE]  SYMBOL  (LENGTH | dates | market | candles | EXCHANGE)*  endings

`BTCUSDT-1h-2023-01.csv.gz`, `BTC_USDT_USDT-1h-futures.feather`, `Binance_BTCUSDT_2020_1h.csv`,
`BINANCE_BTCUSDT.P, 60.csv`, `XBTUSD_60.csv` and `CCFUSD_H1.csv` are such names. If a name contains a word
that the grammar does not know, it has no symbol: none of its words is taken for one.

Folders count if they are named as in the archives of exchanges: `um/klines/BTCUSDT/1h/` contains the
perpetual BTCUSDT.P, and `markPriceKlines/` contains no candles of a crypto.
"""

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from backcast_engine.errors import InvalidInput
from services.domain.symbols import (
    DAY,
    EXCHANGES,
    MONEY,
    PERPETUAL_WORD,
    QUOTES,
    WORD,
    CryptoKind,
    Symbol,
    parse_symbol,
)
from services.ingest.files.text_rows import shown
from services.ingest.identity.lengths import Evidence, length_from

_ENDINGS = re.compile(
    r"(?: ?\(\d{1,3}\)| - copy)?"
    r"(?:\.(?:csv|txt|tsv|tab|dat|jsonl?|ndjson|feather|arrow|ipc|parquet|pq|zip|gz))*",
    re.IGNORECASE,
)
_END = r"(?=[-_ ,]|$)"
_EXCHANGE = re.compile(r"([A-Za-z]+)[-_ :]")
_SUFFIX = rf"(?:\.P|[-_](?:{PERPETUAL_WORD})|[-_](?:{DAY}))"
# The longest spelling first: WBTC_USDT is not W quoted in BTC.
_SYMBOLS = tuple(
    re.compile(pattern + _END, re.IGNORECASE)
    for pattern in (
        rf"{WORD}_{WORD}_{WORD}(?:-(?:{DAY}))?",
        rf"{WORD}[-_]{WORD}{_SUFFIX}",
        rf"{WORD}{_SUFFIX}",
        rf"{WORD}[-_]{WORD}",
        WORD,
    )
)
_BETWEEN = re.compile(r", ?|[-_ ]")
_YEAR, _MONTH, _DAY_OF_MONTH = r"(?:19|20)\d\d", r"(?:0[1-9]|1[0-2])", r"(?:0[1-9]|[12]\d|3[01])"
_DATE = re.compile(
    rf"(?:{_YEAR}Q[1-4]|{_YEAR}(?:[-_.]?{_MONTH}(?:[-_.]?{_DAY_OF_MONTH}(?:T\d{{4}}(?:\d\d)?Z?)?)?)?"
    rf"|\d{{10}}|\d{{13}}|to){_END}",
    re.IGNORECASE,
)
# TradingView appends this to the length when a chart is exported again.
_EXPORT_NUMBER = re.compile(r"[0-9a-f]{5}$")
_SIGNS = re.compile(r"[-_ ,.():]+")
_CANDLES = frozenset({"candle", "candles", "kline", "klines", "ohlc", "ohlcv", "ohlcvt"})
_FUTURES = frozenset(
    {"futures", "um", "cm", "usdm", "coinm", "swap", "perp", "perpetual", "linear", "inverse"}
)
# In lower case and without a separator, other quotes are ends of words, as in `country`.
_UNMISTAKABLE = re.compile(r".+usd[a-z0-9]?")
# In lower case, longer bases are words.
_MOST_LETTERS = 6
# In lower case they are words, as in `prices_usd` and `data_btc`; DATA_USDT is a pair.
_NO_BASES = frozenset(
    (
        *("data", "candle", "candles", "kline", "klines", "price", "prices", "history", "historical"),
        *("hist", "ohlc", "ohlcv", "chart", "export", "backup", "file", "files", "output", "input"),
        *("result", "results", "market", "markets", "my", "all", "new", "old", "final", "clean", "raw"),
        *("in", "of", "coin", "coins", "spot", "crypto", "strategy", "backtest", "portfolio"),
        *("test", "train", "valid", "validation", "df", "frame", "dataset", "sample", "series", "merged"),
        *("combined", "full", "live", "demo", "example", "feed", "temp", "tmp", "copy", "table", "bar"),
        *("bars", "tick", "ticks", "quote", "quotes", "pair", "pairs", "symbol", "exchange", "model"),
    )
)
# Words of a name, in lower case, for data that is not candles of the crypto itself.
_MARK, _INDEX, _PREMIUM = "mark prices", "index prices", "premium index prices"
_FUNDING, _TRADES, _HEIKIN_ASHI = "funding rates", "trades", "Heikin-Ashi candles"
_OTHER_WORDS = {
    **dict.fromkeys(("mark", "markprice", "markprices", "markpriceklines"), _MARK),
    **dict.fromkeys(("index", "indexprice", "indexprices", "indexpriceklines"), _INDEX),
    **dict.fromkeys(("premium", "premiumindex", "premiumindexklines"), _PREMIUM),
    **dict.fromkeys(("funding", "fundingrate", "fundingrates"), _FUNDING),
    **dict.fromkeys(("trades", "aggtrades"), _TRADES),
    **dict.fromkeys(("ha", "heikin", "ashi", "heikinashi"), _HEIKIN_ASHI),
    **dict.fromkeys(("renko", "kagi"), "candles that are not of equal length"),
    **dict.fromkeys(("bookticker", "bookdepth", "orderbook", "liquidationsnapshot", "metrics"), "no candles"),
    "openinterest": "open interest",
}
# These words are common names of folders: they count only directly above the file.
_WEAK_WORDS = frozenset({"mark", "index", "premium", "funding", "trades", "metrics", "ha", "heikin", "ashi"})
_HOMES = frozenset({"home", "users"})
_ARCHIVE_FOLDERS = frozenset({"daily", "monthly", *_CANDLES})


@dataclass(frozen=True, slots=True)
class FileName:
    """What the name and the folders of a file say.

    `symbol` is None if they have none, for the `reason`. `no_candles` says what the file contains instead of
    a crypto's candles, and is empty if it can contain candles. `lengths` is the evidence of the candles'
    length.
    """

    symbol: str | None
    reason: str = ""
    no_candles: str = ""
    lengths: tuple[Evidence, ...] = ()


def parse_file_name(path: Path, member: str | None = None) -> FileName:
    """Return what the name of a file, and the folders above it, say.

    In an archive of one file, the name of that `member` counts too; if both have different symbols, neither
    counts.
    """
    outer = _from_path(path)
    if member is None:
        return outer
    inner = _from_path(path.parent / member)
    symbol, reason = outer.symbol or inner.symbol, outer.reason
    if outer.symbol and inner.symbol and outer.symbol != inner.symbol:
        symbol, reason = None, f"its name means {outer.symbol}, and the name of the file in it {inner.symbol}"
    lengths = [
        Evidence("the name of the file in it", each.length_s)
        for each in inner.lengths
        if each not in outer.lengths
    ]
    return FileName(symbol, reason, outer.no_candles or inner.no_candles, (*outer.lengths, *lengths))


def _from_path(path: Path) -> FileName:
    stem = _stem(path.name)
    folders = list(reversed(path.absolute().parent.parts))
    near = _near(folders)
    lengths = [
        Evidence("its folder", length_s) for name in near if (length_s := length_from(name, bare=False))
    ][:1]
    no_candles = _other_than_candles(stem, near, folders)
    try:
        symbol, length_s = _read(stem)
    except InvalidInput as error:
        # If the grammar does not know a name, none of its words is a symbol, but one can be a length.
        found = (length_from(word, bare=False) for word in _SIGNS.split(stem))
        lengths[:0] = [Evidence("its name", length_s) for length_s in found if length_s][:1]
        return FileName(None, error.violations[0].reason, no_candles, tuple(lengths))
    if length_s is not None:
        lengths.insert(0, Evidence("its name", length_s))
    if symbol.kind is CryptoKind.SPOT and any(name.lower() in _FUTURES for name in near):
        symbol = Symbol(symbol.root, ".P")
    return FileName(symbol.canonical, no_candles=no_candles, lengths=tuple(lengths))


def symbol_of_content(names: Iterable[str], file_symbol: str | None = None) -> str | None:
    """Return the crypto that a file's content names; None if it names none.

    If the content names only the base of the symbol in the file's name (`file_symbol`), that symbol is meant.
    Raises InvalidInput, of the field `file`, if a name cannot be parsed or is no pair, or if there are
    several.
    """
    symbols: dict[str, tuple[Symbol, str]] = {}
    for text in names:
        try:
            symbol = parse_symbol(text, "file")
        except InvalidInput as error:
            raise InvalidInput.of(
                "file", f"of its rows, {error.violations[0].reason}: give --symbol"
            ) from None
        symbols.setdefault(symbol.canonical, (symbol, text))
    if len(symbols) > 1:
        (_, one), (_, other), *_ = symbols.values()
        raise InvalidInput.of("file", f"its rows are of several cryptos: {shown(one)} and {shown(other)}")
    for canonical, (symbol, text) in symbols.items():
        if symbol.is_pair:
            return canonical
        if file_symbol and canonical in parse_symbol(file_symbol).bases:
            return file_symbol
        raise InvalidInput.of(
            "file", f"its rows name the crypto {shown(text)}, which is no pair like BTCUSDT: give --symbol"
        )
    return None


def _stem(name: str) -> str:
    """Return a name without the endings of formats, and without the number of a copy."""
    name = unicodedata.normalize("NFC", name)
    return next((name[:end] for end in range(1, len(name)) if _ENDINGS.fullmatch(name, end)), name)


def _read(stem: str) -> tuple[Symbol, int | None]:
    """Return the symbol and the length of a name; raise InvalidInput if the grammar does not know it."""
    exchange = _EXCHANGE.match(stem)
    begin = exchange.end() if exchange and exchange[1].upper() in EXCHANGES else 0
    _refuse_other_way_round(stem, begin)
    begin, symbol = _first_symbol(stem, begin) if begin else (0, None)
    if symbol is None:
        begin, symbol = _first_symbol(stem, 0)
    if symbol is None:
        raise InvalidInput.of("file", f"its name {shown(stem)} does not begin with a pair like BTCUSDT")
    lengths: list[int] = []
    while begin < len(stem):
        between = _BETWEEN.match(stem, begin)
        begin = between.end() if between else begin
        if lengths and _EXPORT_NUMBER.match(stem, begin) and between and ", " in stem:
            break
        if date := _DATE.match(stem, begin):
            begin = date.end()
            continue
        word = _BETWEEN.split(stem[begin:], maxsplit=1)[0]
        if length_s := length_from(word):
            lengths.append(length_s)
        elif word.lower() in _FUTURES:
            if symbol.kind is CryptoKind.SPOT:
                symbol = Symbol(symbol.root, ".P")
        elif word.lower() == "spot" and symbol.kind is not CryptoKind.SPOT:
            raise InvalidInput.of("file", f"its name {shown(stem)} means both a future and spot")
        elif not between or (word.lower() not in (*_CANDLES, "spot") and word.upper() not in EXCHANGES):
            raise InvalidInput.of(
                "file", f"its name {shown(stem)} has {shown(word)}, which is no part of a name"
            )
        begin += len(word)
    if len(set(lengths)) > 1:
        raise InvalidInput.of("file", f"its name {shown(stem)} has two lengths of candles")
    return symbol, lengths[0] if lengths else None


def _refuse_other_way_round(stem: str, begin: int) -> None:
    """Raise InvalidInput, of the field `file`, if a name has KRW-BTC for BTC in KRW."""
    words = _SIGNS.split(stem[begin:].upper())
    if len(words) > 1 and words[0] in MONEY and words[1] in QUOTES - MONEY:
        raise InvalidInput.of(
            "file",
            f"its name {shown(stem)} has {words[0]}-{words[1]}, which is reversed "
            f"(--symbol {words[1]}{words[0]} if these are prices of {words[1]} in {words[0]})",
        )


def _first_symbol(stem: str, begin: int) -> tuple[int, Symbol | None]:
    """Return the end of the pair at `begin`, and the pair; None if there is none."""
    for pattern in _SYMBOLS:
        if (found := pattern.match(stem, begin)) and (symbol := _pair(found[0])):
            return found.end(), symbol
    return begin, None


def _pair(text: str) -> Symbol | None:
    if text not in (text.upper(), text.lower()):
        return None  # `data_BTC` is written in two ways: a word and a crypto, not a pair
    try:
        symbol = parse_symbol(text)
    except InvalidInput:
        return None
    return symbol if symbol.is_pair and not _begins_with_word(text) else None


def _begins_with_word(text: str) -> bool:
    """Return whether the base of a possible pair is rather a word: data_btc, 1H_BTC, mybtc, pricesusdt."""
    base, quote, has_sign = _base_and_quote(text)
    spellings = (base, base.lower(), base.upper())
    # D, H and W are also names of tokens.
    if any(length_from(each, bare=len(base) > 2 and not base.isdecimal()) for each in spellings):
        return True
    word = base.lower().strip("0123456789")
    is_no_base = word in _NO_BASES or word in _FUTURES
    if word in _CANDLES or (is_no_base and has_sign and quote in QUOTES - MONEY):
        return True
    if not text.islower():
        return False
    if quote in QUOTES - MONEY:
        return base.upper() not in QUOTES
    is_end_of_word = quote and not has_sign and not _UNMISTAKABLE.fullmatch(base + quote.lower())
    return is_no_base or bool(is_end_of_word) or sum(map(str.isalpha, base)) > _MOST_LETTERS


def _base_and_quote(text: str) -> tuple[str, str, bool]:
    """Return the base as it is written, the quote in upper case, and whether a separator is between them.

    The quote is empty if none is known.
    """
    first, *others = _SIGNS.split(text)
    if others and others[0].upper() in QUOTES:
        return first, others[0].upper(), True
    quotes = [quote for quote in QUOTES if first.upper().endswith(quote) and first.upper() != quote]
    quote = max(quotes, key=len, default="")
    return first.removesuffix(quote).removesuffix(quote.lower()), quote, False


def _near(folders: list[str]) -> list[str]:
    """Return the folders directly above that look like an archive's: `um`, `klines`, `BTCUSDT`, `1h`."""
    near = []
    for name in folders:
        is_of_archive = (
            name.lower() in _ARCHIVE_FOLDERS
            or length_from(name, bare=False)
            or _DATE.fullmatch(name)
            or _pair(name)
        )
        near.append(name)
        if not is_of_archive:
            break
    return near


def _other_than_candles(stem: str, near: list[str], folders: list[str]) -> str:
    """Return what a file contains instead of candles, and what says so; empty if nothing does."""
    words = _SIGNS.split(stem)
    for word in (*words, *(f"{one}{other}" for one, other in pairwise(words))):
        if what := _OTHER_WORDS.get(word.lower()):
            return f"by its name, it holds {what}"
    for number, name in enumerate(folders):
        word = _SIGNS.sub("", name).lower()
        is_home = number + 1 < len(folders) and folders[number + 1].lower() in _HOMES
        if (what := _OTHER_WORDS.get(word)) and (
            word not in _WEAK_WORDS or (number < len(near) and not is_home)
        ):
            return f"by its folder {shown(name)}, it holds {what}"
    return ""
