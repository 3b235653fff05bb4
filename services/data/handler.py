"""Handler of backcast.marketdata.v1.MarketDataService: converts requests, calls the store, answers."""

import time
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import aclosing

from backcast.marketdata.v1 import (
    break_pb2,
    candle_pb2,
    crypto_pb2,
    market_data_service_pb2_grpc,
)
from backcast.marketdata.v1 import market_data_service_pb2 as pb
from backcast_engine.breaks import BreakState
from backcast_engine.candles import Candles
from backcast_engine.errors import InvalidInput, Violation, Violations
from backcast_engine.interval import Interval
from backcast_engine.times import EARLIEST_S, LATEST_S
from services.data.corrections import log_corrections
from services.data.metrics import CANDLES_READ, CANDLES_WRITTEN
from services.data.requests import (
    after_time_from,
    before_time_from,
    check_hourly,
    columns_from,
    conflict_rule_from,
    fetched_from,
    window_from,
)
from services.data.store.break_edits import BreakStore
from services.data.store.breaks import StoredBreak, served
from services.data.store.catalog import Crypto, CryptoStore
from services.data.store.reader import CryptoHistory, Histories, HistoryQuery
from services.data.store.writer import CandleStore
from services.domain.candle_rules import checked_blocks
from services.domain.conflict_rule import ConflictRule
from services.domain.symbols import CryptoKind, canonical_symbol, kind_of
from services.wire.breaks import break_to, state_from
from services.wire.candles import candles_from, interval_from, timestamp_to
from services.wire.paging import MAX_SYMBOLS, page_of, requested_page, token_after

# Bytes of columns in a message, so that it stays below 1 MiB.
BLOCK_BYTES = 960_000
# Of a block without its columns, of a break, and of a longer candle that misses hours: at most so many.
_ABOUT_BYTES = 128
# The position of a page of candles is the opening time of the last candle before it.
_OPENING_TIME = r"-?\d{1,12}"

_KINDS = {kind: crypto_pb2.CryptoKind.Value(f"CRYPTO_KIND_{kind.name}") for kind in CryptoKind}


