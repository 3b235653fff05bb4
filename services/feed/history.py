"""The history of a market, page by page: every hour of a span is asked for, whatever answers leave out.

An exchange has silent caps, gaps, exclusive cursors and rows that nobody asked for. So a short answer is not
the end, nor is an empty one: what an answer does not reach is asked again, until the exchange has nothing. It
has nothing when it says so twice, because an exchange in trouble may have an empty answer for anybody.
"""

from collections.abc import AsyncGenerator
from dataclasses import dataclass

from backcast_engine.errors import InvalidInput
from backcast_engine.interval import Interval
from backcast_engine.times import utc
from services.feed.client import ExchangeClient
from services.feed.exchanges.exchange import ExchangeMarket
from services.feed.spans import Span
from services.ingest.candle_rows import CandleRows

_HOUR = Interval.HOUR_1


@dataclass(frozen=True, slots=True)
class HistoryPage:
    """The rows that the exchange has of all hours of a span, in any order, in blocks."""

    span: Span
    blocks: list[CandleRows]


async def pages(client: ExchangeClient, market: ExchangeMarket, wanted: Span) -> AsyncGenerator[HistoryPage]:
    """Yield the pages of a span of whole hours, in ascending order without a hole between them.

    Raises the errors of `ExchangeClient.candles`, and InvalidInput, of the field `since`, where the exchange
    has dropped the first hours.
    """
    exchange = client.exchange
    start_s = wanted.start_s
    while start_s < wanted.end_s:
        end_s = wanted.end_s
        if not exchange.jumps_gaps:
            end_s = min(start_s + exchange.page_candles * _HOUR.seconds, end_s)
        window = Span(start_s, end_s)
        _check_kept(client, window)
        page = await (_newest_first if exchange.newest_first else _oldest_first)(client, market, window)
        # While it was asked, an hour may have ended, and the exchange may have dropped the oldest.
        _check_kept(client, window)
        yield page
        start_s = page.span.end_s


def _check_kept(client: ExchangeClient, wanted: Span) -> None:
    """Raise InvalidInput, of the field `since`, if the exchange has dropped the first hours of a span."""
    exchange = client.exchange
    if exchange.kept_hours is None:
        return
    kept_from_s = _HOUR.opening(int(client.exchange_s())) - exchange.kept_hours * _HOUR.seconds
    if wanted.start_s < kept_from_s:
        raise InvalidInput.of(
            "since",
            f"{exchange.title} gives only the newest {exchange.kept_hours} hours, which are those from "
            f"{utc(kept_from_s)} on; older ones are in its quarterly files, which `backcast import` reads",
        )


async def _oldest_first(client: ExchangeClient, market: ExchangeMarket, window: Span) -> HistoryPage:
    """Return the page of one answer: it ends where the answer does."""
    rows = await _rows(client, market, window)
    if rows is None:
        return HistoryPage(window, [])
    end_s = _HOUR.opening(int(rows.times_s().max())) + _HOUR.seconds
    return HistoryPage(Span(window.start_s, end_s), [rows])


async def _newest_first(client: ExchangeClient, market: ExchangeMarket, window: Span) -> HistoryPage:
    """Return the page of the whole window, of as many answers as are needed to reach its start."""
    blocks: list[CandleRows] = []
    rest = window
    while rest and (rows := await _rows(client, market, rest)):
        blocks.append(rows)
        # An oldest row off the grid leaves its hour open; the next answer has to bring less in any case.
        oldest_s = _HOUR.next_opening(int(rows.times_s().min()))
        rest = Span(rest.start_s, min(oldest_s, rest.end_s - _HOUR.seconds))
    return HistoryPage(window, blocks)


async def _rows(client: ExchangeClient, market: ExchangeMarket, window: Span) -> CandleRows | None:
    """Return the rows of one answer that lie in the window; None if two answers have none."""
    for _ in range(2):
        rows = await client.candles(market, window.start_s, window.end_s)
        rows = rows and rows.between(window.start_s, window.end_s)
        if rows and len(rows.times_s()):
            return rows
    return None
