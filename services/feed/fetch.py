"""Fetches the candles of cryptos that are missing, and writes them.

What is missing is the span that is wanted, without the spans that were asked before. The last two days of
these are asked again, because exchanges correct candles.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field

from backcast.marketdata.v1.market_data_service_pb2 import ImportCandlesResponse
from backcast_engine.candles import Candles
from backcast_engine.errors import BackcastError
from backcast_engine.interval import Interval
from services.domain.conflict_rule import ConflictRule
from services.domain.errors import Denied, Unauthenticated, Unavailable
from services.feed.client import MOST_REQUESTS, ExchangeClient
from services.feed.errors import Banned, Forbidden, Unanswered
from services.feed.exchanges.exchange import ExchangeMarket
from services.feed.history import HistoryPage, pages
from services.feed.spans import Span, joined, without
from services.ingest.answers import assembly_of_answers

OVERLAP_S = 48 * 3600

# Candles that are written together: two years and a bit. What was fetched and not written is lost when the
# process is killed, and is in memory until then.
_CANDLES_TOGETHER = 20_000

# What would fail in the same way for other cryptos.
_OF_ALL = (Banned, Forbidden, Unavailable, Unauthenticated, Denied)


@dataclass(frozen=True, slots=True)
class CandleBatch:
    """Candles of one crypto, which are written together, with the span that was asked for them.

    `asked` are hours of which the exchange has no other candles than these. It may have none at all.
    """

    symbol: str
    candles: Candles
    asked: Span
    on_conflict: ConflictRule


# Writes a batch in one transaction. The first batch of a crypto has at least one candle.
Write = Callable[[CandleBatch], Awaitable[ImportCandlesResponse]]
# Called with the symbol, the time that is reached, and the number of candles since the last call.
Progress = Callable[[str, int, int], None]


@dataclass(slots=True)
class CryptoReport:
    """The outcome of the fetch of one crypto. `error` is why it failed; what was written before stays.

    `absent` counts hours that the exchange does not have, after the first candle of this fetch if it has one;
    `rejected` counts rows that are no candles. `first_s` is the opening time of that candle, and `newest_s`
    that of the last one, None if there is none. `wanted_hours` counts the hours that were to be asked for;
    `asked` are the spans that were asked and written.
    """

    symbol: str
    inserted: int = 0
    corrected: int = 0
    unchanged: int = 0
    absent: int = 0
    rejected: int = 0
    first_s: int | None = None
    newest_s: int | None = None
    wanted_hours: int = 0
    asked: list[Span] = field(default_factory=list)
    error: BackcastError | None = None


async def fetch_all(
    client: ExchangeClient,
    wanted: dict[str, tuple[ExchangeMarket, Span]],
    asked: Mapping[str, Sequence[Span]],
    write: Write,
    progress: Progress | None = None,
    again: bool = False,
    overlap_s: int = OVERLAP_S,
) -> AsyncGenerator[CryptoReport]:
    """Fetch several cryptos at once; yield the report of each when it is done.

    `wanted` and `asked` are by symbol; see `fetch_crypto`. A crypto that fails does not stop the others,
    unless they would fail in the same way: then Banned, Forbidden, Unavailable, Unauthenticated or Denied is
    raised.
    """
    turns = asyncio.Semaphore(MOST_REQUESTS)

    async def fetched(market: ExchangeMarket, span: Span) -> CryptoReport:
        async with turns:
            known = asked.get(market.symbol, ())
            return await fetch_crypto(client, market, span, known, write, progress, again, overlap_s)

    tasks = [asyncio.create_task(fetched(*each)) for each in wanted.values()]
    try:
        for done in asyncio.as_completed(tasks):
            yield await done
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def fetch_crypto(
    client: ExchangeClient,
    market: ExchangeMarket,
    wanted: Span,
    asked: Sequence[Span],
    write: Write,
    progress: Progress | None = None,
    again: bool = False,
    overlap_s: int = OVERLAP_S,
) -> CryptoReport:
    """Fetch the hours of `wanted` that were not asked before, and the last `overlap_s` of those that were.

    The end is the newest hour that is closed by both clocks. Candles are written under the guarded rule: a
    batch is refused if it differs from candles that are stored, and not of this exchange. With `again`, all
    of the hours are asked for, and stored candles are replaced.
    """
    report = CryptoReport(market.symbol)
    rule = ConflictRule.REPLACE if again else ConflictRule.GUARDED
    fetching = _Fetching(client, market, rule, write, report, progress, is_stored=bool(asked))
    try:
        for span in _missing(client, wanted, () if again else asked, overlap_s):
            report.wanted_hours += span.hours
            await fetching.fetch(span)
    except Unanswered as error:
        report.error = error
    except _OF_ALL:
        raise
    except BackcastError as error:
        report.error = error
    report.asked = joined(report.asked)
    return report


def _missing(client: ExchangeClient, wanted: Span, asked: Sequence[Span], overlap_s: int) -> list[Span]:
    hour = Interval.HOUR_1
    end_s = min(hour.opening(wanted.end_s), hour.opening(int(client.now_s())))
    wanted = Span(hour.next_opening(wanted.start_s), end_s)
    known = joined(asked)
    if known:
        newest = known[-1]
        known[-1] = Span(newest.start_s, newest.end_s - overlap_s)
    return without(wanted, known)


@dataclass(slots=True)
class _Fetching:
    """The fetch of one crypto, whose outcome is counted in `report`.

    `is_stored`: there are stored candles of this exchange.
    """

    client: ExchangeClient
    market: ExchangeMarket
    rule: ConflictRule
    write: Write
    report: CryptoReport
    progress: Progress | None
    is_stored: bool

    async def fetch(self, span: Span) -> None:
        """Fetch and write a span, in batches of whole pages."""
        held: list[HistoryPage] = []
        async with aclosing(pages(self.client, self.market, span)) as all_pages:
            async for page in all_pages:
                held.append(page)
                if self.progress:
                    rows = sum(len(each.lines) for each in page.blocks)
                    self.progress(self.market.symbol, page.span.end_s, rows)
                if sum(len(each.lines) for one in held for each in one.blocks) >= _CANDLES_TOGETHER:
                    await self._write(held)
                    held = []
        if held:
            await self._write(held)

    async def _write(self, held: Sequence[HistoryPage]) -> None:
        """Write the candles of pages, which follow each other, and that their hours were asked for."""
        asked = Span(held[0].span.start_s, held[-1].span.end_s)
        candles, rejected = await asyncio.to_thread(self._brought_together, held)
        self.report.rejected += rejected
        if not len(candles) and not self.is_stored:
            return
        counts = await self.write(CandleBatch(self.market.symbol, candles, asked, self.rule))
        self.is_stored = True
        self._count(candles, asked, counts)

    def _brought_together(self, held: Sequence[HistoryPage]) -> tuple[Candles, int]:
        """Return the candles of pages, and the number of rows that are none."""
        blocks = [rows for page in held for rows in page.blocks]
        if not blocks:
            return Candles.empty(), 0
        assembly = assembly_of_answers(self.market.symbol, int(self.client.now_s()))
        for rows in blocks:
            assembly.add(rows)
        reading = assembly.reading(self.client.exchange.answer_format.NAME)
        return reading.candles, reading.rejected - reading.conflicts

    def _count(self, candles: Candles, asked: Span, counts: ImportCandlesResponse) -> None:
        report = self.report
        report.inserted += counts.inserted
        report.corrected += counts.corrected
        report.unchanged += counts.unchanged
        start_s = asked.start_s
        if len(candles):
            if report.first_s is None:
                start_s = report.first_s = int(candles.open_time_s[0])
            report.newest_s = int(candles.open_time_s[-1])
        report.absent += Span(start_s, asked.end_s).hours - len(candles)
        report.asked.append(asked)