class MarketDataHandler(market_data_service_pb2_grpc.MarketDataServiceServicer):
    """Serves and imports candles."""

    def __init__(
        self, cryptos: CryptoStore, histories: Histories, candles: CandleStore, breaks: BreakStore
    ) -> None:
        self._cryptos = cryptos
        self._histories = histories
        self._candles = candles
        self._breaks = breaks

    async def ListCryptos(  # noqa: N802  # the RPC's name
        self, request: pb.ListCryptosRequest, context: object
    ) -> pb.ListCryptosResponse:
        """List cryptos in order of their symbols."""
        violations = Violations()
        size, after = violations.read((1, ""), requested_page, request)
        before_s = violations.read(None, before_time_from, request)
        violations.raise_if_any()
        if request.known_version and request.known_version == await self._cryptos.version():
            return pb.ListCryptosResponse(version=request.known_version, unchanged=True)
        page = await self._cryptos.page(list(request.symbols), after, size + 1, before_s)
        is_last = len(page.cryptos) <= size
        return pb.ListCryptosResponse(
            cryptos=map(_crypto_message, page.cryptos[:size]),
            next_page_token="" if is_last else token_after(request, page.cryptos[size - 1].symbol),
            version=page.version,
        )

    async def GetCandles(  # noqa: N802  # the RPC's name
        self, request: pb.GetCandlesRequest, context: object
    ) -> pb.GetCandlesResponse:
        """Return one page of candles in a form for people."""
        violations = Violations()
        symbol = violations.read("", canonical_symbol, request.symbol, "symbol")
        interval = violations.read(Interval.HOUR_1, interval_from, request.interval)
        start_s, end_s = violations.read((EARLIEST_S, LATEST_S), window_from, request)
        size, after = violations.read((1, ""), requested_page, request, _OPENING_TIME)
        violations.raise_if_any()
        if after:
            start_s = max(start_s, int(after) + 1)
        query = HistoryQuery(interval, start_s=start_s, end_s=end_s, limit=size + 1)
        history = await self._histories.one(symbol, query)
        values = (column.tolist() for column in history.columns.values())
        candles = [
            candle_pb2.Candle(
                open_time=timestamp_to(time_s), open=open_, high=high, low=low, close=close, volume=volume
            )
            for time_s, open_, high, low, close, volume in zip(
                history.open_time_s.tolist(), *values, strict=True
            )
        ]
        CANDLES_READ.labels(query.interval.value).inc(len(candles[:size]))
        is_last = len(candles) <= size
        last_s = candles[:size][-1].open_time.seconds if candles else 0
        return pb.GetCandlesResponse(
            candles=candles[:size], next_page_token="" if is_last else token_after(request, str(last_s))
        )

    async def StreamCandles(  # noqa: N802  # the RPC's name
        self, request: pb.StreamCandlesRequest, context: object
    ) -> AsyncIterator[pb.StreamCandlesResponse]:
        """Stream histories in blocks of columns."""
        violations = Violations()
        symbol_count = len(request.symbols)
        if not 0 < symbol_count <= MAX_SYMBOLS:
            violations.add(Violation("symbols", f"from 1 to {MAX_SYMBOLS} are needed, not {symbol_count}"))
        symbols = [
            violations.read("", canonical_symbol, symbol, f"symbols[{index}]")
            for index, symbol in enumerate(request.symbols[:MAX_SYMBOLS])
        ]
        known = list(request.known_fingerprints) or [""] * symbol_count
        if len(known) != symbol_count:
            reason = f"one for each symbol is needed, {symbol_count}, not {len(known)}"
            violations.add(Violation("known_fingerprints", reason))
        interval = violations.read(Interval.HOUR_1, interval_from, request.interval)
        columns = violations.read((), columns_from, request.columns)
        start_s, end_s = violations.read((EARLIEST_S, LATEST_S), window_from, request)
        violations.raise_if_any()
        query = HistoryQuery(interval, columns, start_s=start_s, end_s=end_s)
        async with aclosing(self._histories.read(symbols, query, known)) as groups:
            async for group in groups:
                CANDLES_READ.labels(query.interval.value).inc(sum(len(each.open_time_s) for each in group))
                for response in _responses(group):
                    yield response

    async def ImportCandles(  # noqa: N802  # the RPC's name
        self, requests: AsyncIterator[pb.ImportCandlesRequest], context: object
    ) -> pb.ImportCandlesResponse:
        """Write one crypto's candles, all or none."""
        header = await _read_header(requests)
        violations = Violations()
        symbol = violations.read("", canonical_symbol, header.symbol, "header.symbol")
        violations.read(None, check_hourly, header.interval)
        conflict_rule = violations.read(ConflictRule.GUARDED, conflict_rule_from, header.on_conflict)
        if header.candle_count < 0:
            reason = f"must not be negative, as {header.candle_count} is"
            violations.add(Violation("header.candle_count", reason))
        fetched = violations.read(None, fetched_from, header)
        violations.raise_if_any()
        blocks = checked_blocks(_read_blocks(requests, header), Interval.HOUR_1, int(time.time()))
        counts = await self._candles.write(symbol, header.synthetic, blocks, conflict_rule, fetched)
        CANDLES_WRITTEN.labels("inserted").inc(counts.inserted)
        CANDLES_WRITTEN.labels("corrected").inc(counts.corrected)
        if fetched:
            log_corrections(symbol, fetched.source, counts.replaced, counts.replacing)
        return pb.ImportCandlesResponse(
            inserted=counts.inserted,
            corrected=counts.corrected,
            unchanged=counts.unchanged,
            kept=counts.kept,
            breaks=_break_messages(served(counts.breaks)),
        )

    async def DeleteCrypto(  # noqa: N802  # the RPC's name
        self, request: pb.DeleteCryptoRequest, context: object
    ) -> pb.DeleteCryptoResponse:
        """Delete a crypto with everything that is stored of it."""
        crypto = await self._candles.delete(canonical_symbol(request.symbol, "symbol"))
        return pb.DeleteCryptoResponse(crypto=_crypto_message(crypto))

    async def ListBreaks(  # noqa: N802  # the RPC's name
        self, request: pb.ListBreaksRequest, context: object
    ) -> pb.ListBreaksResponse:
        """List the breaks of one crypto, including removed ones."""
        violations = Violations()
        symbol = violations.read("", canonical_symbol, request.symbol, "symbol")
        violations.read(None, requested_page, request)
        violations.raise_if_any()
        breaks = await self._breaks.of(symbol)
        page, next_page_token = page_of(breaks, request, lambda each: f"{each.place.after_s:012}")
        return pb.ListBreaksResponse(breaks=_break_messages(page), next_page_token=next_page_token)

    async def UpdateBreak(  # noqa: N802  # the RPC's name
        self, request: pb.UpdateBreakRequest, context: object
    ) -> pb.UpdateBreakResponse:
        """Confirm, add, remove or reset a break."""
        violations = Violations()
        symbol = violations.read("", canonical_symbol, request.symbol, "symbol")
        after_s = violations.read(0, after_time_from, request)
        state = violations.read(BreakState.DETECTED, state_from, request.state)
        violations.raise_if_any()
        breaks = await self._breaks.update(symbol, after_s, state)
        return pb.UpdateBreakResponse(breaks=_break_messages(breaks))


