"""Candles for remote workers (Dask's), which fetch them from the data service themselves.

Only remote workers, and compute when it makes their tasks, import this.
"""

from collections.abc import AsyncGenerator
from contextlib import suppress
from dataclasses import dataclass
from functools import cache

import grpc

from backcast.marketdata.v1.market_data_service_pb2_grpc import MarketDataServiceStub
from backcast_engine.errors import ErrorReason
from backcast_engine.history import History
from backcast_engine.interval import Interval
from services.compute.candles.column_files import ColumnFiles, MissingColumns
from services.compute.candles.fetched import FetchedHistory
from services.compute.candles.location import DataVersion
from services.compute.candles.source import HistoryBlocks, candles_request
from services.domain.errors import Unavailable
from services.rpc.channel import open_blocking_channel
from services.rpc.status import error_of
from services.rpc.tls import channel_credentials
from services.settings import load_settings

# How often the candles may change between fetching and reading them.
_MOST_FETCHES = 3
# A fetch in a remote worker cannot be cancelled.
_FETCH_LIMIT_S = 60.0


@dataclass(frozen=True)
class RemoteCandles:
    """One crypto's candles in the data service at `data_address` (host:port, as the worker reaches it).

    The worker keeps them in column files, in the folder that its own BACKCAST_COLUMN_DIR names; columns of
    the same version are not fetched again.
    """

    data_address: str
    data: DataVersion
    interval: Interval
    columns: tuple[str, ...]
    since_s: int

    def load(self) -> tuple[DataVersion, History]:
        """Map the columns, after fetching the missing ones; see CandleLocation.

        Raises NotFound where there is no such crypto or it has no candles, Unavailable where the data
        service does not answer or the worker cannot keep columns.
        """
        files = _column_files()
        data = self.data
        for fetches_left in reversed(range(_MOST_FETCHES + 1)):
            stored = files.stored(data, self.interval, self.columns, self.since_s)
            with suppress(FileNotFoundError):
                if stored.use():
                    return data, stored.map()
                if fetches_left:
                    data = self._fetch(files, data)
        raise Unavailable(
            "its candles change faster than they can be read: try again",
            reason=ErrorReason.CANDLES_CHANGING,
        )

    def _fetch(self, files: ColumnFiles, data: DataVersion) -> DataVersion:
        """Fetch the missing columns of a crypto into files, and return their version.

        Where the folder has changed, or has other columns of this version, something is missing afterwards.
        """
        (missing,) = files.missing([data], self.interval, self.columns, self.since_s)
        history = self._history(missing)
        data = DataVersion(history.symbol, history.fingerprint)
        with suppress(FileNotFoundError):
            files.write(missing, self.interval, history)
        files.tidy({files.stored(data, self.interval, self.columns).name})
        return data

    def _history(self, missing: MissingColumns) -> FetchedHistory:
        known = {self.data.symbol: missing.older_fingerprint}
        request = candles_request(known, self.interval, missing.columns, missing.since_s)
        blocks = HistoryBlocks(missing.columns, missing.since_s)
        try:
            for response in _data_service(self.data_address).StreamCandles(request, timeout=_FETCH_LIMIT_S):
                for history in blocks.add(response):
                    return history
        except grpc.RpcError as error:
            raise error_of(error, "data") from error
        raise Unavailable(
            "the data service's answer is not complete: try again",
            reason=ErrorReason.SERVICE_UNAVAILABLE,
            service="data",
        )


class RemoteProvider:
    """Provides candles as RemoteCandles of the data service at `data_address`."""

    def __init__(self, data_address: str) -> None:
        self._data_address = data_address

    async def columns(
        self, cryptos: list[DataVersion], interval: Interval, columns: tuple[str, ...], since_s: int
    ) -> AsyncGenerator[list[tuple[DataVersion, RemoteCandles]]]:
        """Yield all cryptos with the locations of their candles."""
        yield [
            (data, RemoteCandles(self._data_address, data, interval, columns, since_s)) for data in cryptos
        ]


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
