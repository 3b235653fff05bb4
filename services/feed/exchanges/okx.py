"""OKX: newest first, 100 candles a request; its cursors are exclusive.

https://www.okx.com/docs-v5/en/#order-book-trading-market-data-get-candlesticks-history
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
from services.ingest.formats.rest_answers import okx

_PAGE_CANDLES = 100
_KINDS = {
    **dict.fromkeys(("51000", "51001"), AnswerKind.UNKNOWN_SYMBOL),
    **dict.fromkeys(("50011", "50061"), AnswerKind.TOO_OFTEN),
}


def _candles_request(market: str, start_s: int, end_s: int) -> Request:
    return Request(
        "/api/v5/market/history-candles",
        {
            "instId": market,
            "bar": "1H",
            "before": str(start_s * 1000 - 1),
            "after": str(end_s * 1000),
            "limit": str(_PAGE_CANDLES),
        },
    )


def _markets(answer: Json) -> list[ExchangeMarket]:
    return [
        ExchangeMarket(
            symbol=text_at(each, "baseCcy") + text_at(each, "quoteCcy"),
            name=text_at(each, "instId"),
            quote=text_at(each, "quoteCcy"),
            is_traded=each.get("state") == "live",
        )
        for each in objects_at(answer, "data")
    ]


def _verdict(answer: Json) -> Verdict:
    code = member(answer, "code")
    if code == "0":
        return GOOD
    return Verdict(_KINDS.get(str(code), AnswerKind.FAILED), str(member(answer, "msg") or code or ""))


EXCHANGE = Exchange(
    name="okx",
    title="OKX",
    base_url="https://www.okx.com",
    page_candles=_PAGE_CANDLES,
    newest_first=True,
    limit=Limit(20, window_s=2),
    answer_format=okx,
    candles_request=_candles_request,
    candles_in=lambda answer: list_at(answer, "data"),
    markets_request=Request("/api/v5/public/instruments", {"instType": "SPOT"}),
    markets_in=_markets,
    verdict=_verdict,
)
