"""The gateway's view of the compute service."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, TypeVar

import grpc

from backcast.compute.v1 import compute_service_pb2 as pb
from services.compute.engine.sweep import Sweep
from services.gateway.messages import timestamps
from services.gateway.plan import BacktestPlan, CryptoData
from services.shared.backtest_messages import detail_to, execution_to, strategy_to
from services.shared.call_metadata import outgoing_metadata
from services.shared.candle_messages import interval_to
from services.shared.rpc_status import error_of
from services.shared.sweep_messages import ranges_to, window_to

if TYPE_CHECKING:
    from backcast.compute.v1.compute_service_pb2_grpc import ComputeServiceAsyncStub

_Response = TypeVar("_Response")


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
            ),
            metadata=outgoing_metadata(),
        )
        async with aclosing(_responses(call)) as responses:
            async for response in responses:
                yield response

    async def sweep_outcomes(
        self, sweep: Sweep, chunk_size: int, chunks: list[tuple[CryptoData, list[int]]]
    ) -> AsyncGenerator[pb.ComputeSweepResponse]:
        """Yield the outcomes of the chunks that are wanted of each crypto, as `outcomes` does."""
        call = self._stub.ComputeSweep(
            pb.ComputeSweepRequest(
                cryptos=[
                    pb.SweepCrypto(
                        crypto=pb.CryptoRef(symbol=crypto.symbol, fingerprint=crypto.fingerprint),
                        chunks=wanted,
                    )
                    for crypto, wanted in chunks
                ],
                strategy=strategy_to(sweep.grid.base),
                ranges=ranges_to(sweep.grid),
                interval=interval_to(sweep.interval),
                windows=map(window_to, sweep.windows),
                execution=execution_to(sweep.execution),
                chunk_size=chunk_size,
            ),
            metadata=outgoing_metadata(),
        )
        async with aclosing(_responses(call)) as responses:
            async for response in responses:
                yield response


async def _responses(call: "grpc.aio.UnaryStreamCall[Any, _Response]") -> AsyncGenerator[_Response]:
    """Yield the responses of a call; closing the iterator cancels it."""
    try:
        async for response in call:
            yield response
    except grpc.aio.AioRpcError as error:
        raise error_of(error, "compute") from error
    finally:
        call.cancel()
