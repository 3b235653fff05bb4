"""The grammar of symbols: how a crypto is named, and what is traded under the name.

The canonical form of a symbol is one of three, and says its kind: `BTCUSDT` (spot), `BTCUSDT.P` (a
perpetual future) and `BTCUSDT_240329` (a future that expires on that day, YYMMDD). Each is a crypto of its
own. Exchanges and programs spell the same thing in other ways, all of which are read to the canonical form:

    spot          BTCUSDT  btc/usdt  BTC-USDT  BTC_USDT  BINANCE:BTCUSDT
                  BINANCE_SPOT_BTC_USDT
    perpetual     BTCUSDT.P  BTCUSDT_PERP  BTC-PERPETUAL  BTC-USDT-SWAP  BTC/USDT:USDT  BTC_USDT_USDT
    dated future  BTCUSDT_240329  BTCUSDT-240329  BTC-29MAR24  BTC/USDT:USDT-240329

Some exchanges write the quote first, as in KRW-BTC: where money is priced in a crypto, that is refused, for
the prices are those of the other way round.

Letters are A to Z, or of one of the other scripts in which exchanges list symbols: Chinese (币安人生USDT),
Japanese and Korean. Letters of other scripts are refused, for many look like Latin ones: two symbols that
look the same would be two cryptos.
"""

import re
import unicodedata
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import lru_cache

from services.domain.errors import InvalidInput

MAX_SYMBOL_LENGTH = 32
# A name of a file has 255 bytes at most, and there each of these bytes may be written as three characters.
_MAX_BYTES = 64

# What cryptos are priced in: money, and what stands for it.
MONEY = frozenset(
    (
        *("USDT", "USDC", "FDUSD", "TUSD", "BUSD", "USDP", "USDS", "USDE", "USD1", "PYUSD", "RLUSD"),
        *("XUSD", "GUSD", "HUSD", "USDD", "UST", "USD", "DAI", "VAI", "EUR", "GBP", "JPY", "KRW", "TRY"),
        *("AUD", "BRL", "RUB", "UAH", "ZAR", "NGN", "PLN", "RON", "CZK", "ARS", "MXN", "COP", "CHF", "CAD"),
        *("INR", "THB", "VND", "HKD", "SGD", "NZD", "IDR", "IDRT", "BIDR", "BVND", "BKRW", "AEUR", "EURI"),
        *("EURC", "EURT", "EURS"),
    )
)
# And other cryptos.
QUOTES = MONEY | {"BTC", "XBT", "ETH", "BNB", "TRX", "XRP", "DOGE", "DOT", "SOL", "HT", "OKB", "KCS"}
# What programs write before a symbol, and is no crypto's name; two exchanges have a token that is called so.
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
# A word of a symbol in upper case; that it mixes no scripts is looked at apart.
WORD = f"[A-Z0-9{''.join(_SCRIPTS)}]+"
DAY = r"\d{6}|\d{1,2}[A-Z]{3}\d{2}"
PERPETUAL_WORD = "PERP|PERPETUAL|SWAP"

# More symbols than there are: every run of all cryptos reads each of them again.
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


class Kind(StrEnum):
    """What is traded under a symbol."""

    SPOT = "spot"
    PERPETUAL = "perpetual"
    DATED_FUTURE = "dated future"


@dataclass(frozen=True, slots=True)
class Symbol:
    """A symbol that was read. `root` is the pair, or the crypto alone where the quote is not said (BTC-PERP).

    `suffix` is `.P` for a perpetual, `_YYMMDD` for a dated future, and empty for spot.
    """

    root: str
    suffix: str

    @property
    def canonical(self) -> str:
        """The symbol as it is stored."""
        return f"{self.root}{self.suffix}"

    @property
    def kind(self) -> Kind:
        """What is traded."""
        if not self.suffix:
            return Kind.SPOT
        return Kind.PERPETUAL if self.suffix == ".P" else Kind.DATED_FUTURE

    @property
    def is_pair(self) -> bool:
        """Whether it ends in a known quote, and what stands before can be a crypto.

        Of a future the quote may be missing. What people give by hand needs not be a pair; what is read from
        names and columns of files has to be one.
        """
        return bool(self.bases) and not any(
            base in EXCHANGES - _EXCHANGE_TOKENS or (base.isdigit() and base.isascii()) for base in self.bases
        )

    @property
    def bases(self) -> tuple[str, ...]:
        """What may be the base: XRP and XRPB of XRPBUSD. None where it ends in no known quote.

        Of a future without a quote it is all of the root.
        """
        quoted = [quote for quote in QUOTES if self.root.endswith(quote) and self.root != quote]
        bases = tuple(self.root.removesuffix(quote) for quote in quoted)
        return (self.root,) if not bases and self.suffix else bases


def parse_symbol(text: str, field: str = "symbol") -> Symbol:
    """Read a symbol in any of its spellings; raise InvalidInput, naming `field`, where `text` is none."""
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

    A canonical form is returned as it is. Raises InvalidInput, naming `field`, where `text` is no symbol.
    """
    return parse_symbol(text, field).canonical


@lru_cache(maxsize=_MOST_KEPT)
def kind_of(symbol: str) -> Kind:
    """Return what is traded under a canonical symbol, or under one of an earlier version."""
    return parse_symbol(renamed(symbol) or symbol).kind


def renamed(symbol: str) -> str | None:
    """Return what a canonical symbol of an earlier version is called now; None if it is still its name.

    Earlier versions stored BTCUSDT_PERP as BTCUSDTPERP, and BTCUSDT_240329 as BTCUSDT240329.
    """
    if parse_symbol(symbol).kind is not Kind.SPOT:
        return None
    if _is_quoted(symbol.removesuffix("PERP")) and symbol.endswith("PERP"):
        return f"{symbol.removesuffix('PERP')}.P"
    is_dated = _is_quoted(symbol[:-6]) and _day(symbol[-6:]) is not None
    return f"{symbol[:-6]}_{symbol[-6:]}" if is_dated else None


# What is no symbol raises, and is not kept.
@lru_cache(maxsize=_MOST_KEPT)
def _parsed(text: str) -> Symbol:
    """Read a symbol in upper case; raise ValueError, which tells why, where it is none."""
    if exchange := _EXCHANGE.match(text):
        if exchange[1] not in EXCHANGES:
            raise ValueError(f"{exchange[1][:MAX_SYMBOL_LENGTH]} is no exchange that is known")
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
        raise ValueError("some of its characters are no letters or digits")
    if not _ONE_SCRIPT.fullmatch(symbol.canonical):
        raise ValueError("it mixes letters of several scripts")
    return symbol


def _root(text: str) -> tuple[str, bool]:
    """Return the pair, or crypto, without signs, and whether it is said what it is settled in."""
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
        raise ValueError(
            f"it is written the other way round: {quote}{base} if these are prices of {quote} in {base}"
        )
    if quote and quote not in QUOTES:
        raise ValueError(
            f"{quote} is no currency that is known; without a sign before it, it is taken as it is"
        )
    return f"{base}{quote}", settled is not None


def _is_quoted(root: str) -> bool:
    return any(root.endswith(quote) and root != quote for quote in QUOTES)


def _day(text: str) -> str | None:
    """Return a day as YYMMDD; None if it is none. Its year is one of this century."""
    try:
        if text.isdigit():
            day = datetime.strptime(f"20{text}", "%Y%m%d")
        else:
            day = datetime.strptime(f"{text[:-2].rjust(5, '0')}20{text[-2:]}", "%d%b%Y")
    except ValueError:
        return None
    return f"{day:%y%m%d}"
