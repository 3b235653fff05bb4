"""Coinbase's Advanced Trade: newest first; a request for more than 350 candles is refused.

https://docs.cdp.coinbase.com/api-reference/advanced-trade-api/rest-api/public/get-public-product-candles
"""

from services.feed.exchanges.exchange import (
    GOOD,
    AnswerKind,
    Exchange,
    ExchangeMarket,
    Limit,
    Request,
    Verdict,
    list_at,
    objects_at,
    text_at,
)
from services.ingest.formats.json_text import Json, member
from services.ingest.formats.rest_answers import coinbase

_PRODUCTS = "/api/v3/brokerage/market/products"
_PAGE_CANDLES = 300


def _candles_request(market: str, start_s: int, end_s: int) -> Request:
    # Right whether the end is inclusive or not.
    return Request(
        f"{_PRODUCTS}/{market}/candles",
        {
            "start": str(start_s),
            "end": str(end_s - 1),
            "granularity": "ONE_HOUR",
            "limit": str(_PAGE_CANDLES),
        },
    )


def _markets(answer: Json) -> list[ExchangeMarket]:
    return [
        ExchangeMarket(
            symbol=text_at(each, "base_currency_id") + text_at(each, "quote_currency_id"),
            name=text_at(each, "product_id"),
            quote=text_at(each, "quote_currency_id"),
            is_traded=each.get("status") == "online" and each.get("trading_disabled") is not True,
        )
        for each in objects_at(answer, "products")
    ]


def _verdict(answer: Json) -> Verdict:
    error = member(answer, "error")
    if error is None:
        return GOOD
    reason = str(member(answer, "message") or error)
    if error == "NOT_FOUND" or "ProductID" in reason:
        return Verdict(AnswerKind.UNKNOWN_SYMBOL, reason)
    return Verdict(AnswerKind.FAILED, reason)


EXCHANGE = Exchange(
    name="coinbase",
    title="Coinbase",
    base_url="https://api.coinbase.com",
    page_candles=_PAGE_CANDLES,
    newest_first=True,
    limit=Limit(10, window_s=1),
    answer_format=coinbase,
    candles_request=_candles_request,
    candles_in=lambda answer: list_at(answer, "candles"),
    markets_request=Request(_PRODUCTS, {"product_type": "SPOT"}),
    markets_in=_markets,
    verdict=_verdict,
)
