"""Candles for workers that are not on compute's machine: they fetch them from the data service themselves.

Only such workers, and compute when it makes their tasks, import this.
"""

from collections.abc import AsyncGenerator
from contextlib import suppress
from dataclasses import dataclass
from functools import cache

import grpc

from backcast.marketdata.v1.market_data_service_pb2_grpc import MarketDataServiceStub
from services.compute.candles.column_files import ColumnFiles
from services.compute.candles.location import CryptoData
from services.compute.candles.source import FetchedHistory, HistoryBlocks, candles_request
from services.domain.errors import ErrorReason, Unavailable
from services.domain.history import History
from services.domain.interval import Interval
from services.rpc.channel import open_blocking_channel
from services.rpc.status import error_of
from services.rpc.tls import channel_credentials
from services.settings import load_settings

# How often columns may be gone again before they could be read.
_MOST_FETCHES = 3
# Nobody can cancel a fetch in a worker far away.
_FETCH_LIMIT_S = 60.0


@dataclass(frozen=True)
class ServedCandles:
    """One crypto's candles as the data service at `data_address` (host:port, as the worker sees it) has them.

    A worker keeps them in column files, in the folder that its own BACKCAST_COLUMN_DIR names; what is there
    of this very data is not fetched again.
    """

    data_address: str
    data: CryptoData
    interval: Interval
    columns: tuple[str, ...]

    def load(self) -> tuple[CryptoData, History]:
        """Map the columns, fetched where they are not here; see CandlePlace.

        Raises NotFound where there is no such crypto or it has no candles, Unavailable where the data
        service does not answer or the worker cannot keep columns.
        """
        files = _column_files()
        data = self.data
        for fetches_left in reversed(range(_MOST_FETCHES + 1)):
            stored = files.stored(data, self.interval, self.columns)
            with suppress(FileNotFoundError):
                if stored.use():
                    return data, stored.map()
                if fetches_left:
                    data = self._fetch(files, data)
        raise Unavailable(
            "its candles change faster than they can be read: try again",
            reason=ErrorReason.CANDLES_CHANGING,
        )

    def _fetch(self, files: ColumnFiles, data: CryptoData) -> CryptoData:
        """Bring what is missing of a crypto into files, and return what data it is."""
        (missing,) = files.missing([data], self.interval, self.columns)
        history = self._history(missing.older_fingerprint, missing.columns)
        data = files.write(
            missing,
            self.interval,
            history.fingerprint,
            history.unchanged_before_s,
            history.blocks,
            history.breaks,
            history.partial,
        )
        files.tidy({files.stored(data, self.interval, self.columns).name})
        return data

    def _history(self, known_fingerprint: str, columns: tuple[str, ...]) -> FetchedHistory:
        request = candles_request({self.data.symbol: known_fingerprint}, self.interval, columns)
        blocks = HistoryBlocks(columns)
        try:
            for response in _data_service(self.data_address).StreamCandles(request, timeout=_FETCH_LIMIT_S):
                if history := blocks.add(response):
                    return history
        except grpc.RpcError as error:
            raise error_of(error, "data") from error
        raise Unavailable(
            "the data service's answer is not complete",
            reason=ErrorReason.SERVICE_UNAVAILABLE,
            service="data",
        )


class ServedSupply:
    """Says of all candles that the data service at `data_address` has them."""

    def __init__(self, data_address: str) -> None:
        self._data_address = data_address

    async def columns(
        self, cryptos: list[CryptoData], interval: Interval, columns: tuple[str, ...]
    ) -> AsyncGenerator[tuple[CryptoData, ServedCandles]]:
        """Yield every crypto with its place."""
        for data in cryptos:
            yield data, ServedCandles(self._data_address, data, interval, columns)


@cache
def _column_files() -> ColumnFiles:
    settings = load_settings()
    files = ColumnFiles(settings.column_dir, settings.column_dir_max_gb)
    files.tidy()
    return files


@cache
def _data_service(address: str) -> MarketDataServiceStub:
    # With the worker's own certificate, where its environment names one.
    return MarketDataServiceStub(open_blocking_channel(address, channel_credentials(load_settings())))
