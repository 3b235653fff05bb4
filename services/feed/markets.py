"""Which of an exchange's markets are fetched: those with given symbols, or all of a quote currency.

A market whose symbol is not a canonical one of Backcast's cannot be stored. Of several markets with the same
symbol, only one is fetched: a history has the candles of one market.
"""

from collections.abc import Sequence

from backcast_engine.errors import InvalidInput, Violation, Violations
from backcast_engine.near_names import did_you_mean
from services.domain.fetch_request import spot_symbol
from services.feed.exchanges.exchange import Exchange, ExchangeMarket
from services.ingest.files.text_rows import shown

# All symbols of a quote currency end alike.
_LIKENESS = 0.8


def with_symbols(
    exchange: Exchange, markets: Sequence[ExchangeMarket], symbols: Sequence[str]
) -> list[ExchangeMarket]:
    """Return the markets with these symbols, in this order, each once.

    Raises InvalidInput, naming `symbols[0]` and so on, for what is no symbol, what is not spot, and what the
    exchange does not have, with the nearest names.
    """
    markets = _once([market for market in markets if market.is_storable])
    known = {market.other_symbol: market for market in markets if market.other_symbol}
    known |= {market.symbol: market for market in markets}
    violations = Violations()
    found: dict[str, ExchangeMarket] = {}
    for index, text in enumerate(symbols):
        field = f"symbols[{index}]"
        symbol = violations.read(None, spot_symbol, text, field)
        if symbol is None:
            continue
        if market := known.get(symbol):
            found[market.symbol] = market
        else:
            hint = did_you_mean(symbol, known, likeness=_LIKENESS)
            reason = f"{exchange.title} has no {symbol}{hint and f': {hint}'}"
            violations.add(Violation(field, reason))
    violations.raise_if_any()
    return list(found.values())


def with_quote(
    exchange: Exchange, markets: Sequence[ExchangeMarket], quote: str, with_delisted: bool = False
) -> list[ExchangeMarket]:
    """Return the markets of a quote currency, ordered by symbol; raise InvalidInput if there are none."""
    upper = quote.strip().upper()
    found = [each for each in markets if each.quote == upper and (each.is_traded or with_delisted)]
    if not found:
        hint = did_you_mean(upper, {market.quote for market in markets})
        raise InvalidInput.of("quote", f"{exchange.title} quotes nothing in {upper}{hint and f': {hint}'}")
    return sorted(_once(found), key=lambda market: market.symbol)


def _once(markets: Sequence[ExchangeMarket]) -> list[ExchangeMarket]:
    """Return one market of each symbol: the first one that is traded, or else the first one."""
    found: dict[str, ExchangeMarket] = {}
    for market in sorted(markets, key=lambda market: not market.is_traded):
        found.setdefault(market.symbol, market)
    return list(found.values())


def without_unstorable(
    exchange: Exchange, markets: Sequence[ExchangeMarket]
) -> tuple[list[ExchangeMarket], dict[str, str]]:
    """Return the markets that can be stored; of the others, why not, by their symbols as they are shown."""
    reasons = {
        (symbol := shown(market.symbol)): f"{symbol} of {exchange.title} is not a symbol that Backcast knows"
        for market in markets
        if not market.is_storable
    }
    return [market for market in markets if market.is_storable], reasons
