"""All exchanges by their names."""

from backcast_engine.errors import InvalidInput
from backcast_engine.near_names import did_you_mean
from services.feed.exchanges import binance, bybit, coinbase, kraken, okx
from services.feed.exchanges.exchange import Exchange

EXCHANGES: dict[str, Exchange] = {
    each.EXCHANGE.name: each.EXCHANGE for each in (binance, okx, bybit, coinbase, kraken)
}


def exchange_named(name: str) -> Exchange:
    """Return an exchange by its name in any case; raise InvalidInput, with the nearest name, if unknown."""
    exchange = EXCHANGES.get(name.lower())
    if exchange is None:
        hint = did_you_mean(name.lower(), EXCHANGES, f"known are {', '.join(EXCHANGES)}")
        raise InvalidInput.of("exchange", f"{name!r} is not a known exchange: {hint}")
    return exchange
