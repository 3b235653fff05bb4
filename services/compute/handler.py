"""The handler of backcast.compute.v1.ComputeService: parses requests, runs their jobs, streams outcomes."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

from backcast.compute.v1 import compute_service_pb2 as pb
from backcast.compute.v1 import compute_service_pb2_grpc
from backcast_engine.errors import BackcastError, ErrorReason
from services.compute.messages.backtests import job_of_backtests, job_of_series
from services.compute.messages.portfolios import (
    asked_portfolios_from,
    portfolio_failure,
    portfolio_responses,
)
from services.compute.messages.responses import result_responses, series_responses
from services.compute.messages.sweeps import job_of_sweep, sweep_response
from services.compute.metrics import count_backtests, count_chunk, count_portfolio
from services.compute.tasks.portfolio.run import SignalsFailed, TradedPortfolio, portfolio_outcomes
from services.compute.tasks.runner import TaskRunner
from services.domain.errors import Unavailable
from services.wire.backtests import spec_fields_named

# Unavailable for other reasons, compute is stopping or has no workers: the gateway asks again.
_LASTING = (ErrorReason.WORKER_DIED, ErrorReason.CANDLES_CHANGING)


class ComputeHandler(compute_service_pb2_grpc.ComputeServiceServicer):
    """Runs backtests, sweeps and portfolios, and evaluates series, for the gateway."""

    def __init__(self, runner: TaskRunner) -> None:
        self._runner = runner

    async def ComputeBacktests(  # noqa: N802  # the RPC's name
        self, request: pb.ComputeBacktestsRequest, context: object
    ) -> AsyncGenerator[pb.ComputeBacktestsResponse]:
        """Stream the cryptos' outcomes as they complete."""
        with spec_fields_named():
            job = job_of_backtests(request)
        async with aclosing(self._runner.run(job)) as gathered:
            async for outcomes in gathered:
                count_backtests(outcome.result for outcome in outcomes)
                for response in result_responses(outcomes):
                    yield response

    async def ComputeSweep(  # noqa: N802  # the RPC's name
        self, request: pb.ComputeSweepRequest, context: object
    ) -> AsyncGenerator[pb.ComputeSweepResponse]:
        """Stream each chunk's figures as they complete."""
        with spec_fields_named():
            job = await job_of_sweep(request)
        async with aclosing(self._runner.run(job)) as gathered:
            async for outcomes in gathered:
                for outcome in outcomes:
                    count_chunk(outcome.result)
                    yield sweep_response(outcome)

    async def ComputeSeries(  # noqa: N802  # the RPC's name
        self, request: pb.ComputeSeriesRequest, context: object
    ) -> AsyncGenerator[pb.ComputeSeriesResponse]:
        """Stream the blocks of one crypto's series."""
        with spec_fields_named():
            job = job_of_series(request)
        async with aclosing(self._runner.run(job)) as gathered:
            async for outcomes in gathered:
                for outcome in outcomes:
                    for response in series_responses(outcome, request.skipped_candle_count):
                        yield response

    async def ComputePortfolios(  # noqa: N802  # the RPC's name
        self, request: pb.ComputePortfoliosRequest, context: object
    ) -> AsyncGenerator[pb.ComputePortfoliosResponse]:
        """Stream the progress of portfolios' signals, then their results."""
        # A thread reads some tens of portfolios: others are served meanwhile.
        asked = await asyncio.to_thread(asked_portfolios_from, request)
        outcomes = portfolio_outcomes(self._runner, asked.cryptos, asked.portfolios, asked.others)
        missing = len(asked.portfolios)
        try:
            async with aclosing(outcomes):
                async for outcome in outcomes:
                    if isinstance(outcome, TradedPortfolio):
                        if isinstance(outcome.result, BackcastError) and _is_passing(outcome.result):
                            raise outcome.result
                        missing -= 1
                        count_portfolio(outcome.result)
                    for response in portfolio_responses(outcome, asked):
                        yield response
        except (BackcastError, SignalsFailed) as error:
            if _is_passing(error):
                raise
            for _ in range(missing):
                count_portfolio(error.error if isinstance(error, SignalsFailed) else error)
            yield portfolio_failure(error)


def _is_passing(error: BackcastError | SignalsFailed) -> bool:
    return isinstance(error, Unavailable) and error.reason not in _LASTING
