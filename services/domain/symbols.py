"""The grammar of symbols: the names of cryptos, and what is traded under them.

The canonical form of a symbol is one of three, one for each kind: `BTCUSDT` (spot), `BTCUSDT.P` (a
perpetual future) and `BTCUSDT_240329` (a future that expires on that day, YYMMDD). Each is a separate crypto.
Exchanges and programs spell the same symbol in other ways, which are all converted to the canonical form:

    spot          BTCUSDT  btc/usdt  BTC-USDT  BTC_USDT  BINANCE:BTCUSDT
                  BINANCE_SPOT_BTC_USDT
    perpetual     BTCUSDT.P  BTCUSDT_PERP  BTC-PERPETUAL  BTC-USDT-SWAP  BTC/USDT:USDT  BTC_USDT_USDT
    dated future  BTCUSDT_240329  BTCUSDT-240329  BTC-29MAR24  BTC/USDT:USDT-240329

Some exchanges write the quote currency first, as in KRW-BTC. A symbol that would quote money in a crypto is
refused, because its prices are those of the reversed pair.

Letters are A to Z, or of one of the other scripts in which exchanges list symbols: Chinese (币安人生USDT),
Japanese and Korean. Letters of other scripts are refused, because many look like Latin ones: two symbols that
look the same would be two cryptos.
"""

import re
import unicodedata
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import lru_cache

from backcast_engine.errors import InvalidInput

MAX_SYMBOL_LENGTH = 32
# File names have at most 255 bytes, and each byte of a symbol may be written there as three characters.
_MAX_BYTES = 64

# Quote currencies of cryptos: money, and coins that stand for it.
MONEY = frozenset(
    (
        *("USDT", "USDC", "FDUSD", "TUSD", "BUSD", "USDP", "USDS", "USDE", "USD1", "PYUSD", "RLUSD"),
        *("XUSD", "GUSD", "HUSD", "USDD", "UST", "USD", "DAI", "VAI", "EUR", "GBP", "JPY", "KRW", "TRY"),
        *("AUD", "BRL", "RUB", "UAH", "ZAR", "NGN", "PLN", "RON", "CZK", "ARS", "MXN", "COP", "CHF", "CAD"),
        *("INR", "THB", "VND", "HKD", "SGD", "NZD", "IDR", "IDRT", "BIDR", "BVND", "BKRW", "AEUR", "EURI"),
        *("EURC", "EURT", "EURS"),
    )
)
# Cryptos that other cryptos are quoted in.
QUOTES = MONEY | {"BTC", "XBT", "ETH", "BNB", "TRX", "XRP", "DOGE", "DOT", "SOL", "HT", "OKB", "KCS"}
# Exchanges, whose names programs write before a symbol. Two of them are also names of tokens.
EXCHANGES = frozenset(
    (
        *("BINANCE", "BINANCEUS", "BINANCEUSDM", "BITFINEX", "BITGET", "BITHUMB", "BITMART", "BITMEX"),
        *("BITSTAMP", "BITTREX", "BITVAVO", "BYBIT", "COINBASE", "COINBASEPRO", "COINEX", "CRYPTO"),
        *("CRYPTOCOM", "DERIBIT", "DYDX", "EXMO", "FTX", "GATE", "GATEIO", "GEMINI", "HITBTC", "HTX"),
        *("HUOBI", "HYPERLIQUID", "KRAKEN", "KUCOIN", "LBANK", "MEXC", "OKCOIN", "OKEX", "OKX", "PHEMEX"),
        *("POLONIEX", "UPBIT", "WHITEBIT", "WOONETWORK", "BINGX", "BITFLYER", "BITRUE", "CEX"),
    )
)
_EXCHANGE_TOKENS = frozenset({"DYDX", "HTX"})
_SCRIPTS = (
    "\u3400-\u4dbf\u4e00-\u9fff\U00020000-\U0003ffff",  # Chinese
    "\u3041-\u3096\u30a1-\u30fa\u30fc",  # Japanese kana
    "\uac00-\ud7a3",  # Korean
)
# A word of a symbol in upper case; mixed scripts are checked separately.
WORD = f"[A-Z0-9{''.join(_SCRIPTS)}]+"
DAY = r"\d{6}|\d{1,2}[A-Z]{3}\d{2}"
PERPETUAL_WORD = "PERP|PERPETUAL|SWAP"

