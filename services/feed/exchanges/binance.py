"""Binance: oldest first from the start, 1,000 candles a request, limited by weight.

https://developers.binance.com/docs/binance-spot-api-docs/rest-api
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
from services.ingest.formats.rest_answers import binance

_PAGE_CANDLES = 1000
_KINDS = {"-1121": AnswerKind.UNKNOWN_SYMBOL, "-1003": AnswerKind.TOO_OFTEN, "-1015": AnswerKind.TOO_OFTEN}


def _candles_request(market: str, start_s: int, end_s: int) -> Request:
    # Both ends are inclusive.
    return Request(
        "/api/v3/klines",
        {
            "symbol": market,
            "interval": "1h",
            "startTime": str(start_s * 1000),
            "endTime": str(end_s * 1000 - 1),
            "limit": str(_PAGE_CANDLES),
        },
        weight=2,
    )


def _markets(answer: Json) -> list[ExchangeMarket]:
    return [
        ExchangeMarket(
            symbol=text_at(each, "symbol"),
            name=text_at(each, "symbol"),
            quote=text_at(each, "quoteAsset"),
            is_traded=each.get("status") == "TRADING",
        )
        for each in objects_at(answer, "symbols")
    ]


def _verdict(answer: Json) -> Verdict:
    code = member(answer, "code")
    if code is None:
        return GOOD
    return Verdict(_KINDS.get(str(code), AnswerKind.FAILED), str(member(answer, "msg") or code or ""))


EXCHANGE = Exchange(
    name="binance",
    title="Binance",
    base_url="https://api.binance.com",
    page_candles=_PAGE_CANDLES,
    newest_first=False,
    jumps_gaps=True,
    limit=Limit(6000, window_s=60, used_header="X-MBX-USED-WEIGHT-1M"),
    answer_format=binance,
    candles_request=_candles_request,
    candles_in=list_at,
    markets_request=Request("/api/v3/exchangeInfo", weight=20),
    markets_in=_markets,
    verdict=_verdict,
)
