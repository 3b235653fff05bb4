"""The handler of backcast.compute.v1.ComputeService: parses requests, runs their jobs, streams outcomes."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace

from backcast.backtest.v1.backtest_spec_pb2 import BacktestSpec
from backcast.compute.v1 import compute_service_pb2 as pb
from backcast.compute.v1 import compute_service_pb2_grpc
from services.compute.candles.location import DataVersion
from services.compute.messages.responses import result_responses, series_responses
from services.compute.messages.sweeps import job_of_sweep, sweep_response
from services.compute.metrics import count_backtests, count_chunk
from services.compute.tasks.jobs import Job, backtest_job, series_job
from services.compute.tasks.runner import TaskRunner
from services.domain.errors import InvalidInput
from services.domain.symbols import canonical_symbol
from services.domain.times import EARLIEST_S, LATEST_S
from services.engine import Backtest, Window
from services.engine.curves import FEWEST_POINTS
from services.wire.backtests import detail_from, execution_from, spec_fields_named, strategy_from
from services.wire.candles import interval_from
from services.wire.paging import MAX_SYMBOLS


class ComputeHandler(compute_service_pb2_grpc.ComputeServiceServicer):
    """Runs backtests and sweeps, and evaluates series, for the gateway."""

    def __init__(self, runner: TaskRunner) -> None:
        self._runner = runner

    async def ComputeBacktests(  # noqa: N802  # the RPC's name
        self, request: pb.ComputeBacktestsRequest, context: object
    ) -> AsyncGenerator[pb.ComputeBacktestsResponse]:
        """Stream the cryptos' outcomes as they complete."""
        with spec_fields_named():
            job = _job(request)
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
            job = _series_job(request)
        async with aclosing(self._runner.run(job)) as gathered:
            async for outcomes in gathered:
                for outcome in outcomes:
                    for response in series_responses(outcome, request.skipped_candle_count):
                        yield response


def _job(request: pb.ComputeBacktestsRequest) -> Job:
    if not 0 < len(request.cryptos) <= MAX_SYMBOLS:
        raise InvalidInput.of("cryptos", f"from 1 to {MAX_SYMBOLS} are needed, not {len(request.cryptos)}")
    if request.curve_points and request.curve_points < FEWEST_POINTS:
        raise InvalidInput.of("curve_points", f"must be 0 for all, or at least {FEWEST_POINTS}")
    backtest = replace(
        _backtest(request.spec), detail=detail_from(request.detail), curve_points=request.curve_points
    )
    return backtest_job(_cryptos(request), backtest)


def _series_job(request: pb.ComputeSeriesRequest) -> Job:
    if request.skipped_candle_count < 0:
        raise InvalidInput.of(
            "skipped_candle_count", f"must be at least 0, not {request.skipped_candle_count}"
        )
    symbol = canonical_symbol(request.crypto.symbol, "crypto.symbol")
    return series_job(DataVersion(symbol, request.crypto.fingerprint), _backtest(request.spec))


def _backtest(spec: BacktestSpec) -> Backtest:
    window = Window(spec.start_time.seconds, spec.end_time.seconds)
    if not EARLIEST_S <= window.start_s < window.end_s <= LATEST_S:
        raise InvalidInput.of("start_time", "must be before end_time, both between the years 1 and 9999")
    strategy, execution = strategy_from(spec.strategy), execution_from(spec.execution)
    if violations := strategy.violations() + execution.violations():
        raise InvalidInput(*violations)
    return Backtest(strategy, interval_from(spec.interval), window, execution)


def _cryptos(request: pb.ComputeBacktestsRequest) -> list[DataVersion]:
    cryptos: dict[str, DataVersion] = {}
    for index, crypto in enumerate(request.cryptos):
        field = f"cryptos[{index}].symbol"
        symbol = canonical_symbol(crypto.symbol, field)
        if symbol in cryptos:
            raise InvalidInput.of(field, f"{symbol} occurs twice")
        cryptos[symbol] = DataVersion(symbol, crypto.fingerprint)
    return list(cryptos.values())