# Cache size: more than there are symbols, because every run of all cryptos parses each of them again.
_MOST_KEPT = 16_384

_EXCHANGE = re.compile(r"([A-Z0-9]+):")
# CoinAPI's names of spot pairs.
_COIN_API = re.compile(rf"(?P<exchange>[A-Z0-9]+)_SPOT_(?P<pair>{WORD}_{WORD})")
_OPTION = re.compile(rf".+[-_](?:{DAY})-[0-9.]+-[CP]")
_PERPETUAL = re.compile(rf"(?P<root>.+?)(?:\.P|[-_](?:{PERPETUAL_WORD}))")
_DATED = re.compile(rf"(?P<root>.+?)[-_](?P<day>{DAY})")
_ROOT = re.compile(rf"(?P<base>{WORD})(?:[/_-](?P<quote>{WORD}))?")
_SETTLED_ROOT = re.compile(
    rf"(?P<base>{WORD})(?:/(?P<quote>{WORD}):|_(?P<other_quote>{WORD})_)(?P<settled>{WORD})"
)
_ONE_SCRIPT = re.compile("|".join(f"[A-Z0-9._{script}]*" for script in _SCRIPTS))
_ASCII_UPPER = {ord(lower): lower.upper() for lower in "abcdefghijklmnopqrstuvwxyz"}


class CryptoKind(StrEnum):
    """What is traded under a symbol."""

    SPOT = "spot"
    PERPETUAL = "perpetual"
    DATED_FUTURE = "dated future"


@dataclass(frozen=True, slots=True)
class Symbol:
    """A parsed symbol. `root` is the pair, or the crypto alone if the quote is not given (BTC-PERP).

    `suffix` is `.P` for a perpetual, `_YYMMDD` for a dated future, and empty for spot.
    """

    root: str
    suffix: str

    @property
    def canonical(self) -> str:
        """The canonical form, under which the crypto is stored."""
        return f"{self.root}{self.suffix}"

    @property
    def kind(self) -> CryptoKind:
        """What is traded."""
        if not self.suffix:
            return CryptoKind.SPOT
        return CryptoKind.PERPETUAL if self.suffix == ".P" else CryptoKind.DATED_FUTURE

    @property
    def is_pair(self) -> bool:
        """Whether it ends in a known quote currency, and the part before it can be a crypto.

        A future may lack the quote. A symbol that a user gives need not be a pair; a symbol from the name or
        a column of a file must be one.
        """
        return bool(self.bases) and not any(
            base in EXCHANGES - _EXCHANGE_TOKENS or (base.isdigit() and base.isascii()) for base in self.bases
        )

    @property
    def bases(self) -> tuple[str, ...]:
        """The possible bases: XRP and XRPB of XRPBUSD. Empty if it ends in no known quote.

        For a future without a quote, it is the whole root.
        """
        quoted = [quote for quote in QUOTES if self.root.endswith(quote) and self.root != quote]
        bases = tuple(self.root.removesuffix(quote) for quote in quoted)
        return (self.root,) if not bases and self.suffix else bases


def parse_symbol(text: str, field: str = "symbol") -> Symbol:
    """Parse a symbol in any spelling; raise InvalidInput, naming `field`, if `text` is not a symbol."""
    upper = unicodedata.normalize("NFC", text.strip()[: 4 * MAX_SYMBOL_LENGTH]).translate(_ASCII_UPPER)
    if not upper:
        raise InvalidInput.of(field, "a symbol is needed")
    try:
        symbol = _parsed(upper)
    except ValueError as error:
        shown = text if len(text) <= MAX_SYMBOL_LENGTH else f"{text[:MAX_SYMBOL_LENGTH]}…"
        raise InvalidInput.of(field, f"{shown!r} is not a symbol: {error}") from None
    return symbol


def canonical_symbol(text: str, field: str = "symbol") -> str:
    """Return the canonical form of a symbol: `btc/usdt`, `BTC-USDT` and `BTC_USDT` are all BTCUSDT.

    A canonical form is returned unchanged. Raises InvalidInput, naming `field`, if `text` is not a symbol.
    """
    return parse_symbol(text, field).canonical


