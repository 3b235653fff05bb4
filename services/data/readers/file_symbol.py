"""Which crypto a file is about, as its name tells it."""

import re
from pathlib import Path

from services.shared.errors import InvalidInput
from services.shared.symbols import canonical_symbol

# What cryptos are priced in. The name of a pair ends in one of these; other words rarely do.
_QUOTES = (
    *("USDT", "USDC", "FDUSD", "TUSD", "BUSD", "USD", "DAI"),
    *("EUR", "GBP", "JPY", "KRW", "TRY", "AUD", "BRL"),
    *("BTC", "XBT", "ETH", "BNB"),
)
# 1h, 60 (Kraken's minutes), 2023, 01: where the symbol ends, and what the candles are begins.
_INTERVAL_OR_DATE = re.compile(r"\d+[A-Za-z]?")
_SEPARATORS = re.compile(r"[-_ ()]+")


def symbol_of(path: Path) -> str | None:
    """Return the symbol that a file's name begins with, or None where it tells none.

    `BTCUSDT.csv.gz`, `BTCUSDT-1h-2023-01.csv.gz`, `btc_usdt-1h.json`, `Binance_BTCUSDT_1h.csv` and
    `BTC_USDT_USDT-1h-futures.feather` are BTCUSDT; `candles.csv` none.
    """
    words: list[str] = []
    for word in _SEPARATORS.split(path.name.split(".", 1)[0]):
        if words and _INTERVAL_OR_DATE.fullmatch(word):
            break
        words.append(word)
    words = [word for word in words if word]
    if len(words) == 3 and words[1] == words[2]:
        words.pop()  # a future's name ends in what it is settled in
    pairs = [words, *([word] for word in words)]
    return next((told for pair in pairs if _is_pair(pair) and (told := symbol_from("".join(pair)))), None)


def symbol_from(text: str) -> str | None:
    """Return a crypto's name as a symbol, None where it is none: `ETH/USDT:USDT` is ETHUSDT."""
    try:
        return canonical_symbol(text.split(":", 1)[0], "file")
    except InvalidInput:
        return None


def _is_pair(words: list[str]) -> bool:
    if not words:
        return False
    joined = "".join(words)
    # `data_BTC` is written in two ways: a word and a crypto, not a pair.
    if not (joined.isascii() and joined.isalnum() and joined in (joined.upper(), joined.lower())):
        return False
    *bases, last = (word.upper() for word in words)
    if bases:
        return len(bases) == 1 and last in _QUOTES
    return any(last.endswith(quote) and last != quote for quote in _QUOTES)
