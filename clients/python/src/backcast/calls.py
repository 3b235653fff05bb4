"""The calls of a gateway, on a channel of either kind, and what an error of one means."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import grpc

from backcast.connection import Connection
from backcast.errors import BackcastError, ConnectionFailedError
from backcast.gateway.v1.backtest_service_pb2 import RunBacktestsRequest, SweepBacktestsRequest
from backcast.gateway.v1.backtest_service_pb2_grpc import BacktestServiceStub
from backcast.gateway.v1.portfolio_service_pb2 import RunPortfolioRequest
from backcast.gateway.v1.portfolio_service_pb2_grpc import PortfolioServiceStub
from backcast.gateway.v1.portfolio_sweep_pb2 import SweepPortfoliosRequest
from backcast.gateway.v1.run_service_pb2 import CancelRunRequest, WatchRunRequest
from backcast.gateway.v1.run_service_pb2_grpc import RunServiceStub
from backcast.marketdata.v1.market_data_service_pb2_grpc import MarketDataServiceStub
from backcast.run_log import watched_event
from backcast.status import error_of
from backcast.versions import client_version, version_in
from backcast.wire import message_class

_CANCEL_TIMEOUT_S = 2.0


class Calls:
    """The methods of a gateway; on a channel of grpc.aio they are asynchronous."""

    def __init__(self, channel: Any, connection: Connection) -> None:
        self.connection = connection
        self.is_closed = False
        self.backtests: Any = BacktestServiceStub(channel)
        self.portfolios: Any = PortfolioServiceStub(channel)
        self.runs: Any = RunServiceStub(channel)
        self.market: Any = MarketDataServiceStub(channel)
        # Like those of the stubs, but with columns as bytes: see backcast.wire.
        self._run_backtests = channel.unary_stream(
            "/backcast.gateway.v1.BacktestService/RunBacktests",
            request_serializer=RunBacktestsRequest.SerializeToString,
            response_deserializer=message_class("backcast.gateway.v1.RunBacktestsResponse").FromString,
        )
        self._run_portfolio = channel.unary_stream(
            "/backcast.gateway.v1.PortfolioService/RunPortfolio",
            request_serializer=RunPortfolioRequest.SerializeToString,
            response_deserializer=message_class("backcast.gateway.v1.RunPortfolioResponse").FromString,
        )
        self._watch_run = channel.unary_stream(
            "/backcast.gateway.v1.RunService/WatchRun",
            request_serializer=WatchRunRequest.SerializeToString,
            response_deserializer=watched_event,
        )

    def events(
        self,
        request: RunBacktestsRequest
        | WatchRunRequest
        | SweepBacktestsRequest
        | RunPortfolioRequest
        | SweepPortfoliosRequest,
        timeout_s: float | None,
    ) -> Any:
        """Begin the call that streams the events that are asked for."""
        match request:
            case RunBacktestsRequest():
                method = self._run_backtests
            case WatchRunRequest():
                method = self._watch_run
            case SweepBacktestsRequest():
                method = self.backtests.SweepBacktests
            case RunPortfolioRequest():
                method = self._run_portfolio
            case SweepPortfoliosRequest():
                method = self.portfolios.SweepPortfolios
        return self.stream(method, request, timeout_s)

    def cancel_run(self, run_id: str) -> Any:
        """Begin the call that cancels a run or a sweep; a client that is being closed has this call too."""
        return self.runs.CancelRun(
            CancelRunRequest(run_id=run_id), metadata=self.connection.metadata, timeout=_CANCEL_TIMEOUT_S
        )

    def unary(self, method: Any, request: Any) -> Any:
        """Begin a call of a method with one answer."""
        self._check_open()
        return method(request, metadata=self.connection.metadata, timeout=self.connection.timeout_s)

    def stream(self, method: Any, request: Any, timeout_s: float | None) -> Any:
        """Begin a call of a method that streams."""
        self._check_open()
        return method(request, metadata=self.connection.metadata, timeout=timeout_s)

    def error_of(self, error: grpc.RpcError) -> BackcastError:
        """Return the exception of a failed call."""
        call: Any = error
        # Initial metadata of runs; trailing metadata where the server lacks the call.
        server_version = version_in(call.initial_metadata()) or version_in(call.trailing_metadata())
        return error_of(error, self.connection.address, (client_version(), server_version))

    @contextmanager
    def readable_errors(self) -> Iterator[None]:
        """Turn gRPC's errors into those of this package."""
        try:
            yield
        except grpc.RpcError as error:
            raise self.error_of(error) from None

    def _check_open(self) -> None:
        if self.is_closed:
            raise ConnectionFailedError("this client is closed: the server is asked inside of its block only")
