"""The calls of a gateway, on a channel of either kind, and what an error of one means."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import grpc

from backcast.connection import VERSION_KEY, Connection, client_version
from backcast.errors import BackcastError
from backcast.gateway.v1.backtest_service_pb2 import RunBacktestsRequest
from backcast.gateway.v1.backtest_service_pb2_grpc import BacktestServiceStub
from backcast.gateway.v1.run_service_pb2 import WatchRunRequest
from backcast.gateway.v1.run_service_pb2_grpc import RunServiceStub
from backcast.marketdata.v1.market_data_service_pb2_grpc import MarketDataServiceStub
from backcast.run_log import event_class, watched_event
from backcast.status import error_of


class Calls:
    """The methods of a gateway; on a channel of grpc.aio they are asynchronous."""

    def __init__(self, channel: Any, connection: Connection) -> None:
        self.connection = connection
        self.backtests: Any = BacktestServiceStub(channel)
        self.runs: Any = RunServiceStub(channel)
        self.market: Any = MarketDataServiceStub(channel)
        # Like those of the stubs, but with columns as bytes: see backcast.wire.
        self._run_backtests = channel.unary_stream(
            "/backcast.gateway.v1.BacktestService/RunBacktests",
            request_serializer=RunBacktestsRequest.SerializeToString,
            response_deserializer=event_class().FromString,
        )
        self._watch_run = channel.unary_stream(
            "/backcast.gateway.v1.RunService/WatchRun",
            request_serializer=WatchRunRequest.SerializeToString,
            response_deserializer=watched_event,
        )

    def events(self, request: RunBacktestsRequest | WatchRunRequest, timeout_s: float | None) -> Any:
        """Begin the call that streams the events that are asked for."""
        method = self._watch_run if isinstance(request, WatchRunRequest) else self._run_backtests
        return method(request, metadata=self.connection.metadata, timeout=timeout_s)

    def unary(self, method: Any, request: Any) -> Any:
        """Begin a call of a method with one answer."""
        return method(request, metadata=self.connection.metadata, timeout=self.connection.timeout_s)

    def stream(self, method: Any, request: Any, timeout_s: float | None = None) -> Any:
        """Begin a call of a method that streams."""
        return method(request, metadata=self.connection.metadata, timeout=timeout_s)

    def error_of(self, error: grpc.RpcError) -> BackcastError:
        """Return the exception of a failed call."""
        call: Any = error
        told = call.initial_metadata() or ()
        return error_of(error, self.connection.address, (client_version(), version_in(told)))

    @contextmanager
    def readable_errors(self) -> Iterator[None]:
        """Turn gRPC's errors into those of this package."""
        try:
            yield
        except grpc.RpcError as error:
            raise self.error_of(error) from None


def version_in(metadata: Any) -> str | None:
    """Return the version that a server has told in its initial metadata."""
    for key, value in metadata or ():
        if key == VERSION_KEY:
            return str(value)
    return None
