"""How a crypto is named: upper case, no separators, as exchanges write it (BTCUSDT)."""

from services.shared.errors import InvalidInput

MAX_SYMBOL_LENGTH = 32


def canonical_symbol(text: str, field: str = "symbol") -> str:
    """Return `text` as a symbol: `btc/usdt`, `BTC-USDT` and `BTC_USDT` are all BTCUSDT.

    Raises InvalidInput, naming `field`, where what remains is not 1 to 32 letters and digits.
    """
    symbol = text.strip().upper().translate(str.maketrans("", "", "/-_"))
    if not symbol:
        raise InvalidInput.of(field, "a symbol is needed")
    if len(symbol) > MAX_SYMBOL_LENGTH or not symbol.isalnum():
        shown = text if len(text) <= MAX_SYMBOL_LENGTH else f"{text[:MAX_SYMBOL_LENGTH]}…"
        raise InvalidInput.of(
            field, f"{shown!r} is not a symbol: 1 to {MAX_SYMBOL_LENGTH} letters and digits, like BTCUSDT"
        )
    return symbol
