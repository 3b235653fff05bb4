"""backcast.marketdata.v1.MarketDataService: parses, calls, answers."""

from collections.abc import AsyncIterator

from backcast.marketdata.v1 import crypto_pb2, interval_pb2, market_data_service_pb2_grpc
from backcast.marketdata.v1 import market_data_service_pb2 as pb
from services.data.candle_rules import checked_blocks
from services.data.candle_store import CandleStore
from services.data.cryptos import Crypto, CryptoStore
from services.shared.candle_messages import (
    BLOCK_CANDLES,
    candles_from,
    candles_to,
    interval_from,
    timestamp_to,
)
from services.shared.candles import Candles
from services.shared.errors import InvalidInput
from services.shared.interval import Interval
from services.shared.paging import MAX_SYMBOLS, page_size
from services.shared.symbols import canonical_symbol


class MarketDataHandler(market_data_service_pb2_grpc.MarketDataServiceServicer):
    """Serves candles, and takes them in."""

    def __init__(self, cryptos: CryptoStore, candles: CandleStore) -> None:
        self._cryptos = cryptos
        self._candles = candles

    async def ListCryptos(  # noqa: N802  # the RPC's name
        self, request: pb.ListCryptosRequest, context: object
    ) -> pb.ListCryptosResponse:
        """List cryptos in order of their symbols."""
        size = page_size(request.page_size)
        cryptos = await self._cryptos.page(list(request.symbols), request.page_token, size)
        return pb.ListCryptosResponse(
            cryptos=map(_crypto_message, cryptos),
            next_page_token=cryptos[-1].symbol if len(cryptos) == size else "",
        )

    async def StreamCandles(  # noqa: N802  # the RPC's name
        self, request: pb.StreamCandlesRequest, context: object
    ) -> AsyncIterator[pb.StreamCandlesResponse]:
        """Stream whole histories in blocks."""
        interval = interval_from(request.interval)
        if not 0 < len(request.symbols) <= MAX_SYMBOLS:
            raise InvalidInput.of(
                "symbols", f"from 1 to {MAX_SYMBOLS} are needed, not {len(request.symbols)}"
            )
        for symbol, crypto_id in (await self._cryptos.ids(list(request.symbols))).items():
            history = await self._candles.history(crypto_id, interval)
            count = len(history.candles)
            for start in range(0, max(count, 1), BLOCK_CANDLES):
                yield pb.StreamCandlesResponse(
                    symbol=symbol,
                    fingerprint=history.fingerprint,
                    columns=candles_to(history.candles[start : start + BLOCK_CANDLES]),
                    last_block=start + BLOCK_CANDLES >= count,
                )

    async def ImportCandles(  # noqa: N802  # the RPC's name
        self, requests: AsyncIterator[pb.ImportCandlesRequest], context: object
    ) -> pb.ImportCandlesResponse:
        """Write one crypto's candles, all or none."""
        header = await _read_header(requests)
        symbol = canonical_symbol(header.symbol, "header.symbol")
        blocks = checked_blocks(_read_blocks(requests), Interval.HOUR_1)
        counts = await self._candles.write(symbol, header.synthetic, blocks)
        return pb.ImportCandlesResponse(
            inserted=counts.inserted, corrected=counts.corrected, unchanged=counts.unchanged
        )


async def _read_header(requests: AsyncIterator[pb.ImportCandlesRequest]) -> pb.ImportHeader:
    async for request in requests:
        if request.WhichOneof("part") != "header":
            break
        if request.header.interval not in (interval_pb2.INTERVAL_UNSPECIFIED, interval_pb2.INTERVAL_1H):
            raise InvalidInput.of(
                "header.interval", "only hourly candles are stored; others derive from them"
            )
        return request.header
    raise InvalidInput.of("header", "must be the first message of an import")


async def _read_blocks(requests: AsyncIterator[pb.ImportCandlesRequest]) -> AsyncIterator[Candles]:
    async for request in requests:
        if request.WhichOneof("part") != "columns":
            raise InvalidInput.of("columns", "must be in every message after the header")
        yield candles_from(request.columns)


def _crypto_message(crypto: Crypto) -> crypto_pb2.Crypto:
    return crypto_pb2.Crypto(
        symbol=crypto.symbol,
        first_candle_time=timestamp_to(crypto.first_candle_s),
        last_candle_time=timestamp_to(crypto.last_candle_s),
        candle_count=crypto.candle_count,
        fingerprint=crypto.fingerprint,
        synthetic=crypto.synthetic,
    )
