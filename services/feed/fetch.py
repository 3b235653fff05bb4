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
from backcast_engine.errors import BackcastError, InvalidInput
from backcast_engine.interval import Interval
from backcast_engine.times import utc
from services.domain.conflict_rule import ConflictRule
from services.domain.errors import Unavailable
from services.feed.client import MOST_REQUESTS, Client
from services.feed.errors import Banned, Forbidden, Unanswered
from services.feed.exchanges.exchange import Market
from services.feed.history import Page, pages
from services.feed.spans import Span, joined, without
from services.ingest.answers import assembly_of_answers

OVERLAP_S = 48 * 3600

# Candles that are written together: two years and a bit. What was fetched and not written is lost when the
# process is killed, and is in memory until then.
_CANDLES_TOGETHER = 20_000


@dataclass(frozen=True, slots=True)
class Batch:
    """Candles of one crypto, which are written together, with the span that was asked for them.

    `asked` are hours of which the exchange has no other candles than these.
    """

    symbol: str
    candles: Candles
    asked: Span
    on_conflict: ConflictRule


# Writes a batch in one transaction. A batch has at least one candle.
Write = Callable[[Batch], Awaitable[ImportCandlesResponse]]
# Called with the symbol, the time that is reached, and the number of candles since the last call.
Progress = Callable[[str, int, int], None]


@dataclass(slots=True)
class CryptoReport:
    """The outcome of the fetch of one crypto. `error` is why it failed; what was written before stays.

    `absent` counts hours that the exchange does not have, after the first candle of this fetch; `rejected`
    counts rows that are no candles. `first_s` is the opening time of that candle, and `newest_s` that of the
    last one, None if there is none; `asked` are the spans that were asked and written.
    """

    symbol: str
    inserted: int = 0
    corrected: int = 0
    unchanged: int = 0
    absent: int = 0
    rejected: int = 0
    first_s: int | None = None
    newest_s: int | None = None
    asked: list[Span] = field(default_factory=list)
    error: BackcastError | None = None


async def fetch_all(
    client: Client,
    wanted: dict[str, tuple[Market, Span]],
    asked: Mapping[str, Sequence[Span]],
    write: Write,
    progress: Progress | None = None,
    again: bool = False,
    overlap_s: int = OVERLAP_S,
) -> AsyncGenerator[CryptoReport]:
    """Fetch several cryptos at once; yield the report of each when it is done.

    `wanted` and `asked` are by symbol; see `fetch_crypto`. A crypto that fails does not stop the others,
    unless they would fail in the same way: then Banned, Forbidden or Unavailable is raised.
    """
    turns = asyncio.Semaphore(MOST_REQUESTS)

    async def fetched(market: Market, span: Span) -> CryptoReport:
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
    client: Client,
    market: Market,
    wanted: Span,
    asked: Sequence[Span],
    write: Write,
    progress: Progress | None = None,
    again: bool = False,
    overlap_s: int = OVERLAP_S,
) -> CryptoReport:
    """Fetch the hours of `wanted` that were not asked before, and the last `overlap_s` of those that were.

    The end is the newest hour that is closed by both clocks. A first fetch is written under the guarded rule:
    it is refused if candles are stored already and differ. With `again`, all of the hours are asked for, and
    stored candles are replaced.
    """
    report = CryptoReport(market.symbol)
    rule = ConflictRule.REPLACE if asked or again else ConflictRule.GUARDED
    try:
        for span in _missing(client, wanted, () if again else asked, overlap_s):
            _check_kept(client, market, span)
            await _fetch_span(client, market, span, rule, write, report, progress)
    except Unanswered as error:
        report.error = error
    except (Banned, Forbidden, Unavailable):
        raise
    except BackcastError as error:
        report.error = error
    report.asked = joined(report.asked)
    return report


def _missing(client: Client, wanted: Span, asked: Sequence[Span], overlap_s: int) -> list[Span]:
    hour = Interval.HOUR_1
    end_s = min(hour.opening(wanted.end_s), hour.opening(int(client.now_s())))
    wanted = Span(hour.next_opening(wanted.start_s), end_s)
    known = joined(asked)
    if known:
        newest = known[-1]
        known[-1] = Span(newest.start_s, newest.end_s - overlap_s)
    return without(wanted, known)


def _check_kept(client: Client, market: Market, span: Span) -> None:
    """Raise InvalidInput if the exchange has dropped the first hours of a span already."""
    exchange = client.exchange
    if exchange.kept_hours is None:
        return
    closed_s = Interval.HOUR_1.opening(int(client.now_s()))
    kept_from_s = closed_s - exchange.kept_hours * Interval.HOUR_1.seconds
    if span.start_s < kept_from_s:
        raise InvalidInput.of(
            "since",
            f"{exchange.title} gives only the newest {exchange.kept_hours} hours, which are those from "
            f"{utc(kept_from_s)} on; older ones are in its quarterly files, which `backcast import` reads",
        )


async def _fetch_span(
    client: Client,
    market: Market,
    span: Span,
    rule: ConflictRule,
    write: Write,
    report: CryptoReport,
    progress: Progress | None,
) -> None:
    """Fetch and write a span, in batches of whole pages, and count in the report."""
    held: list[Page] = []
    async with aclosing(pages(client, market, span)) as all_pages:
        async for page in all_pages:
            held.append(page)
            if progress:
                progress(market.symbol, page.span.end_s, sum(len(each.lines) for each in page.blocks))
            if sum(len(each.lines) for one in held for each in one.blocks) >= _CANDLES_TOGETHER:
                held = await _written(client, market, held, rule, write, report)
    await _written(client, market, held, rule, write, report)


async def _written(
    client: Client, market: Market, held: list[Page], rule: ConflictRule, write: Write, report: CryptoReport
) -> list[Page]:
    """Write the held pages; return those that are still held, because they have no candles."""
    blocks = [rows for page in held for rows in page.blocks]
    if not blocks:
        return held
    asked = Span(held[0].span.start_s, held[-1].span.end_s)

    def brought_together() -> tuple[Candles, int]:
        assembly = assembly_of_answers(market.symbol, int(client.now_s()))
        for rows in blocks:
            assembly.add(rows)
        reading = assembly.reading(client.exchange.answer_format.NAME)
        return reading.candles, reading.rejected - reading.conflicts

    candles, rejected = await asyncio.to_thread(brought_together)
    report.rejected += rejected
    if not len(candles):
        return held
    counts = await write(Batch(market.symbol, candles, asked, rule))
    report.inserted += counts.inserted
    report.corrected += counts.corrected
    report.unchanged += counts.unchanged
    first_s = int(candles.open_time_s[0])
    report.absent += Span(first_s if report.first_s is None else asked.start_s, asked.end_s).hours - len(
        candles
    )
    if report.first_s is None:
        report.first_s = first_s
    report.newest_s = int(candles.open_time_s[-1])
    report.asked.append(asked)
    return []
