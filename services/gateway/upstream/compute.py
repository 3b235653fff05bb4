"""The gateway's view of the compute service."""

from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

from backcast.compute.v1 import compute_service_pb2 as pb
from services.engine.sweep import Sweep
from services.gateway.api.messages import timestamps
from services.gateway.planning.crypto_data import CryptoData
from services.gateway.planning.run_plan import BacktestPlan
from services.rpc.metadata import outgoing_metadata
from services.rpc.resumed_stream import resumed_stream
from services.wire.backtests import detail_to, execution_to, strategy_to
from services.wire.candles import interval_to
from services.wire.result_parts import PartJoiner
from services.wire.sweeps import ranges_to, window_to

if TYPE_CHECKING:
    from grpc.aio import UnaryStreamCall

    from backcast.compute.v1.compute_service_pb2_grpc import ComputeServiceAsyncStub


class ComputeClient:
    """Has backtests computed; where compute breaks off, it computes what is left, or another compute does.

    Raises Unavailable where none answers for some seconds.
    """

    def __init__(self, stub: "ComputeServiceAsyncStub") -> None:
        self._stub = stub

    async def outcomes(
        self, plan: BacktestPlan, cryptos: list[CryptoData]
    ) -> AsyncGenerator[pb.ComputeBacktestsResponse]:
        """Yield each crypto's outcome as it completes; closing the iterator cancels the others."""
        start_time, end_time = timestamps(plan.window)
        missing = {crypto.symbol: crypto for crypto in cryptos}

        def call() -> "UnaryStreamCall[Any, pb.ComputeBacktestsResponse]":
            return self._stub.ComputeBacktests(
                pb.ComputeBacktestsRequest(
                    cryptos=map(_crypto_ref, missing.values()),
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

        parts = PartJoiner()
        async with aclosing(resumed_stream("compute", missing, call)) as responses:
            async for response in responses:
                if (outcome := parts.joined(response)) is None:
                    continue
                failed = outcome.HasField("failure")
                del missing[outcome.failure.symbol if failed else outcome.result.symbol]
                yield outcome

    async def sweep_outcomes(
        self, sweep: Sweep, chunk_size: int, chunks: list[tuple[CryptoData, list[int]]]
    ) -> AsyncGenerator[pb.ComputeSweepResponse]:
        """Yield the outcome of every chunk that is wanted of each crypto, as `outcomes` does."""
        missing = {crypto.symbol: (crypto, set(wanted)) for crypto, wanted in chunks}

        def call() -> "UnaryStreamCall[Any, pb.ComputeSweepResponse]":
            return self._stub.ComputeSweep(
                pb.ComputeSweepRequest(
                    cryptos=[
                        pb.SweepCrypto(crypto=_crypto_ref(crypto), chunks=sorted(wanted))
                        for crypto, wanted in missing.values()
                    ],
                    strategy=strategy_to(sweep.grid.base),
                    ranges=ranges_to(sweep.grid),
                    interval=interval_to(sweep.interval),
                    windows=map(window_to, sweep.windows),
                    execution=execution_to(sweep.execution),
                    chunk_size=chunk_size,
                    stretches=sweep.stretches,
                ),
                metadata=outgoing_metadata(),
            )

        async with aclosing(resumed_stream("compute", missing, call)) as responses:
            async for response in responses:
                for outcome in outcomes_by_chunk(response, missing, chunk_size):
                    yield outcome


def outcomes_by_chunk(
    response: pb.ComputeSweepResponse, missing: dict[str, tuple[CryptoData, set[int]]], chunk_size: int
) -> Iterator[pb.ComputeSweepResponse]:
    """Yield the outcome of each of the chunks that a response is of, and take them out of `missing`."""
    failure = response.failure if response.HasField("failure") else None
    symbol = failure.symbol if failure else response.chunk.symbol
    _, wanted = missing[symbol]
    if failure and not failure.HasField("first_combination"):
        # Of all chunks that are still missing: others may have come before a compute broke off.
        for chunk in sorted(wanted):
            yield pb.ComputeSweepResponse(
                failure=pb.SweepChunkFailure(
                    symbol=symbol, first_combination=chunk * chunk_size, status=failure.status
                )
            )
        wanted.clear()
    else:
        first = failure.first_combination if failure else response.chunk.first_combination
        wanted.remove(first // chunk_size)
        yield response
    if not wanted:
        del missing[symbol]


def _crypto_ref(crypto: CryptoData) -> pb.CryptoRef:
    return pb.CryptoRef(symbol=crypto.symbol, fingerprint=crypto.fingerprint)