async def _read_header(requests: AsyncIterator[pb.ImportCandlesRequest]) -> pb.ImportHeader:
    async for request in requests:
        if request.WhichOneof("part") != "header":
            break
        return request.header
    raise InvalidInput.of("header", "must be the first message of an import")


async def _read_blocks(
    requests: AsyncIterator[pb.ImportCandlesRequest], header: pb.ImportHeader
) -> AsyncIterator[Candles]:
    count = 0
    async for request in requests:
        if request.WhichOneof("part") != "columns":
            raise InvalidInput.of("columns", "must be in every message after the header")
        block = candles_from(request.columns)
        count += len(block)
        yield block
    # For a moment, a stream that breaks can look like a stream that ends.
    if header.HasField("candle_count") and count != header.candle_count:
        raise InvalidInput.of("header.candle_count", f"says {header.candle_count} candles, and {count} came")


def _crypto_message(crypto: Crypto) -> crypto_pb2.Crypto:
    return crypto_pb2.Crypto(
        symbol=crypto.symbol,
        first_candle_time=None if crypto.first_candle_s is None else timestamp_to(crypto.first_candle_s),
        last_candle_time=None if crypto.last_candle_s is None else timestamp_to(crypto.last_candle_s),
        candle_count=crypto.candle_count,
        fingerprint=crypto.fingerprint,
        synthetic=crypto.synthetic,
        fingerprint_before=crypto.fingerprint_before or "",
        kind=_KINDS[kind_of(crypto.symbol)],
        source=crypto.source,
        asked_hours=[
            crypto_pb2.AskedHours(start_time=timestamp_to(start_s), end_time=timestamp_to(end_s))
            for start_s, end_s in zip(crypto.asked_from_s, crypto.asked_to_s, strict=True)
        ],
    )


def _responses(histories: Iterable[CryptoHistory]) -> Iterator[pb.StreamCandlesResponse]:
    """Put histories into messages below 1 MiB; a history without candles is one empty block."""
    response, size = pb.StreamCandlesResponse(), 0
    for history in histories:
        count = len(history.open_time_s)
        candle_bytes = history.open_time_s.itemsize * (1 + len(history.columns))
        most = BLOCK_BYTES // candle_bytes
        for start in range(0, max(count, 1), most):
            part, is_last = slice(start, start + most), start + most >= count
            block_bytes = candle_bytes * min(most, count - start) + _ABOUT_BYTES
            # Breaks and candles that miss hours can be many.
            if is_last:
                block_bytes += _ABOUT_BYTES * (len(history.breaks) + len(history.partial.hours))
            if size and size + block_bytes > BLOCK_BYTES:
                yield response
                response, size = pb.StreamCandlesResponse(), 0
            _fill(response.blocks.add(), history, part, is_last)
            size += block_bytes
    if size:
        yield response


def _fill(block: pb.CandleBlock, history: CryptoHistory, part: slice, is_last: bool) -> None:
    """Fill a block with a part of a history; the last one has breaks, and the candles that miss hours.

    Each column is set by itself: a message that is made and then added is copied twice.
    """
    block.symbol, block.fingerprint = history.symbol, history.fingerprint
    block.columns.open_time_s = history.open_time_s[part].astype("<i8", copy=False).tobytes()
    for name, column in history.columns.items():
        setattr(block.columns, name, column[part].astype("<f8", copy=False).tobytes())
    if history.unchanged_before_s is not None:
        block.unchanged_before.seconds = history.unchanged_before_s
    if not is_last:
        return
    block.last_block, block.no_earlier_candles = True, not history.has_earlier
    block.breaks.extend(_break_messages(served(history.breaks)))
    block.partial_candles.open_time_s.extend(history.partial.open_time_s.tolist())
    block.partial_candles.hours.extend(history.partial.hours.tolist())


def _break_messages(breaks: Iterable[StoredBreak]) -> list[break_pb2.Break]:
    return [break_to(each.place, each.state) for each in breaks]
