"""How a crypto is named: upper case, no separators, as exchanges write it (BTCUSDT)."""

from services.shared.errors import InvalidInput

MAX_SYMBOL_LENGTH = 32
_SEPARATORS = str.maketrans("", "", "/-_")


def canonical_symbol(text: str, field: str = "symbol") -> str:
    """Return `text` as a symbol: `btc/usdt`, `BTC-USDT` and `BTC_USDT` are all BTCUSDT.

    Raises InvalidInput, naming `field`, where what remains is not 1 to 32 letters (A to Z) and digits.
    """
    # Not every letter of Unicode: two that look the same would be two cryptos.
    symbol = text.strip().translate(_SEPARATORS)
    if not symbol:
        raise InvalidInput.of(field, "a symbol is needed")
    if len(symbol) > MAX_SYMBOL_LENGTH or not (symbol.isascii() and symbol.isalnum()):
        shown = text if len(text) <= MAX_SYMBOL_LENGTH else f"{text[:MAX_SYMBOL_LENGTH]}…"
        raise InvalidInput.of(
            field, f"{shown!r} is not a symbol: 1 to {MAX_SYMBOL_LENGTH} letters and digits, like BTCUSDT"
        )
    return symbol.upper()
