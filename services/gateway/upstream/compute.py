"""The client of the compute service."""

from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

from backcast.compute.v1 import compute_service_pb2 as pb
from backcast.compute.v1.computed_result_pb2 import ComputedResult
from backcast_engine import Backtest, Window
from backcast_engine.errors import ErrorReason
from backcast_engine.portfolio import Portfolio
from backcast_engine.sweep import Sweep
from services.domain.errors import Unavailable
from services.gateway.planning.crypto_data import CryptoData
from services.rpc.channel import outgoing_metadata
from services.rpc.resumed_stream import resumed_stream
from services.wire.backtests import detail_to, spec_to
from services.wire.portfolios import portfolio_spec_to
from services.wire.sweeps import execution_ranges_to, ranges_to, window_to

if TYPE_CHECKING:
    from grpc.aio import UnaryStreamCall

    from backcast.compute.v1.compute_service_pb2_grpc import ComputeServiceAsyncStub


class ComputeClient:
    """Has backtests computed; where a stream breaks off, it asks for the missing ones again.

    Raises Unavailable where no compute answers for some seconds.
    """

    def __init__(self, stub: "ComputeServiceAsyncStub") -> None:
        self._stub = stub

    async def outcomes(
        self, backtest: Backtest, cryptos: list[CryptoData], others: Sequence[CryptoData] = ()
    ) -> AsyncGenerator[pb.ComputeBacktestsResponse]:
        """Yield the cryptos' outcomes as they complete; closing the iterator cancels the others.

        Every result is whole, however many parts it came in. The rules look at the cryptos `others`.
        """
        missing = {crypto.symbol: crypto for crypto in cryptos}
        begun = ComputedResult()

        def call() -> "UnaryStreamCall[Any, pb.ComputeBacktestsResponse]":
            # A result that broke off is sent again from its beginning.
            begun.Clear()
            return self._stub.ComputeBacktests(
                pb.ComputeBacktestsRequest(
                    cryptos=map(_crypto_ref, missing.values()),
                    spec=spec_to(backtest.strategy, backtest.interval, backtest.window, backtest.execution),
                    detail=detail_to(backtest.detail),
                    curve_points=backtest.curve_points,
                    other_cryptos=map(_crypto_ref, others),
                ),
                metadata=outgoing_metadata(),
            )

        async with aclosing(resumed_stream("compute", missing, call)) as responses:
            async for response in responses:
                if not complete_result(response, begun):
                    continue
                for outcome in (*response.results, *response.failures):
                    del missing[outcome.symbol]
                yield response

    async def series(
        self, backtest: Backtest, crypto: CryptoData, others: Sequence[CryptoData] = ()
    ) -> AsyncGenerator[pb.ComputeSeriesResponse]:
        """Yield the blocks of the series that a backtest's strategy compares on a crypto, or their failure.

        The rules look at the cryptos `others`. Raises Unavailable also where the stream breaks off and one of
        the cryptos has other candles afterwards.
        """
        missing, received, fingerprint = [crypto], 0, ""
        symbols = [each.symbol for each in (crypto, *others)]

        def call() -> "UnaryStreamCall[Any, pb.ComputeSeriesResponse]":
            return self._stub.ComputeSeries(
                pb.ComputeSeriesRequest(
                    crypto=_crypto_ref(crypto),
                    spec=spec_to(backtest.strategy, backtest.interval, backtest.window, backtest.execution),
                    skipped_candle_count=received,
                    other_cryptos=map(_crypto_ref, others),
                ),
                metadata=outgoing_metadata(),
            )

        async with aclosing(resumed_stream("compute", missing, call)) as responses:
            async for response in responses:
                if received and response.fingerprint != fingerprint:
                    raise Unavailable(
                        f"candles of {' or '.join(symbols)} were imported meanwhile: try again",
                        reason=ErrorReason.CANDLES_CHANGING,
                    )
                fingerprint = response.fingerprint
                received += len(response.block.open_time_s) // 8
                if response.is_last:
                    missing.clear()
                yield response

    async def sweep_outcomes(
        self,
        sweep: Sweep,
        chunk_size: int,
        chunks: list[tuple[CryptoData, list[int]]],
        positions: Sequence[int] = (),
        others: Sequence[CryptoData] = (),
    ) -> AsyncGenerator[pb.ComputeSweepResponse]:
        """Yield the outcome of every chunk that is wanted of each crypto, as `outcomes` does.

        `positions` are those of the combinations in the grid; empty: all that are possible.
        """
        missing = {crypto.symbol: (crypto, set(wanted)) for crypto, wanted in chunks}
        whole = Window(
            min(window.start_s for window in sweep.windows), max(window.end_s for window in sweep.windows)
        )

        def call() -> "UnaryStreamCall[Any, pb.ComputeSweepResponse]":
            return self._stub.ComputeSweep(
                pb.ComputeSweepRequest(
                    cryptos=[
                        pb.SweepCrypto(crypto=_crypto_ref(crypto), chunks=sorted(wanted))
                        for crypto, wanted in missing.values()
                    ],
                    spec=spec_to(sweep.grid.base, sweep.interval, whole, sweep.execution),
                    ranges=ranges_to(sweep.grid.names, sweep.grid.values),
                    windows=map(window_to, sweep.windows),
                    chunk_size=chunk_size,
                    stretches=sweep.stretches,
                    other_cryptos=map(_crypto_ref, others),
                    execution_ranges=execution_ranges_to(sweep.grid.settings),
                    positions=positions,
                ),
                metadata=outgoing_metadata(),
            )

        async with aclosing(resumed_stream("compute", missing, call)) as responses:
            async for response in responses:
                for outcome in outcomes_by_chunk(response, missing, chunk_size):
                    yield outcome

    async def portfolios(
        self, portfolios: Sequence[Portfolio], cryptos: list[CryptoData], others: Sequence[CryptoData] = ()
    ) -> AsyncGenerator[pb.ComputePortfoliosResponse]:
        """Yield the progress of portfolios, and the result of each, which is whole, or its failure.

        They have the same detail, interval, window and rule for breaks. Their rules look at the cryptos
        `others`. Where the stream breaks off, the progress begins anew.
        """
        missing, begun = dict(enumerate(portfolios)), pb.ComputePortfoliosResponse()
        asked: list[int] = []

        def call() -> "UnaryStreamCall[Any, pb.ComputePortfoliosResponse]":
            nonlocal begun
            begun = pb.ComputePortfoliosResponse()
            asked[:] = missing
            return self._stub.ComputePortfolios(
                pb.ComputePortfoliosRequest(
                    cryptos=map(_crypto_ref, cryptos),
                    specs=map(portfolio_spec_to, missing.values()),
                    detail=detail_to(portfolios[0].detail),
                    curve_points=portfolios[0].curve_points,
                    other_cryptos=map(_crypto_ref, others),
                ),
                metadata=outgoing_metadata(),
            )

        async with aclosing(resumed_stream("compute", missing, call)) as responses:
            async for response in responses:
                if response.HasField("completed_crypto_count"):
                    yield response
                    continue
                begun.MergeFrom(response)
                if response.result_continues:
                    continue
                whole, begun = begun, pb.ComputePortfoliosResponse()
                # A failure without a number is that of all that are missing.
                for number in [asked[whole.portfolio]] if whole.HasField("portfolio") else [*missing]:
                    del missing[number]
                    whole.portfolio = number
                    yield whole


def complete_result(response: pb.ComputeBacktestsResponse, begun: ComputedResult) -> bool:
    """Complete the first result of a response by the parts in `begun`, which came before.

    Return False where parts are still missing; `begun` then has those of this response too.
    """
    if begun.parts or response.result_continues:
        begun.MergeFrom(response.results[0])
        if response.result_continues:
            return False
        response.results[0].CopyFrom(begun)
        begun.Clear()
    return True


def outcomes_by_chunk(
    response: pb.ComputeSweepResponse, missing: dict[str, tuple[CryptoData, set[int]]], chunk_size: int
) -> Iterator[pb.ComputeSweepResponse]:
    """Yield the outcome of each chunk of a response, and take these chunks out of `missing`."""
    failure = response.failure if response.HasField("failure") else None
    symbol = failure.symbol if failure else response.chunk.symbol
    _, wanted = missing[symbol]
    if failure and not failure.HasField("first_combination"):
        # The failure is that of all missing chunks: others may have come before the stream broke off.
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