@lru_cache(maxsize=_MOST_KEPT)
def kind_of(symbol: str) -> CryptoKind:
    """Return the kind of a canonical symbol, or of a symbol of an earlier version."""
    return parse_symbol(renamed(symbol) or symbol).kind


def renamed(symbol: str) -> str | None:
    """Return the present name of a canonical symbol of an earlier version; None if it has not changed.

    Earlier versions stored BTCUSDT_PERP as BTCUSDTPERP, and BTCUSDT_240329 as BTCUSDT240329.
    """
    if parse_symbol(symbol).kind is not CryptoKind.SPOT:
        return None
    if _is_quoted(symbol.removesuffix("PERP")) and symbol.endswith("PERP"):
        return f"{symbol.removesuffix('PERP')}.P"
    is_dated = _is_quoted(symbol[:-6]) and _day(symbol[-6:]) is not None
    return f"{symbol[:-6]}_{symbol[-6:]}" if is_dated else None


# Invalid symbols raise, and are not cached.
@lru_cache(maxsize=_MOST_KEPT)
def _parsed(text: str) -> Symbol:
    """Parse a symbol in upper case; raise ValueError, with the reason, if it is not one."""
    if exchange := _EXCHANGE.match(text):
        if exchange[1] not in EXCHANGES:
            raise ValueError(f"{exchange[1][:MAX_SYMBOL_LENGTH]} is not a known exchange")
        text = text[exchange.end() :]
    elif (coin_api := _COIN_API.fullmatch(text)) and coin_api["exchange"] in EXCHANGES:
        text = coin_api["pair"]
    if _OPTION.fullmatch(text):
        raise ValueError("it is an option, and the prices of an option are not those of a crypto")
    if perpetual := _PERPETUAL.fullmatch(text):
        symbol = Symbol(_root(perpetual["root"])[0], ".P")
    elif dated := _DATED.fullmatch(text):
        day = _day(dated["day"])
        if day is None:
            raise ValueError(f"{dated['day']} is no day, like 240329 or 29MAR24")
        symbol = Symbol(_root(dated["root"])[0], f"_{day}")
    else:
        root, is_settled = _root(text)
        symbol = Symbol(root, ".P" if is_settled else "")
    if len(symbol.canonical) > MAX_SYMBOL_LENGTH or len(symbol.canonical.encode()) > _MAX_BYTES:
        raise ValueError(
            f"it is longer than {MAX_SYMBOL_LENGTH} characters, or than {_MAX_BYTES} bytes of UTF-8"
        )
    if not symbol.canonical.replace(".", "").replace("_", "").isalnum():
        raise ValueError("some of its characters are neither letters nor digits")
    if not _ONE_SCRIPT.fullmatch(symbol.canonical):
        raise ValueError("it mixes letters of several scripts")
    return symbol


def _root(text: str) -> tuple[str, bool]:
    """Return the pair or crypto without separators, and whether the settlement currency is given."""
    if settled := _SETTLED_ROOT.fullmatch(text):
        base, quote = settled["base"], settled["quote"] or settled["other_quote"]
        if quote != settled["settled"]:
            raise ValueError(f"it is priced in {quote} and settled in {settled['settled']}")
    elif root := _ROOT.fullmatch(text):
        base, quote = root["base"], root["quote"] or ""
    else:
        raise ValueError(
            f"1 to {MAX_SYMBOL_LENGTH} letters and digits, like BTCUSDT, BTCUSDT.P or BTCUSDT_240329"
        )
    if base in MONEY and quote in QUOTES - MONEY:
        raise ValueError(f"it is reversed: {quote}{base} if these are prices of {quote} in {base}")
    if quote and quote not in QUOTES:
        raise ValueError(
            f"{quote} is not a known quote currency; without a separator before it, any letters are taken"
        )
    return f"{base}{quote}", settled is not None


def _is_quoted(root: str) -> bool:
    return any(root.endswith(quote) and root != quote for quote in QUOTES)


def _day(text: str) -> str | None:
    """Return a day of this century as YYMMDD; None if it is not one."""
    try:
        if text.isdigit():
            day = datetime.strptime(f"20{text}", "%Y%m%d")
        else:
            day = datetime.strptime(f"{text[:-2].rjust(5, '0')}20{text[-2:]}", "%d%b%Y")
    except ValueError:
        return None
    return f"{day:%y%m%d}"
