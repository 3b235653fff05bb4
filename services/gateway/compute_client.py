"""The gateway's view of the compute service."""

from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING

import grpc

from backcast.compute.v1 import compute_service_pb2 as pb
from services.gateway.messages import timestamps
from services.gateway.plan import BacktestPlan, CryptoData
from services.shared.backtest_messages import detail_to, execution_to, strategy_to
from services.shared.candle_messages import interval_to
from services.shared.rpc_status import error_of

if TYPE_CHECKING:
    from backcast.compute.v1.compute_service_pb2_grpc import ComputeServiceAsyncStub


class ComputeClient:
    """Has backtests computed."""

    def __init__(self, stub: "ComputeServiceAsyncStub") -> None:
        self._stub = stub

    async def outcomes(
        self, plan: BacktestPlan, cryptos: list[CryptoData]
    ) -> AsyncGenerator[pb.ComputeBacktestsResponse]:
        """Yield each crypto's outcome as it completes; closing the iterator cancels the others."""
        start_time, end_time = timestamps(plan.window)
        call = self._stub.ComputeBacktests(
            pb.ComputeBacktestsRequest(
                cryptos=[
                    pb.CryptoRef(symbol=crypto.symbol, fingerprint=crypto.fingerprint) for crypto in cryptos
                ],
                strategy=strategy_to(plan.strategy),
                interval=interval_to(plan.interval),
                start_time=start_time,
                end_time=end_time,
                execution=execution_to(plan.execution),
                detail=detail_to(plan.detail),
                curve_points=plan.curve_points,
            )
        )
        try:
            async for response in call:
                yield response
        except grpc.aio.AioRpcError as error:
            raise error_of(error, "compute") from error
        finally:
            call.cancel()
