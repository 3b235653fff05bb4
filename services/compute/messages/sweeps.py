"""Converts requests for sweeps to jobs, and chunks to messages."""

from backcast.compute.v1 import compute_service_pb2 as pb
from backcast.compute.v1.sweep_chunk_pb2 import SweepChunk
from services.compute.candles.location import DataVersion
from services.compute.tasks.jobs import Job, sweep_job
from services.compute.tasks.runner import Outcome
from services.domain.errors import BackcastError, InvalidInput, Violations
from services.domain.symbols import canonical_symbol
from services.domain.times import EARLIEST_S, LATEST_S
from services.engine.sweep import Sweep, make_grid
from services.rpc.status import status_of
from services.wire.backtests import execution_from, strategy_from
from services.wire.candles import interval_from
from services.wire.paging import MAX_SYMBOLS
from services.wire.sweeps import read_ranges, window_from

# The gateway asks for chunks of fewer backtests.
_MAX_BACKTESTS = 1_000
_MAX_STRETCHES = 1_000


async def job_of_sweep(request: pb.ComputeSweepRequest) -> Job:
    """Return the job of a request; raise InvalidInput, naming the field, where the request is wrong."""
    if not 0 < len(request.cryptos) <= MAX_SYMBOLS:
        raise InvalidInput.of("cryptos", f"from 1 to {MAX_SYMBOLS} are needed, not {len(request.cryptos)}")
    spec = request.spec
    windows = tuple(map(window_from, request.windows))
    start_s, end_s = spec.start_time.seconds, spec.end_time.seconds
    if not EARLIEST_S <= start_s < end_s <= LATEST_S:
        raise InvalidInput.of("start_time", "must be before end_time, both between the years 1 and 9999")
    if not windows or any(not start_s <= window.start_s < window.end_s <= end_s for window in windows):
        reason = "at least one is needed; each must start before it ends, within the window of the spec"
        raise InvalidInput.of("windows", reason)
    if not 0 < request.chunk_size * len(windows) <= _MAX_BACKTESTS:
        reason = f"must make from 1 to {_MAX_BACKTESTS} backtests of {len(windows)} windows"
        raise InvalidInput.of("chunk_size", f"{reason}, not {request.chunk_size}")
    execution = execution_from(spec.execution)
    violations = Violations()
    violations.add(*execution.violations())
    ranges = read_ranges(request.ranges, spec.strategy, violations)
    violations.raise_if_any()
    grid = make_grid(strategy_from(spec.strategy), ranges)
    sweep = Sweep(grid, interval_from(spec.interval), windows, execution, _stretches(request))
    return await sweep_job(sweep, request.chunk_size, _chunks(request, grid.size))


def _stretches(request: pb.ComputeSweepRequest) -> tuple[int, ...]:
    stretches = tuple(request.stretches) or (0,) * len(request.windows)
    if len(stretches) != len(request.windows) or any(not 0 <= each <= _MAX_STRETCHES for each in stretches):
        reason = f"must be as many as windows, each from 0 to {_MAX_STRETCHES:,}"
        raise InvalidInput.of("stretches", reason)
    return stretches


def _chunks(request: pb.ComputeSweepRequest, combinations: int) -> dict[DataVersion, list[int]]:
    wanted = {}
    symbols = set()
    for index, item in enumerate(request.cryptos):
        field = f"cryptos[{index}]"
        symbol = canonical_symbol(item.crypto.symbol, f"{field}.crypto.symbol")
        if symbol in symbols:
            raise InvalidInput.of(f"{field}.crypto.symbol", f"{symbol} occurs twice")
        if any(not 0 <= chunk * request.chunk_size < combinations for chunk in item.chunks):
            raise InvalidInput.of(f"{field}.chunks", f"there are {combinations} combinations at most")
        symbols.add(symbol)
        wanted[DataVersion(symbol, item.crypto.fingerprint)] = list(item.chunks)
    return wanted


def sweep_response(outcome: Outcome) -> pb.ComputeSweepResponse:
    """Return the message of a chunk's outcome; a failure without a chunk is that of the whole crypto."""
    symbol, result = outcome.data.symbol, outcome.result
    first = None if outcome.task is None else outcome.task.argument.first
    if isinstance(result, BackcastError):
        return pb.ComputeSweepResponse(
            failure=pb.SweepChunkFailure(symbol=symbol, first_combination=first, status=status_of(result))
        )
    assert first is not None
    return pb.ComputeSweepResponse(
        chunk=SweepChunk(
            symbol=symbol,
            fingerprint=outcome.data.fingerprint,
            first_combination=first,
            metrics=result.figures.astype("<f8").tobytes(),
            returns=result.returns.astype("<f4").tobytes(),
            failed=result.failed,
            first_failure=status_of(result.first_failure) if result.first_failure else None,
        )
    )
