"""Kraken: the newest 720 candles, the open one included, whatever it is asked for; a request has no end.

https://docs.kraken.com/api/docs/rest-api/get-ohlc-data
"""

from services.feed.errors import Unanswered
from services.feed.exchanges.exchange import (
    GOOD,
    AnswerKind,
    Exchange,
    ExchangeMarket,
    Limit,
    Request,
    Verdict,
)
from services.ingest.formats.json_text import Json, member
from services.ingest.formats.rest_answers import kraken

_PAGE_CANDLES = 720
# Kraken's own names of cryptos, which its files use too.
_USUAL_NAMES = {"XBT": "BTC", "XDG": "DOGE"}


def _candles_request(market: str, start_s: int, end_s: int) -> Request:
    # The start is exclusive.
    return Request("/0/public/OHLC", {"pair": market, "interval": "60", "since": str(start_s - 1)})


def _candles(answer: Json) -> list[Json]:
    result = member(answer, "result")
    lists = [each for each in result.values() if isinstance(each, list)] if isinstance(result, dict) else []
    if len(lists) != 1:
        raise Unanswered("its answer has no list of candles")
    return lists[0]


def _markets(answer: Json) -> list[ExchangeMarket]:
    result = member(answer, "result")
    if not isinstance(result, dict):
        raise Unanswered("its answer has no pairs")
    markets = []
    for name, pair in result.items():
        written = member(pair, "wsname")
        if not isinstance(written, str) or "/" not in written:
            continue  # a pair that is traded in another way
        base, quote = written.split("/", 1)
        usual = _USUAL_NAMES.get(base, base) + _USUAL_NAMES.get(quote, quote)
        symbol = base + quote
        other = "" if usual == symbol else usual
        markets.append(ExchangeMarket(symbol, name, quote, member(pair, "status") in (None, "online"), other))
    return markets


def _verdict(answer: Json) -> Verdict:
    errors = member(answer, "error")
    if errors == []:
        return GOOD
    if not isinstance(errors, list):
        return Verdict(AnswerKind.FAILED)
    reason = ", ".join(map(str, errors))
    if "Unknown asset pair" in reason:
        return Verdict(AnswerKind.UNKNOWN_SYMBOL, reason)
    is_too_often = "Rate limit" in reason or "Too many requests" in reason
    return Verdict(AnswerKind.TOO_OFTEN if is_too_often else AnswerKind.FAILED, reason)


EXCHANGE = Exchange(
    name="kraken",
    title="Kraken",
    base_url="https://api.kraken.com",
    page_candles=_PAGE_CANDLES,
    newest_first=False,
    limit=Limit(5, window_s=5),
    answer_format=kraken,
    candles_request=_candles_request,
    candles_in=_candles,
    markets_request=Request("/0/public/AssetPairs"),
    markets_in=_markets,
    verdict=_verdict,
    # One of them is open.
    kept_hours=_PAGE_CANDLES - 1,
)
