"""Bybit: newest first, 1,000 candles a request, both ends inclusive.

https://bybit-exchange.github.io/docs/v5/market/kline
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
from services.ingest.formats.rest_answers import bybit

_PAGE_CANDLES = 1000
_INVALID_PARAMETER = "10001"
_TOO_OFTEN = {"10006", "10018"}


def _candles_request(market: str, start_s: int, end_s: int) -> Request:
    return Request(
        "/v5/market/kline",
        {
            "category": "spot",
            "symbol": market,
            "interval": "60",
            "start": str(start_s * 1000),
            "end": str(end_s * 1000 - 1),
            "limit": str(_PAGE_CANDLES),
        },
    )


def _markets(answer: Json) -> list[ExchangeMarket]:
    return [
        ExchangeMarket(
            symbol=text_at(each, "symbol"),
            name=text_at(each, "symbol"),
            quote=text_at(each, "quoteCoin"),
            is_traded=each.get("status") == "Trading",
        )
        for each in objects_at(answer, "result", "list")
    ]


def _verdict(answer: Json) -> Verdict:
    code, reason = str(member(answer, "retCode") or ""), str(member(answer, "retMsg") or "")
    if code == "0":
        return GOOD
    if code in _TOO_OFTEN:
        return Verdict(AnswerKind.TOO_OFTEN, reason)
    is_symbol = code == _INVALID_PARAMETER and "symbol" in reason.lower()
    return Verdict(AnswerKind.UNKNOWN_SYMBOL if is_symbol else AnswerKind.FAILED, reason or code)


EXCHANGE = Exchange(
    name="bybit",
    title="Bybit",
    base_url="https://api.bybit.com",
    page_candles=_PAGE_CANDLES,
    newest_first=True,
    limit=Limit(600, window_s=5),
    answer_format=bybit,
    candles_request=_candles_request,
    candles_in=lambda answer: list_at(answer, "result", "list"),
    markets_request=Request("/v5/market/instruments-info", {"category": "spot"}),
    markets_in=_markets,
    verdict=_verdict,
)
